"""``tita train``: train a network, plot a log, export a state."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

import typer

from tita_cli.cli import console
from tita_cli.cli.expand import Only, expand
from tita_cli.errors import ExitCode, UsageError, need
from tita_cli.options import Group, Network, Reporting, Writing, option

if TYPE_CHECKING:
    from tita_cli.training.config import TrainingConfig
    from tita_cli.training.run import Outcome


@dataclass(frozen=True, kw_only=True)
class Run(Group):
    """A run."""

    PANEL: ClassVar[str] = "Run"

    output: Path | None = option(
        None, "The folder for state, weights and log; with --plot, the picture: .svg, .png or .html.",
        short="o", metavar="RUN_DIR", config=False,
    )  # fmt: skip
    resume: bool = option(False, "Go on where the run in RUN_DIR stopped.", config=False)
    steps: int | None = option(None, "Steps in all, instead of CONFIG's.", minimum=1, metavar="N")
    minutes: float | None = option(None, "Minutes in all, instead of CONFIG's.", minimum=0, metavar="M")
    pause_after: float | None = option(
        None, "Stop after so many minutes, loading included, to go on later with --resume.", minimum=0, metavar="M",
        config=False,
    )  # fmt: skip
    data: Path | None = option(None, "The folder of the images, instead of data_root.", metavar="FOLDER")


@dataclass(frozen=True, kw_only=True)
class Instead(Group):
    """What can be done instead of training."""

    PANEL: ClassVar[str] = "Instead of training"

    plot: Path | None = option(None, "Draw the curves of a log.jsonl to -o.", metavar="LOG", config=False)
    export_state: Path | None = option(
        None, "Write a compact copy of the state in RUN_DIR, from which training can go on.", metavar="FILE",
        config=False,
    )  # fmt: skip


@expand
def command(
    run: Run,
    network: Annotated[Network, Only(("threads",))],
    instead: Instead,
    writing: Annotated[Writing, Only(("force",))],
    reporting: Annotated[Reporting, Only(("json", "quiet"))],
    config: Annotated[
        Path | None, typer.Argument(metavar="CONFIG.toml", help="What to train, on what and for how long.")
    ] = None,
) -> int:
    """Train a network.

    A run stops cleanly on Ctrl-C or SIGTERM: it finishes the step, writes its state, and goes on later with --resume.
    For several processes: [bold]torchrun --nproc-per-node 2 -m tita_cli train CONFIG.toml -o RUN_DIR[/]
    """
    output, plot, export_state, force = run.output, instead.plot, instead.export_state, writing.force
    if plot is not None or export_state is not None:
        if (
            config is not None
            or run.resume
            or run.steps
            or run.minutes
            or (plot is not None and export_state is not None)
        ):
            raise UsageError("--plot and --export-state stand alone, with -o", hint="run them after training")
        if output is None:
            raise UsageError("-o is missing", hint="--plot LOG -o FILE, --export-state FILE -o RUN_DIR")
        if plot is not None:
            return _plot(plot, output, force)
        return _export(output, export_state, force)
    if config is None or output is None:
        raise UsageError("CONFIG.toml and -o RUN_DIR are needed", hint="see tita train --help and docs/how-to/train.md")
    need("tita train", "torch")
    settings = _settings(config, run)
    return _train(
        settings,
        config,
        output,
        resume=run.resume,
        pause_after=run.pause_after,
        threads=network.threads,
        as_json=reporting.json,
        quiet=reporting.quiet,
    )


def _settings(config: Path, run: Run) -> TrainingConfig:
    from dataclasses import replace

    from tita_cli.runtime.threads import shorten_spinning

    shorten_spinning()  # before torch is loaded

    from tita_cli.training.config import read_config

    lengths = {name: value for name in ("steps", "minutes") if (value := getattr(run, name)) is not None}
    return replace(read_config(config, data_root=run.data), **lengths)


def _train(
    settings: TrainingConfig,
    config: Path,
    output: Path,
    *,
    resume: bool,
    pause_after: float | None,
    threads: int | None,
    as_json: bool,
    quiet: bool,
) -> int:
    from tita_cli.cli.train_progress import choose_observer
    from tita_cli.training.run import train
    from tita_cli.training.stop import stop_on_signals

    with console.results() as stdout, stop_on_signals(pause_after) as stop:
        with choose_observer(quiet=quiet) as observer:
            outcome = train(settings, config, output, resume=resume, observer=observer, stop=stop, threads=threads)
        if as_json and _leads():
            stdout.write(console.envelope("train", _result(outcome)))
    if not quiet and _leads():
        ending = "finished" if outcome.finished else "stopped, --resume goes on"
        console.say(f"{output}: {outcome.steps} steps in {outcome.seconds / 60:.1f} minutes, {ending}")
    return int(ExitCode.INTERRUPTED if stop.interrupted and not outcome.finished else ExitCode.OK)


def _leads() -> bool:
    import os

    return os.environ.get("RANK", "0") == "0"


def _result(outcome: Outcome) -> dict[str, object]:
    return {
        "folder": str(outcome.folder),
        "steps": outcome.steps,
        "seconds": round(outcome.seconds, 1),
        "finished": outcome.finished,
    }


def _plot(log: Path, output: Path, force: bool) -> int:
    from tita_cli.training.plot import plot_log

    plot_log(log, output, overwrite=force)
    return int(ExitCode.OK)


def _export(folder: Path, target: Path | None, force: bool) -> int:
    need("tita train --export-state", "torch")
    from tita_cli.training.state import LAST, export_state

    if target is not None:
        export_state(folder / LAST, target, overwrite=force)
    return int(ExitCode.OK)

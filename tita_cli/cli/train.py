"""``tita train``: train a network, plot a log, export a state."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tita_cli.cli import console, options
from tita_cli.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from tita_cli.training.config import TrainingConfig
    from tita_cli.training.run import Outcome

RUN = "Run"
INSTEAD = "Instead of training"


def command(
    config: Annotated[
        Path | None, typer.Argument(metavar="CONFIG.toml", help="What to train, on what and for how long.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="RUN_DIR",
            rich_help_panel=RUN,
            help="The folder for state, weights and log; with --plot, the picture: .svg, .png or .html.",
        ),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", rich_help_panel=RUN, help="Go on where the run in RUN_DIR stopped.")
    ] = False,
    steps: Annotated[
        int | None, typer.Option("--steps", min=1, rich_help_panel=RUN, help="Steps in all, instead of CONFIG's.")
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            "--data", metavar="FOLDER", rich_help_panel=RUN, help="The folder of the images, instead of data_root."
        ),
    ] = None,
    threads: options.Threads = None,
    plot: Annotated[
        Path | None,
        typer.Option("--plot", metavar="LOG", rich_help_panel=INSTEAD, help="Draw the curves of a log.jsonl to -o."),
    ] = None,
    export_state: Annotated[
        Path | None,
        typer.Option(
            "--export-state",
            metavar="FILE",
            rich_help_panel=INSTEAD,
            help="Write a compact copy of the state in RUN_DIR, from which training can go on.",
        ),
    ] = None,
    force: options.Force = False,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
) -> int:
    """Train a network on pairs of images.

    A run stops cleanly on Ctrl-C or SIGTERM: it finishes the step, writes its state, and goes on later with --resume.
    For several processes: [bold]torchrun --nproc-per-node 2 -m tita_cli train CONFIG.toml -o RUN_DIR[/]
    """  # fmt: skip
    if plot is not None or export_state is not None:
        if config is not None or resume or steps is not None or (plot is not None and export_state is not None):
            raise UsageError("--plot and --export-state stand alone, with -o", hint="run them after training")
        if output is None:
            raise UsageError("-o is missing", hint="--plot LOG -o FILE, --export-state FILE -o RUN_DIR")
        if plot is not None:
            return _plot(plot, output, force)
        return _export(output, export_state, force)
    if config is None or output is None:
        raise UsageError("CONFIG.toml and -o RUN_DIR are needed", hint="see tita train --help and docs/how-to/train.md")
    settings = _settings(config, data, steps)
    return _train(settings, config, output, resume=resume, threads=threads, as_json=as_json, quiet=quiet)


def _settings(config: Path, data: Path | None, steps: int | None) -> TrainingConfig:
    from dataclasses import replace

    from tita_cli.runtime.threads import shorten_spinning

    shorten_spinning()  # before torch is loaded

    from tita_cli.training.config import read_config

    settings = read_config(config, data_root=data)
    return settings if steps is None else replace(settings, steps=steps)


def _train(
    settings: TrainingConfig,
    config: Path,
    output: Path,
    *,
    resume: bool,
    threads: int | None,
    as_json: bool,
    quiet: bool,
) -> int:
    from tita_cli.cli.train_progress import choose_observer
    from tita_cli.training.run import train
    from tita_cli.training.stop import stop_on_signals

    with console.results() as stdout, stop_on_signals() as stop:
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
    from tita_cli.training.state import LAST, export_state

    if target is not None:
        export_state(folder / LAST, target, overwrite=force)
    return int(ExitCode.OK)

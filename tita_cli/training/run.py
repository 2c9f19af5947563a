"""A training run: data, steps, checkpoints, log, and a clean end."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import torch

from tita_cli import __version__
from tita_cli.errors import OutputError
from tita_cli.runtime.memory import raise_malloc_thresholds
from tita_cli.training.config import TrainingConfig
from tita_cli.training.kinds import build_draw, is_for_pairs
from tita_cli.training.log import Log, Record, clean
from tita_cli.training.means import Means
from tita_cli.training.state import LAST, load_state, prepare_folder, save_state
from tita_cli.training.trainer import StepReport, Trainer
from tita_cli.training.workers import Workers, join_workers

if TYPE_CHECKING:
    from tita_cli.training.batch import Batch

LOG = "log.jsonl"
CONFIG = "config.toml"
EMA = "ema.safetensors"


class Observer(Protocol):
    """Reports on a run. Only the leading process has one that shows anything."""

    def record(self, record: Record) -> None:
        """A record has been written to the log."""

    def advance(self, step: int, progress: float, seconds_left: float) -> None:
        """A step is done; ``progress`` in 0..1."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended: ``finished`` or stopped on request, after ``steps`` and ``seconds`` in total."""

    folder: Path
    steps: int
    seconds: float
    finished: bool


def train(
    config: TrainingConfig,
    source: Path,
    folder: Path,
    *,
    resume: bool,
    observer: Observer,
    stop: Callable[[], bool],
    threads: int | None = None,
) -> Outcome:
    """Train as ``config`` says, into ``folder``, with a copy of its file ``source``.

    ``stop`` is called after every step; the run ends with a checkpoint when it returns True. Raises ``TrainingError``,
    ``OutputError``, ``DeviceError``.
    """
    from tita_cli.training.data import TrainingData

    raise_malloc_thresholds()
    if threads:
        torch.set_num_threads(threads)
    with join_workers(config.device) as workers:
        if workers.leads:
            prepare_folder(folder, resume=resume)
        with TrainingData(
            config.manifest, build_draw(config), crop=config.crop, seed=config.seed, rank=workers.rank,
            workers=config.workers, pinned=workers.device.type == "cuda",
        ) as data:  # fmt: skip
            trainer = Trainer(config, data.tasks, workers)
            if resume:
                trainer.load_state_dict(load_state(folder / LAST))
            session = _Session(trainer, folder, observer)
            session.begin(source, resumed=resume, data=data.describe())
            try:
                finished = session.loop(data.batch, stop)
            finally:
                session.close()
    return Outcome(folder, trainer.position, trainer.seconds, finished)


class _Session:
    """The loop, checkpoints and log. Only the leading process writes."""

    def __init__(self, trainer: Trainer, folder: Path, observer: Observer) -> None:
        self.trainer, self.folder, self.observer = trainer, folder, observer
        self.workers: Workers = trainer.workers
        self.log: Log | None = None
        self._means = Means()
        self._pixels = 0
        self._window = (trainer.position, trainer.seconds)
        self._saved_at = trainer.seconds

    def begin(self, source: Path, *, resumed: bool, data: list[str]) -> None:
        if self.workers.leads:
            try:
                (self.folder / CONFIG).write_bytes(source.read_bytes())
            except OSError as error:
                raise OutputError(f"{self.folder}: cannot write to the run folder: {error.strerror}") from error
            self.log = Log(self.folder / LOG, after=self.trainer.position if resumed else None)
        trainer = self.trainer
        self._tell(
            "start",
            tita=__version__,
            resumed=resumed,
            network=trainer.config.network.to_dict(),
            parameters=sum(p.numel() for p in trainer.network.parameters()),
            tasks=trainer.tasks,
            data=data,
            device=str(self.workers.device),
            precision=trainer.precision,
            processes=self.workers.world,
            threads=torch.get_num_threads(),
        )
        if not resumed:
            self.save()  # so that a folder that cannot be written fails now and not after hours

    def loop(self, batch: Callable[[int], Mapping[str, Batch]], stop: Callable[[], bool]) -> bool:
        """Step until the run is over or ``stop`` returns True; returns whether it is over."""
        trainer, stopped = self.trainer, False
        clock = time.perf_counter()
        while trainer.progress < 1.0 and not stopped:
            report = trainer.step(batch(trainer.position))
            now = time.perf_counter()
            passed, stopped = self.workers.agree(now - clock, stop())
            clock = now
            trainer.seconds += passed
            self._account(report)
            if (report.step + 1) % trainer.config.log.every == 0:
                self._log_means(report.lr)
            if trainer.seconds - self._saved_at >= 60.0 * trainer.config.checkpoint.minutes:
                self.save()
        if self._pixels:
            self._log_means(report.lr)
        finished = trainer.progress >= 1.0
        self.save()
        self._tell("end", seconds=trainer.seconds, finished=finished)
        return finished

    def save(self) -> None:
        """Write the state and the moving average's weights."""
        from tita_cli.models.checkpoint import save_network

        trainer = self.trainer
        self._saved_at = trainer.seconds
        if not self.workers.leads:
            return
        config = trainer.config
        save_state(self.folder, trainer.state_dict(), keep=config.checkpoint.keep)
        info = {
            "tita": __version__,
            "steps": str(trainer.position),
            "minutes": f"{trainer.seconds / 60:.1f}",
            "losses": config.losses.recipe or ("paper" if is_for_pairs(config) else "truth"),
            "famo": config.famo,
            "seed": str(config.seed),
            "crop": str(config.crop),
            **({"batch": str(config.batch)} if is_for_pairs(config) else {"frames": str(config.frames)}),
            "processes": str(self.workers.world),
            "precision": trainer.precision,
        }
        save_network(self.folder / EMA, trainer.ema.module.state_dict(), config.network, info)
        self._tell("checkpoint", seconds=trainer.seconds)

    def close(self) -> None:
        if self.log is not None:
            self.log.close()

    def _account(self, report: StepReport) -> None:
        trainer = self.trainer
        self._pixels += report.pixels
        if report.skipped is not None:
            self._tell("skip", reason=report.skipped)
        elif report.grad_norm is not None:
            for task, result in report.tasks.items():
                for term, value in result.terms.items():
                    self._means.add(("losses", task, term), value)
                self._means.add(("oaf", task), result.oaf)
            self._means.add(("grad_norm",), report.grad_norm)
        if self.workers.leads:
            self.observer.advance(trainer.position, trainer.progress, self._seconds_left())

    def _log_means(self, lr: float) -> None:
        trainer = self.trainer
        steps, seconds = trainer.position - self._window[0], trainer.seconds - self._window[1]
        record: Record = {
            "seconds": trainer.seconds,
            "seconds_left": self._seconds_left(),
            "px_per_s": self._pixels / max(seconds, 1e-9),
            "s_per_step": seconds / max(steps, 1),
            "lr": lr,
            "famo": dict(zip(trainer.tasks, trainer.balance.weights.tolist(), strict=True)),
        }
        if self._means:
            for key, values in self._means.spread(self.workers.mean(self._means.vector())).items():
                place = record
                for part in key[:-1]:
                    place = place.setdefault(part, {})
                place[key[-1]] = values[0] if len(values) == 1 else values
        self._tell("step", **record)
        self._means, self._pixels = Means(), 0
        self._window = (trainer.position, trainer.seconds)

    def _seconds_left(self) -> float:
        """Estimated from the rate so far, or from the time limit if that ends first."""
        trainer, config = self.trainer, self.trainer.config
        limits = []
        if config.steps and trainer.position:
            limits.append((config.steps - trainer.position) * trainer.seconds / trainer.position)
        if config.minutes:
            limits.append(60.0 * config.minutes - trainer.seconds)
        return max(0.0, min(limits)) if limits else 0.0

    def _tell(self, event: str, **values: object) -> None:
        if self.log is not None:
            record: Record = clean({"event": event, "step": self.trainer.position, **values})
            self.log.write(record)
            self.observer.record(record)

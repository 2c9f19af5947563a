"""One optimisation step of the multitask training, and the state that a resumed run needs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from tita_cli.errors import ModelError, TrainingError, parsing
from tita_cli.network import build_network
from tita_cli.training.batch import Batch, TaskReport
from tita_cli.training.config import TrainingConfig
from tita_cli.training.famo import build_balance
from tita_cli.training.kinds import build_measure, is_for_pairs
from tita_cli.training.precision import choose_precision
from tita_cli.training.schedule import learning_rate
from tita_cli.training.workers import Workers

if TYPE_CHECKING:
    from tita_cli.network.tita import Tita

_MOST_SKIPS = 10
"""After this many consecutive steps with a loss or gradient that is not finite, the run stops."""


@dataclass(frozen=True, slots=True)
class StepReport:
    """One step. ``pixels``: of all sources in all processes. ``skipped``: why the parameters stay as they are."""

    step: int
    lr: float
    pixels: int
    tasks: Mapping[str, TaskReport]
    grad_norm: Tensor | None = None
    skipped: str | None = None


class Trainer:
    """Network, moving average, optimiser and task weights of a run, and its position.

    All randomness of a step (stochastic depth) is a function of (seed, rank, step), like that of the data, so a resumed
    run repeats an uninterrupted one exactly, and FAMO's second pass over a batch drops the same branches.

    Raises ``TrainingError`` if ``config.init`` does not fit the network.
    """

    def __init__(self, config: TrainingConfig, tasks: tuple[str, ...], workers: Workers) -> None:
        self.config, self.tasks, self.workers = config, tasks, workers
        self.precision = choose_precision(config.precision, workers.device)
        torch.manual_seed(config.seed)
        self.network: nn.Module = build_network(config.network)
        _start(self.network, config)
        _freeze_others(self.network, config.optimizer.only)
        # Tokens and maps of features in the same order: a step of a network for sets takes 8 % less time on a CPU.
        self.network.to(device=workers.device, memory_format=torch.channels_last)
        self.ema = AveragedModel(self.network, multi_avg_fn=_averaging(config.ema))
        self.balance = build_balance(config.famo, len(tasks))
        self.measure = build_measure(config, self.precision, workers.device)
        self.optimizer = _build_optimizer(self.network, config)
        self.position = 0
        self.seconds = 0.0
        self._skips = 0
        self._forward = cast(nn.Module, torch.compile(self.network)) if config.compile else self.network

    @property
    def progress(self) -> float:
        """The completed part of the run, 0..1, by steps or by time, whichever is larger."""
        by_steps = self.position / self.config.steps if self.config.steps else 0.0
        by_time = self.seconds / (60.0 * self.config.minutes) if self.config.minutes else 0.0
        return min(1.0, max(by_steps, by_time))

    def step(self, batches: Mapping[str, Batch]) -> StepReport:
        """Train on one batch of every task.

        A loss or gradient that is not finite leaves parameters, average and task weights unchanged; ``TrainingError``
        after ten such steps in a row.
        """
        step = self.position
        rate = learning_rate(self.config.optimizer, self.config.schedule, step=step, progress=self.progress)
        self.position += 1
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        batches = {task: batches[task].to(self.workers.device) for task in self.tasks}
        pixels = sum(batch.pixels for batch in batches.values()) * self.workers.world

        reports = self._measure(batches, step)
        totals = torch.stack([reports[task].terms["total"] for task in self.tasks])
        losses = self.workers.mean(totals.detach().cpu())
        norm = self._descend(totals, losses) if bool(torch.isfinite(losses).all()) else None
        reports = {task: reports[task].detached() for task in self.tasks}
        if norm is None or not bool(torch.isfinite(norm)):
            reason = self._skip(step, reports, norm)
            return StepReport(step, rate, pixels, reports, skipped=reason)
        self._skips = 0
        self.optimizer.step()
        self.ema.update_parameters(self.network)
        self.balance.stepped(losses, lambda: self._remeasure(batches, step))
        return StepReport(step, rate, pixels, reports, grad_norm=norm)

    def state_dict(self) -> dict[str, Any]:
        """Everything needed to resume, as tensors and plain values only."""
        return {
            "network": self.config.network.to_dict(),
            "tasks": list(self.tasks),
            "famo": self.config.famo,
            "step": self.position,
            "seconds": self.seconds,
            "model": self.network.state_dict(),
            "ema": self.ema.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "balance": self.balance.state_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Resume from a state of the same network and tasks; rates, lengths and losses are the configuration's.

        Raises ``TrainingError`` if the state does not fit.
        """
        own = {"network": self.config.network.to_dict(), "tasks": list(self.tasks), "famo": self.config.famo}
        for key, value in own.items():
            if state[key] != value:
                raise TrainingError(
                    f"the saved state was trained with {key} {state[key]}, the configuration says {value}",
                    hint='to start a new run from its weights, set init = "…/ema.safetensors"',
                )
        with parsing("the saved state, of which the tensors do not fit the network,", TrainingError):
            self.network.load_state_dict(state["model"])
            self.ema.load_state_dict(state["ema"])
            groups = self.optimizer.state_dict()["param_groups"]
            self.optimizer.load_state_dict({"state": state["optimizer"]["state"], "param_groups": groups})
            _lay_out_moments(self.optimizer)
            self.balance.load_state_dict(state["balance"])
        self.position, self.seconds = int(state["step"]), float(state["seconds"])

    def _measure(self, batches: Mapping[str, Batch], step: int) -> dict[str, TaskReport]:
        torch.manual_seed(_step_seed(self.config.seed, self.workers.rank, step))
        return self.measure(self._forward, batches)

    def _remeasure(self, batches: Mapping[str, Batch], step: int) -> Tensor:
        with torch.no_grad():
            reports = self._measure(batches, step)
        return self.workers.mean(torch.stack([reports[task].terms["total"] for task in self.tasks]).cpu())

    def _descend(self, totals: Tensor, losses: Tensor) -> Tensor:
        """Compute the clipped gradients of the weighted losses; returns their norm before clipping."""
        self.optimizer.zero_grad(set_to_none=True)
        factors = self.balance.factors(losses)
        torch.autograd.backward((factors.to(totals.device) * totals).sum())
        self.workers.average_gradients(self.network.parameters())
        clip = self.config.optimizer.clip or float("inf")
        return nn.utils.clip_grad_norm_(self.network.parameters(), clip)

    def _skip(self, step: int, reports: Mapping[str, TaskReport], norm: Tensor | None) -> str:
        reason = f"step {step}: {_what_is_not_finite(reports, norm)}"
        self._skips += 1
        if self._skips >= _MOST_SKIPS:
            raise TrainingError(
                f"{reason}; the {_MOST_SKIPS - 1} steps before were skipped for the same reason, so the run stops",
                hint="resume from the last state with a lower learning rate, or check the data",
            )
        return reason


def _averaging(decay: float) -> Callable[[Any, Any, Any], None]:
    """An exponential moving average whose decay grows with its age, so that the first steps lose weight fast."""

    @torch.no_grad()
    def average(averaged: list[Tensor], current: list[Tensor], count: Tensor) -> None:
        age = int(count)
        torch._foreach_lerp_(averaged, current, 1.0 - min(decay, (1 + age) / (10 + age)))

    return average


def _freeze_others(network: nn.Module, only: str) -> None:
    """Freeze all parameters except those whose names begin with ``only``."""
    trained = [name for name, parameter in network.named_parameters() if name.startswith(only)]
    if not trained:
        raise TrainingError(f"optimizer.only: no parameter begins with {only!r}")
    for name, parameter in network.named_parameters():
        parameter.requires_grad_(name in trained)


def _build_optimizer(network: nn.Module, config: TrainingConfig) -> torch.optim.Optimizer:
    trained = [p for p in network.parameters() if p.requires_grad]
    matrices, others = [p for p in trained if p.ndim >= 2], [p for p in trained if p.ndim < 2]
    options = config.optimizer
    groups = [{"params": matrices, "weight_decay": options.weight_decay}, {"params": others, "weight_decay": 0.0}]
    kind = torch.optim.AdamW if options.name == "adamw" else torch.optim.Adam
    return kind(groups, lr=options.lr, betas=(options.beta1, options.beta2), fused=True)


def _lay_out_moments(optimizer: torch.optim.Optimizer) -> None:
    """Order the moments in memory as their parameters: fused optimisers walk through both by address."""
    for parameter, state in optimizer.state.items():
        for name, tensor in state.items():
            if tensor.shape == parameter.shape and tensor.stride() != parameter.stride():
                state[name] = torch.empty_like(parameter, dtype=tensor.dtype).copy_(tensor)


def _start(network: nn.Module, config: TrainingConfig) -> None:
    from tita_cli.models.checkpoint import load_network
    from tita_cli.training.start import start_as_average

    path = config.init
    if config.start == "average":
        if path is not None or not is_for_pairs(config):
            raise TrainingError('start = "average" is for a network for pairs ("tita"), without init')
        start_as_average(cast("Tita", network))
    if path is None:
        return
    try:
        start = load_network(path)
    except ModelError as error:
        raise TrainingError(f"init: {error.message}", hint=error.hint) from error
    try:
        network.load_state_dict(start.network.state_dict())
    except RuntimeError as error:
        raise TrainingError(
            f"init: {path} holds {start.config.to_dict()}, the configuration asks for {config.network.to_dict()}",
            hint="give [network] the sizes of the checkpoint",
        ) from error


def _step_seed(seed: int, rank: int, step: int) -> int:
    return int(np.random.SeedSequence([seed, rank, step]).generate_state(1, np.uint64)[0] >> np.uint64(1))


def _what_is_not_finite(reports: Mapping[str, TaskReport], norm: Tensor | None) -> str:
    for task, report in reports.items():
        for term, value in report.terms.items():
            if term != "total" and not bool(torch.isfinite(value)):
                return f"the loss {task}.{term} is {float(value)}"
    if norm is not None:
        return f"the norm of the gradient is {float(norm)}"
    return "a loss of another process is not finite"

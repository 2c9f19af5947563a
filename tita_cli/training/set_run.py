"""Train a network for sets: python -m tita_cli.training.set_run CONFIG.toml --data DIR --out DIR [--minutes M].

Goes on from the state in ``--out`` if there is one. The batches are a function of (seed, step).
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, IterableDataset

from tita_cli.models.checkpoint import save_network
from tita_cli.network.config import NetworkConfig
from tita_cli.network.tita_set import TitaSet, blend
from tita_cli.training.famo import build_balance
from tita_cli.training.manifest import TASKS, Entry, Manifest
from tita_cli.training.set_losses import set_losses
from tita_cli.training.set_sample import SetSample, draw_set
from tita_cli.training.sources import load_sources

_COUNTS = (2, 2, 2, 3, 3, 4, 5, 6, 8)
"""Sources of a sample, as often as they stand here."""
_LOG_EVERY, _SAVE_SECONDS = 25, 300

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

Batch = Mapping[str, Tensor]


class SetData(IterableDataset[dict[str, Batch]]):
    """A batch of about ``frames`` frames for every task, from step ``start`` on."""

    def __init__(self, entries: Sequence[Entry], crop: int, frames: int, seed: int, start: int) -> None:
        self._sources = load_sources(entries, crop=crop)
        self._crop, self._frames, self._seed, self._start = crop, frames, seed, start

    def __iter__(self) -> Iterator[dict[str, Batch]]:
        import cv2

        cv2.setNumThreads(1)
        torch.set_num_threads(1)
        step = self._start
        while True:
            yield {task: self._batch(task, step) for task in TASKS}
            step += 1

    def _batch(self, task: str, step: int) -> Batch:
        rng = np.random.default_rng([self._seed, step, TASKS.index(task)])
        count = 2 if task == "ivf" else int(rng.choice(_COUNTS))
        usable = [s for s in self._sources if s.entry.task == task and _has_sets_of(count, s.entry)]
        weights = np.array([s.entry.weight for s in usable])
        samples = []
        for _ in range(max(1, round(self._frames / count))):
            source = usable[int(rng.choice(len(usable), p=weights / weights.sum()))]
            scene = source.scenes[rng.integers(len(source.scenes))]
            samples.append(draw_set(source.entry, scene, self._crop, count, rng))
        size = min(len(s.frames) for s in samples)
        return _collate([s for s in samples if len(s.frames) == size])


def _has_sets_of(count: int, entry: Entry) -> bool:
    return count == 2 or entry.kind == "stills" or (entry.kind == "series" and count <= 4)


def _collate(samples: Sequence[SetSample]) -> Batch:
    def stacked(planes: Sequence[Any]) -> Tensor:
        return torch.from_numpy(np.stack(planes))

    batch = {"frames": stacked([s.frames for s in samples]), "target": stacked([s.target for s in samples])[:, None]}
    batch |= {name: stacked([getattr(s, name) for s in samples]) for name in ("role", "hidden")}
    if all(s.masks is not None for s in samples):
        batch["masks"] = stacked([s.masks for s in samples])
    if all(s.hot is not None for s in samples):
        batch["hot"] = stacked([s.hot for s in samples])[:, None]
    return batch


class SetTrainer:
    """Network, moving average, optimiser and task weights, and what a file of state holds of them."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        self.config = config
        torch.manual_seed(config["seed"])
        sizes = NetworkConfig.from_name("tita-set", **config.get("network", {}))
        self.network, self.average = TitaSet(sizes), TitaSet(sizes)
        self.average.load_state_dict(self.network.state_dict())
        matrices = [p for p in self.network.parameters() if p.ndim >= 2]
        others = [p for p in self.network.parameters() if p.ndim < 2]
        self.optimizer = torch.optim.AdamW(
            [{"params": matrices, "weight_decay": 0.01}, {"params": others, "weight_decay": 0.0}],
            lr=config["lr"], betas=(0.9, 0.99), fused=True,
        )  # fmt: skip
        self.balance = build_balance("next-batch", len(TASKS))
        self.position = 0
        self.network.train()

    def step(self, batch: Mapping[str, Batch], rate: float) -> dict[str, float]:
        """One step on a batch of every task; returns the named losses. Losses that are no numbers change nothing."""
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        torch.manual_seed(self.config["seed"] * 1_000_003 + self.position)
        terms = {task: self._losses(task, batch[task]) for task in TASKS}
        totals = torch.stack([terms[task]["total"] for task in TASKS])
        self.position += 1
        if bool(torch.isfinite(totals).all()):
            self._descend(totals)
        return {f"{task}.{name}": float(value) for task in TASKS for name, value in terms[task].items()}

    def _losses(self, task: str, batch: Batch) -> dict[str, Tensor]:
        frames = batch["frames"]
        with torch.autocast("cpu", torch.bfloat16, enabled=self.config.get("bf16", True)):
            output = self.network(frames, batch["hidden"], batch["role"])
        fused, residual = blend(frames, output)
        return set_losses(task, frames, fused, residual, output, batch["target"], batch.get("masks"), batch.get("hot"))

    def _descend(self, totals: Tensor) -> None:
        losses = totals.detach()
        self.optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward((self.balance.factors(losses) * totals).sum())
        norm = nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        if not bool(torch.isfinite(norm)):
            return
        self.optimizer.step()
        keep = min(self.config["ema"], (1 + self.position) / (10 + self.position))
        with torch.no_grad():
            torch._foreach_lerp_(list(self.average.parameters()), list(self.network.parameters()), 1 - keep)
        self.balance.stepped(losses, lambda: losses)

    def save(self, folder: Path) -> None:
        """``state.pt``, with the optimiser's moments in bf16, and ``ema.safetensors``."""
        moments = {
            k: {n: v.to(torch.bfloat16) if v.ndim else v for n, v in s.items()}
            for k, s in self.optimizer.state_dict()["state"].items()
        }
        state = {
            "network": self.network.state_dict(), "average": self.average.state_dict(), "optimizer": moments,
            "balance": self.balance.state_dict(), "step": self.position,
        }  # fmt: skip
        new = folder / "state.new"
        torch.save(state, new)
        new.replace(folder / "state.pt")
        about = {"steps": str(self.position), "seed": str(self.config["seed"])}
        save_network(folder / "ema.safetensors", self.average.state_dict(), self.average.config, about)

    def resume(self, folder: Path) -> None:
        """Go on from :meth:`save`'s state."""
        state = torch.load(folder / "state.pt", weights_only=True)
        self.network.load_state_dict(state["network"])
        self.average.load_state_dict(state["average"])
        moments = {k: {n: v.float() for n, v in s.items()} for k, s in state["optimizer"].items()}
        groups = self.optimizer.state_dict()["param_groups"]
        self.optimizer.load_state_dict({"state": moments, "param_groups": groups})
        self.balance.load_state_dict(state["balance"])
        self.position = state["step"]


def train(config: Mapping[str, Any], data: Path, out: Path, minutes: float) -> None:
    """Train for so many minutes. ``config``: see weights/training/tita-set.toml."""
    out.mkdir(parents=True, exist_ok=True)
    trainer = SetTrainer(config)
    if (out / "state.pt").exists():
        trainer.resume(out)
    began, started = trainer.position, time.monotonic()
    entries = Manifest.from_tables(config["data"], root=data).entries
    batches = SetData(entries, config["crop"], config["frames"], config["seed"], began)
    loader = iter(DataLoader(batches, batch_size=None, num_workers=1, prefetch_factor=4))
    last = saved = started
    pixels, sums = 0, Counter[str]()
    while time.monotonic() - started < 60 * minutes:
        batch = next(loader)
        progress = (time.monotonic() - started) / (60 * minutes)
        rate = _rate(config, trainer.position - began, progress)
        sums.update(trainer.step(batch, rate))
        pixels += sum(b["frames"].numel() for b in batch.values())
        now = time.monotonic()
        if trainer.position % _LOG_EVERY == 0:
            with (out / "log.jsonl").open("a") as log:
                means = {name: round(value / _LOG_EVERY, 4) for name, value in sums.items()}
                row = {"step": trainer.position, "lr": rate, "source_pixels_s": round(pixels / (now - last)), **means}
                log.write(json.dumps(row) + "\n")
            last, pixels, sums = now, 0, Counter()
        if now - saved > _SAVE_SECONDS:
            saved = now
            trainer.save(out)
    trainer.save(out)


def _rate(config: Mapping[str, Any], steps: int, progress: float) -> float:
    """A warm-up, a constant rate, and over the last part ``decay`` of the time a line to nothing."""
    rate = float(config["lr"]) * min(1.0, (steps + 1) / float(config.get("warmup", 100)))
    decay = float(config.get("decay", 0.0))
    return rate * max(float(1 - progress) / decay, 0.01) if decay and progress > 1 - decay else rate


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float)
    options = parser.parse_args()
    config = tomllib.loads(options.config.read_text("utf-8"))
    train(config, options.data, options.out, options.minutes or config["minutes"])


if __name__ == "__main__":
    main()

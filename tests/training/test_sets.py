"""Networks for sets train as those for pairs do: batches, steps, resuming, distillation."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from tita_cli.errors import TrainingError
from tita_cli.models.checkpoint import save_network
from tita_cli.network import NetworkConfig, build_network
from tita_cli.network.tita_lite import MULTIPLE
from tita_cli.training.config import Losses, TrainingConfig
from tita_cli.training.data import TrainingData
from tita_cli.training.kinds import build_draw
from tita_cli.training.manifest import Manifest
from tita_cli.training.set_losses import WEIGHTS
from tita_cli.training.sets import SetBatch
from tita_cli.training.state import export_state, load_state, save_state
from tita_cli.training.trainer import Trainer
from tita_cli.training.workers import Workers

TINY = NetworkConfig("tita-lite", dim=16, heads=2, extract=1, fuse=(1,), reconstruct=1, drop_path=0.1)
PAIRS = {"task": "ivf", "kind": "pairs", "a": "a", "b": "b"}
SERIES = {"task": "mef", "kind": "series", "scenes": "brackets"}
STILLS = {"task": "mff", "kind": "stills", "stills": "a"}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("images")
    rng = np.random.default_rng(3)
    for n in range(2):
        image = cv2.resize(rng.integers(0, 256, (20, 24), dtype=np.uint8), (96, 80), interpolation=cv2.INTER_CUBIC)
        shots = {f"brackets/{n}/{k}": np.clip(image * level, 0, 255) for k, level in enumerate((0.4, 1.0, 1.7))}
        for name, plane in {f"a/{n}": image, f"b/{n}": 255 - image, **shots}.items():
            path = folder / f"{name}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            assert cv2.imwrite(str(path), plane.astype(np.uint8))
    return folder


def configuration(root: Path, *tables: dict[str, Any], **changes: Any) -> TrainingConfig:
    manifest = Manifest.from_tables(list(tables or (PAIRS, SERIES, STILLS)), root=root)
    config = TrainingConfig(
        TINY, manifest, steps=4, crop=MULTIPLE, frames=4, counts=(2, 3), seed=5, famo="next-batch",
        precision="fp32", device="cpu", workers=0,
    )  # fmt: skip
    return replace(config, **changes)


def data(config: TrainingConfig) -> TrainingData:
    return TrainingData(config.manifest, build_draw(config), crop=config.crop, seed=config.seed, workers=config.workers)


def trained(config: TrainingConfig, until: int, state: dict[str, Any] | None = None) -> Trainer:
    trainer = Trainer(config, config.manifest.tasks, Workers(torch.device("cpu")))
    if state is not None:
        trainer.load_state_dict(state)
    with data(config) as batches:
        while trainer.position < until:
            report = trainer.step(batches.batch(trainer.position))
            assert report.skipped is None
            assert all(set(task.terms) == {"total", *WEIGHTS[name]} for name, task in report.tasks.items())
            assert all(float(task.oaf.sum()) == pytest.approx(1, abs=1e-3) for task in report.tasks.values())
    return trainer


def test_batches_have_the_wanted_numbers_of_sources(root: Path) -> None:
    config = configuration(root, frames=6, counts=(2, 3, 6))
    with data(config) as batches:
        seen: dict[str, set[tuple[int, ...]]] = {"ivf": set(), "mef": set(), "mff": set()}
        for step in range(8):
            for task, batch in batches.batch(step).items():
                assert isinstance(batch, SetBatch)
                seen[task].add(tuple(batch.frames.shape[:2]))
                assert batch.target.shape == (len(batch.frames), 1, MULTIPLE, MULTIPLE)
                assert batch.pixels == batch.frames.numel()
                assert (batch.masks is not None) == (task == "mff")
    assert seen == {"ivf": {(3, 2)}, "mef": {(3, 2), (2, 3)}, "mff": {(3, 2), (2, 3), (1, 6)}}


def test_a_resumed_run_repeats_the_straight_one(root: Path, tmp_path: Path) -> None:
    config = configuration(root)
    straight = trained(config, 4)
    save_state(tmp_path, trained(config, 2).state_dict(), keep=0)
    resumed = trained(config, 4, load_state(tmp_path / "last.pt"))
    for mine, theirs in ((resumed.network, straight.network), (resumed.ema, straight.ema)):
        other = theirs.state_dict()
        assert [name for name, tensor in mine.state_dict().items() if not torch.equal(tensor, other[name])] == []


def test_how_a_state_lies_in_memory_makes_no_difference(root: Path) -> None:
    config = configuration(root)
    straight, state = trained(config, 4), trained(config, 2).state_dict()
    for moments in state["optimizer"]["state"].values():
        moments.update({name: tensor.contiguous() for name, tensor in moments.items()})
    resumed, other = trained(config, 4, state).network.state_dict(), straight.network.state_dict()
    assert [name for name, tensor in resumed.items() if not torch.equal(tensor, other[name])] == []


def test_a_compact_state_takes_ten_bytes_a_parameter_and_trains_on(root: Path, tmp_path: Path) -> None:
    config = configuration(root)
    trainer = trained(config, 2)
    save_state(tmp_path, trainer.state_dict(), keep=0)
    export_state(tmp_path / "last.pt", tmp_path / "small.pt", overwrite=False)
    state, saved = load_state(tmp_path / "small.pt"), trainer.state_dict()
    tensors = [*state["model"].values(), *(m for s in state["optimizer"]["state"].values() for m in s.values())]
    per_parameter = sum(t.numel() * t.element_size() for t in tensors) / sum(t.numel() for t in state["model"].values())
    assert per_parameter == pytest.approx(8, abs=0.1)  # and two of the average, in the file
    for name, tensor in state["ema"].items():
        torch.testing.assert_close(tensor, saved["ema"][name], atol=1e-5, rtol=0)
    trained(config, 3, state)


def test_weights_of_losses_come_from_the_configuration(root: Path) -> None:
    config = configuration(root, PAIRS)
    with data(config) as batches:
        batch = batches.batch(0)
    changed = replace(config, losses=Losses("truth", {"ivf": {"base": 2 * WEIGHTS["ivf"]["base"]}}))
    one, other = (Trainer(c, ("ivf",), Workers(torch.device("cpu"))).step(batch) for c in (config, changed))
    assert float(other.tasks["ivf"].terms["base"]) == pytest.approx(2 * float(one.tasks["ivf"].terms["base"]))
    with pytest.raises(TrainingError, match=r"losses\.ivf\.gate"):
        Trainer(replace(config, losses=Losses("", {"ivf": {"gate": 1.0}})), ("ivf",), Workers(torch.device("cpu")))
    with pytest.raises(TrainingError, match="paper"):
        Trainer(replace(config, losses=Losses("paper")), ("ivf",), Workers(torch.device("cpu")))


@pytest.mark.parametrize("student", ["tita", "tita-lite"])
@pytest.mark.parametrize("teacher", ["tita", "tita-lite"])
def test_a_network_learns_from_another_ones_pictures(root: Path, tmp_path: Path, student: str, teacher: str) -> None:
    sizes = replace(TINY, variant=teacher)
    torch.manual_seed(2)
    path = tmp_path / "teacher.safetensors"
    save_network(path, build_network(sizes).state_dict(), sizes, {})
    config = configuration(root, PAIRS, network=replace(TINY, variant=student), teacher=path, counts=(2,))
    with data(config) as batches:
        batch = batches.batch(0)
    terms = Trainer(config, ("ivf",), Workers(torch.device("cpu"))).step(batch).tasks["ivf"].terms
    parts = sum(float(value) for name, value in terms.items() if name != "total")
    assert float(terms["teacher"]) > 0 and float(terms["total"]) == pytest.approx(parts, rel=1e-4)


def test_what_a_network_for_sets_cannot_use_is_refused(root: Path) -> None:
    with pytest.raises(TrainingError, match="multiple of 64"):
        build_draw(configuration(root, crop=48))
    for table in (PAIRS | {"reference": False}, PAIRS | {"task": "mff"}):
        with pytest.raises(TrainingError, match="truth or reference"):
            build_draw(configuration(root, table))

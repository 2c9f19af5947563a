from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from tita_cli.errors import DeviceError, TrainingError
from tita_cli.models.checkpoint import save_network
from tita_cli.network import NetworkConfig, build_network
from tita_cli.training.config import Optimizer, Schedule, TrainingConfig
from tita_cli.training.manifest import Manifest
from tita_cli.training.pairs import PairBatch
from tita_cli.training.precision import has_bf16
from tita_cli.training.state import export_state, load_state, save_state
from tita_cli.training.trainer import Trainer
from tita_cli.training.workers import Workers

TASKS = ("ivf", "mef", "mff")
CPU = Workers(torch.device("cpu"))
TINY = NetworkConfig(variant="tita", dim=8, heads=2, extract=1, fuse=(1,), reconstruct=1, drop_path=0.3)
CONFIG = TrainingConfig(
    TINY, Manifest(()), steps=6, seed=5, precision="fp32", device="cpu", schedule=Schedule(warmup=2)
)  # fmt: skip


def batches(step: int, sizes: Mapping[str, int] | None = None) -> dict[str, PairBatch]:
    """Two crops a task, a pure function of the step."""
    random = torch.Generator().manual_seed(step)

    def image(size: int) -> Tensor:
        return torch.rand(2, 1, size, size, generator=random)

    made = {}
    for task in TASKS:
        size = (sizes or {}).get(task, 16)
        made[task] = PairBatch(
            image(size), image(size), image(size), torch.ones(2), image(size), torch.ones(2), image(size)
        )
    return made


def run(trainer: Trainer, until: int) -> Trainer:
    while trainer.position < until:
        trainer.step(batches(trainer.position))
    return trainer


def new(config: TrainingConfig = CONFIG) -> Trainer:
    return Trainer(config, TASKS, CPU)


def weights(trainer: Trainer) -> dict[str, Tensor]:
    return {f"ema {k}": v for k, v in trainer.ema.state_dict().items()} | trainer.network.state_dict()


def assert_same(one: Trainer, other: Trainer) -> None:
    mine, theirs = weights(one), weights(other)
    assert mine.keys() == theirs.keys()
    assert [name for name in mine if not torch.equal(mine[name], theirs[name])] == []
    assert torch.equal(one.balance.weights, other.balance.weights)


@pytest.mark.parametrize(
    "config",
    [
        CONFIG,
        replace(CONFIG, famo="next-batch", optimizer=Optimizer(name="adam", lr=1e-3, clip=0)),
        replace(CONFIG, famo="equal", optimizer=Optimizer(weight_decay=0.1), schedule=Schedule(kind="constant")),
    ],
    ids=["same-batch", "next-batch", "equal"],
)
def test_resuming_gives_the_bits_of_the_straight_run(tmp_path: Path, config: TrainingConfig) -> None:
    straight = run(new(config), 6)
    save_state(tmp_path, run(new(config), 3).state_dict(), keep=0)
    torch.manual_seed(999)  # whatever another process did with its random numbers
    resumed = new(config)
    resumed.load_state_dict(load_state(tmp_path / "last.pt"))
    assert resumed.position == 3
    assert_same(run(resumed, 6), straight)


def test_another_seed_gives_another_network() -> None:
    one, other = new(), new(replace(CONFIG, seed=6))
    assert not torch.equal(one.network.state_dict()["last1.weight"], other.network.state_dict()["last1.weight"])


def test_training_lowers_the_losses() -> None:
    config = replace(CONFIG, steps=40, optimizer=Optimizer(lr=3e-3), network=replace(TINY, drop_path=0.0))
    trainer = new(config)
    totals = [
        sum(float(task.terms["total"]) for task in trainer.step(batches(0)).tasks.values()) for _ in range(40)
    ]  # fmt: skip
    assert totals[-1] < 0.8 * totals[0]


def test_tasks_with_crops_of_other_sizes_train_together() -> None:
    trainer = new(replace(CONFIG, network=replace(TINY, drop_path=0.0)))
    report = trainer.step(batches(0, {"mef": 32}))
    assert report.skipped is None and tuple(report.tasks) == TASKS
    assert report.pixels == 4 * (16 * 16 + 32 * 32 + 16 * 16)
    alone = new(replace(CONFIG, network=replace(TINY, drop_path=0.0))).step(batches(0))
    torch.testing.assert_close(report.tasks["ivf"].terms["total"], alone.tasks["ivf"].terms["total"])


def test_the_second_look_at_a_batch_drops_the_same_branches() -> None:
    """With a rate too small to move a weight, the losses after a step are those before it: FAMO learns nothing."""
    trainer = run(new(replace(CONFIG, optimizer=Optimizer(lr=1e-12))), 3)
    assert torch.equal(trainer.balance.weights, torch.full((3,), 1 / 3))


def test_report_names_terms_and_oaf_weights() -> None:
    report = new().step(batches(0))
    assert set(report.tasks["mef"].terms) == {"total", "intensity", "gradient", "structure"}
    assert report.tasks["mef"].oaf.shape == (6,)
    assert float(report.tasks["mef"].oaf.sum()) == pytest.approx(1.0, abs=1e-5)


def test_average_lags_behind_and_forgets_the_start() -> None:
    trainer = new()
    start = trainer.network.state_dict()["last1.weight"].clone()
    run(trainer, 6)
    now, mean = trainer.network.state_dict()["last1.weight"], trainer.ema.module.state_dict()["last1.weight"]
    assert 0 < float((mean - now).norm()) < float((start - now).norm())


def spoil(batch: dict[str, PairBatch], task: str = "mef") -> dict[str, PairBatch]:
    return batch | {task: replace(batch[task], a=torch.full_like(batch[task].a, float("nan")))}


def test_a_loss_that_is_no_number_changes_nothing_and_is_reported() -> None:
    trainer = run(new(), 2)
    before = {name: tensor.clone() for name, tensor in weights(trainer).items()}
    report = trainer.step(spoil(batches(2)))
    assert report.skipped is not None and "mef." in report.skipped and "nan" in report.skipped
    after = weights(trainer)
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert trainer.step(batches(3)).skipped is None


def test_ten_skipped_steps_in_a_row_end_the_run() -> None:
    trainer = new()
    for step in range(9):
        assert trainer.step(spoil(batches(step), "ivf")).skipped
    with pytest.raises(TrainingError, match="ivf"):
        trainer.step(spoil(batches(9), "ivf"))


def test_a_gradient_that_is_no_number_is_skipped_too() -> None:
    trainer = new()
    trainer.measure.losses = lambda task, output, batch: {"total": (output.fused * 0).sqrt().sum() + 1.0}
    report = trainer.step(batches(0))
    assert report.skipped is not None and "gradient" in report.skipped


def test_progress_is_by_steps_or_time_whichever_is_further() -> None:
    trainer = new(replace(CONFIG, steps=10, minutes=1.0))
    trainer.position, trainer.seconds = 2, 30.0
    assert trainer.progress == 0.5
    trainer.position = 7
    assert trainer.progress == 0.7
    trainer.seconds = 90.0
    assert trainer.progress == 1.0


def test_start_from_a_checkpoint(tmp_path: Path) -> None:
    torch.manual_seed(1)
    other = build_network(TINY)
    path = tmp_path / "start.safetensors"
    save_network(path, other.state_dict(), TINY, {})
    trainer = new(replace(CONFIG, init=path))
    for state in (trainer.network.state_dict(), trainer.ema.module.state_dict()):
        assert all(torch.equal(tensor, state[name]) for name, tensor in other.state_dict().items())
    with pytest.raises(TrainingError, match="init"):
        new(replace(CONFIG, init=path, network=replace(TINY, dim=16)))
    with pytest.raises(TrainingError, match="init"):
        new(replace(CONFIG, init=tmp_path / "none.safetensors"))


def test_only_what_is_named_is_trained() -> None:
    trainer = new(replace(CONFIG, optimizer=Optimizer(only="oaf.weigh_mlp.")))
    before = {name: tensor.clone() for name, tensor in trainer.network.state_dict().items()}
    run(trainer, 2)
    changed = {name for name, tensor in trainer.network.state_dict().items() if not torch.equal(tensor, before[name])}
    assert changed == {f"oaf.weigh_mlp.fc{i}.{part}" for i in (1, 2) for part in ("weight", "bias")}
    with pytest.raises(TrainingError, match="only"):
        new(replace(CONFIG, optimizer=Optimizer(only="nothing")))


def test_precision_follows_the_processor() -> None:
    cpu = torch.device("cpu")
    assert new(replace(CONFIG, precision="auto")).precision == ("bf16" if has_bf16(cpu) else "fp32")
    if not has_bf16(cpu):
        with pytest.raises(DeviceError, match="bf16"):
            new(replace(CONFIG, precision="bf16"))


def test_bf16_keeps_losses_in_fp32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tita_cli.training.precision.has_bf16", lambda device: True)
    trainer = new(replace(CONFIG, precision="bf16"))
    report = trainer.step(batches(0))
    assert report.skipped is None
    assert report.tasks["ivf"].terms["total"].dtype == torch.float32
    assert all(p.dtype == torch.float32 for p in trainer.network.parameters())


@pytest.mark.parametrize(
    "changes",
    [{"network": replace(TINY, dim=16)}, {"famo": "equal"}],
    ids=["network", "famo"],
)
def test_a_state_of_another_run_is_refused(changes: dict[str, Any]) -> None:
    state = run(new(), 1).state_dict()
    with pytest.raises(TrainingError, match=next(iter(changes))):
        new(replace(CONFIG, **changes)).load_state_dict(state)


def test_a_state_with_foreign_tensors_is_refused() -> None:
    state = run(new(), 1).state_dict()
    state["model"] = {"x": torch.zeros(1)}
    with pytest.raises(TrainingError, match="damaged"):
        new().load_state_dict(state)


def test_numbered_states_are_kept_and_cleared(tmp_path: Path) -> None:
    trainer = new()
    for step in range(1, 5):
        save_state(tmp_path, run(trainer, step).state_dict(), keep=2)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["last.pt", "state-00000003.pt", "state-00000004.pt"]
    assert load_state(tmp_path / "last.pt")["step"] == 4
    save_state(tmp_path, trainer.state_dict(), keep=0)
    assert [p.name for p in tmp_path.iterdir()] == ["last.pt"]


def test_an_exported_state_is_smaller_and_trains_on(tmp_path: Path) -> None:
    save_state(tmp_path, run(new(), 3).state_dict(), keep=0)
    small = tmp_path / "small.pt"
    export_state(tmp_path / "last.pt", small, overwrite=False)
    assert small.stat().st_size < (tmp_path / "last.pt").stat().st_size
    trainer = new()
    trainer.load_state_dict(load_state(small))
    assert all(m["exp_avg"].dtype == torch.float32 for m in trainer.optimizer.state_dict()["state"].values())
    straight = run(new(), 5)
    for name, tensor in weights(run(trainer, 5)).items():
        torch.testing.assert_close(tensor, weights(straight)[name], atol=2e-4, rtol=1e-3)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 torn", b"\x80\x04junk"])
def test_a_damaged_state_is_one_clear_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "last.pt"
    path.write_bytes(content)
    with pytest.raises(TrainingError, match=r"last\.pt") as caught:
        load_state(path)
    assert "\n" not in caught.value.message


def test_a_state_cannot_run_code(tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.touch, (tmp_path / "boom",))

    torch.save({"format": "tita-training-1", "x": Bomb()}, tmp_path / "last.pt")
    with pytest.raises(TrainingError, match="refused"):
        load_state(tmp_path / "last.pt")
    assert not (tmp_path / "boom").exists()


def test_a_checkpoint_is_no_state(tmp_path: Path) -> None:
    torch.save({"params": {"w": torch.zeros(2)}}, tmp_path / "last.pt")
    with pytest.raises(TrainingError, match="not a training state"):
        load_state(tmp_path / "last.pt")


@pytest.mark.parametrize(
    "key", ["network", "tasks", "step", "seconds", "model", "ema", "optimizer", "balance", "format"]
)
@pytest.mark.parametrize("odd", [None, [], {}, {"state": {0: 3}}, {"state": {0: {"exp_avg": 1}}}, "text", float("nan")])
def test_a_state_of_odd_types_is_refused(key: str, odd: Any, tmp_path: Path) -> None:
    state = {
        "format": "tita-training-1", "network": {}, "tasks": [], "step": 1, "seconds": 1.0, "model": {}, "ema": {},
        "optimizer": {"state": {}}, "balance": {},
    }  # fmt: skip
    torch.save({**state, key: odd}, tmp_path / "last.pt")
    trainer = Trainer(CONFIG, TASKS, CPU)
    with pytest.raises(TrainingError):
        trainer.load_state_dict(load_state(tmp_path / "last.pt"))

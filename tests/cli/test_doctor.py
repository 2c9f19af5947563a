"""``tita doctor``: its report and its exit code."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

import pytest

from tita_cli.cli import doctor_checks as doctor
from tita_cli.cli.main import run as tita
from tita_cli.models import find as models
from tita_cli.runtime.device import Driver


@pytest.fixture
def weights(tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A shipped model that is quick to test."""
    data = tiny_model.read_bytes()
    (tmp_path / "tiny.safetensors").write_bytes(data)
    (tmp_path / models.SUMS).write_text(f"{hashlib.sha256(data).hexdigest()}  tiny.safetensors\n")
    for module in (models, doctor):
        monkeypatch.setattr(module, "weights_folder", lambda: tmp_path)
    monkeypatch.setattr(doctor, "_SECONDS", 0.01)
    models.file_hash.cache_clear()
    return tmp_path


def test_a_healthy_installation(weights: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert tita(["doctor", "--json"]) == 0
    found = json.loads(capfd.readouterr().out)
    assert found["problems"] == []
    assert found["weights"]["tiny.safetensors"]["intact"]
    assert found["providers"]["CPUExecutionProvider"] == "loaded"
    (test,) = found["backends"]
    assert (test["backend"], test["device"]) == ("torch", "cpu")
    assert test["mp_per_s"] > 0
    assert found["processor"]["usable_cores"] >= 1
    assert found["memory"]["free"] > 0
    assert {"torch", "numpy"} <= set(found["packages"])


def test_damaged_weights_are_a_problem(weights: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (weights / "tiny.safetensors").write_bytes(b"damaged")
    models.file_hash.cache_clear()
    assert tita(["doctor"]) == 7
    shown = capfd.readouterr().out
    assert "DAMAGED" in shown
    assert "PROBLEM" in shown
    assert "everything works" not in shown


def test_whatever_a_back_end_dies_of_is_a_problem_and_no_crash(
    weights: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("CUDA error: no kernel image is available for execution on the device")

    monkeypatch.setattr("tita_cli.runtime.engine.load_engine", broken)
    assert tita(["doctor"]) == 7
    assert "no kernel image" in capfd.readouterr().out


def test_only_what_is_taken_by_default_is_tried_unless_all_is_wanted(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("torch")
    monkeypatch.setattr(doctor, "ask_driver", lambda: Driver(problem="no CUDA: none here"))
    tried: list[str] = []

    def load(name: str, *, backend: str, device: str) -> None:
        tried.append(f"{name} on {backend}, {device}")
        raise RuntimeError("enough")

    monkeypatch.setattr("tita_cli.runtime.engine.load_engine", load)
    assert tita(["doctor"]) == tita(["doctor", "--all"]) == 7
    assert tried == ["tita-lite on onnx, cpu"] * 2 + ["tita-lite on torch, cpu"]


@pytest.mark.parametrize(
    ("missing", "said"),
    [((), []), (("onnx",), ["onnx is not installed, and tita export needs it: pip install onnx"])],
)
def test_what_only_export_needs_is_told(
    missing: tuple[str, ...], said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "find_spec", lambda name: None if name in missing else object())
    assert doctor._remarks() == said


def test_without_a_gpu_and_without_torch_all_is_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.setattr(doctor, "ask_driver", lambda: Driver(problem="no CUDA: the NVIDIA driver is not there"))
    monkeypatch.setattr(doctor, "_SECONDS", 0.01)
    assert tita(["doctor"]) == 0
    shown = capfd.readouterr().out
    assert "none, the CPU is used (the NVIDIA driver is not there)" in shown
    assert "PyTorch is not installed" in shown
    assert "(docs/how-to/install.md has the smaller build for the CPU)" in shown
    assert shown.endswith("everything works\n")

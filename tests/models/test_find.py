"""Which file a model's name stands for."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from tita_cli.errors import ModelError
from tita_cli.models import find as models


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    lines = []
    for name in ("light.onnx", "light.safetensors", "heavy.safetensors"):
        (tmp_path / name).write_bytes(name.encode())
        lines.append(f"{hashlib.sha256(name.encode()).hexdigest()}  {name}\n")
    lines.append(f"{'0' * 64}  MODEL_CARD.md\n")
    (tmp_path / models.SUMS).write_text("".join(lines))
    monkeypatch.setattr(models, "weights_folder", lambda: tmp_path)
    models.file_hash.cache_clear()
    return tmp_path


def test_a_shipped_name_is_its_first_file_or_the_format_asked_for(weights: Path) -> None:
    assert list(models.shipped_models()) == ["heavy", "light"]
    assert models.find_model("light") == weights / "light.onnx"
    assert models.find_model("light", suffix=".safetensors") == weights / "light.safetensors"
    with pytest.raises(ModelError, match=r"heavy is not shipped as \.onnx"):
        models.find_model("heavy", suffix=".onnx")


def test_a_damaged_shipped_file_is_refused(weights: Path) -> None:
    (weights / "light.onnx").write_bytes(b"light")
    with pytest.raises(ModelError, match="damaged"):
        models.find_model("light")


def test_only_what_came_with_tita_and_is_whole_counts_as_shipped(weights: Path, tmp_path: Path) -> None:
    assert models.is_shipped(weights / "light.onnx")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for name in ("light.onnx", models.SUMS):  # sums that somebody put beside a file vouch for nothing
        (elsewhere / name).write_bytes((weights / name).read_bytes())
    assert not models.is_shipped(elsewhere / "light.onnx")
    (weights / "light.onnx").write_bytes(b"light")
    models.file_hash.cache_clear()
    assert not models.is_shipped(weights / "light.onnx")


def test_a_line_of_the_sums_that_is_none_is_passed_over(weights: Path) -> None:
    sums = weights / models.SUMS
    sums.write_text("damaged\n" + sums.read_text())
    assert models.find_model("light") == weights / "light.onnx"


def test_a_path_is_a_path(weights: Path) -> None:
    assert models.find_model(weights / "heavy.safetensors") == weights / "heavy.safetensors"
    for name in ("ligth", str(weights / "none.onnx")):
        with pytest.raises(ModelError) as caught:
            models.find_model(name)
        assert caught.value.hint == "shipped models: heavy, light; tita models lists all"


def test_without_weights_the_hint_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "weights_folder", lambda: None)
    with pytest.raises(ModelError) as caught:
        models.find_model("tita-lite")
    assert "ships no weights" in str(caught.value.hint)

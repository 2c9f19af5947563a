"""An ONNX file from anywhere is tried out before it gets pictures."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest

from tita_cli.errors import ModelError
from tita_cli.export.container import _varint
from tita_cli.models.find import shipped_models
from tita_cli.models.onnx_file import FIELD
from tita_cli.runtime.onnx_session import CPU, Place
from tita_cli.runtime.select import load_onnx


def rewritten(path: Path, target: Path, changes: dict[str, str]) -> Path:
    """The shipped file with some steps' graphs replaced by others'."""
    content = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        first = archive.infolist()[0].header_offset
        members = {name: archive.read(name) for name in archive.namelist()}
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name in members:
            archive.writestr(name, members[changes.get(name, name)])
    whole = first - len(_varint(FIELD << 3 | 2)) - len(_varint(len(content) - first))
    packed = stream.getvalue()
    target.write_bytes(content[:whole] + _varint(FIELD << 3 | 2) + _varint(len(packed)) + packed)
    return target


@pytest.fixture(scope="module")
def shipped() -> Path:
    path = shipped_models()["tita"].file(".onnx")
    assert path is not None
    return path


def test_a_copy_under_another_name_runs(shipped: Path, tmp_path: Path) -> None:
    assert load_onnx(rewritten(shipped, tmp_path / "copy.onnx", {}), Place(CPU), 1).spec.kind == "pair"


def test_a_model_that_tita_did_not_export_is_told_from_a_damaged_one(shipped: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(shipped) as archive:
        first = archive.infolist()[0].header_offset
    content, other = shipped.read_bytes(), tmp_path / "other.onnx"
    tail = len(_varint(FIELD << 3 | 2)) + len(_varint(len(content) - first))
    other.write_bytes(content[: first - tail])  # any reader of ONNX takes this
    with pytest.raises(ModelError, match=r"other\.onnx: is an ONNX model, but without the steps of a network"):
        load_onnx(other, Place(CPU), 1)
    for damaged in (content[: first // 2], content[: len(content) - 9], b"no model"):
        other.write_bytes(damaged)
        with pytest.raises(ModelError, match=r"other\.onnx: is damaged or truncated"):
            load_onnx(other, Place(CPU), 1)


def test_steps_that_do_not_fit_are_refused_before_a_picture_is_read(shipped: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(shipped) as archive:
        blocks = [name for name in archive.namelist() if name.endswith(".0.onnx")]
    damaged = rewritten(shipped, tmp_path / "other.onnx", {"head.onnx": blocks[0]})
    with pytest.raises(ModelError, match=r"other\.onnx"):
        load_onnx(damaged, Place(CPU), 1)

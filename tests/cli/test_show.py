"""``tita show``: what a picture is and how it was fused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tita_cli.cli.main import run
from tita_cli.images import Metadata, Picture, write_picture
from tita_cli.images.provenance import Provenance


def _write(path: Path, record: Provenance | None) -> Path:
    pixels = np.random.default_rng(0).random((6, 9, 3), np.float32)
    write_picture(Picture(pixels, depth=16, metadata=Metadata(provenance=record)), path)
    return path


@pytest.mark.parametrize("extension", ["png", "tif", "jpg", "webp", "avif"])
def test_json(tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes], extension: str) -> None:
    record = Provenance(("ir.png", "vis.png"), "tita-lite", "1.2.3", {"align": "none"})
    path = _write(tmp_path / f"out.{extension}", record)
    assert run(["show", str(path), "--json"]) == 0
    document = json.loads(capfdbinary.readouterr().out)
    assert document["command"] == "show" and document["picture"]["width"] == 9
    assert document["picture"]["depth"] == (16 if extension in ("png", "tif") else 8)
    assert document["provenance"] == record.as_dict()


def test_text_is_harmless_on_a_terminal(tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    hostile = Provenance(("ir.png", "vis\x9b31m.png"), "tita-lite", "1.2.3", {"align": "none"})
    assert run(["show", str(_write(tmp_path / "out.png", hostile))]) == 0
    text = capfdbinary.readouterr().out.decode()
    assert "9×6, 16 bits a sample, colour, png" in text and "tita 1.2.3, model tita-lite" in text
    assert "align = none" in text and "ir.png" in text
    assert all(c.isprintable() or c == "\n" for c in text)


def test_without_provenance(tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert run(["show", str(_write(tmp_path / "out.png", None))]) == 0
    assert b"without provenance" in capfdbinary.readouterr().out


def test_unreadable(tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert run(["show", str(tmp_path / "none.png")]) == 3
    captured = capfdbinary.readouterr()
    assert captured.out == b"" and captured.err.count(b"\n") == 1


def test_the_pictures_of_a_file(tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    frames = [Image.fromarray(np.full((6, 9), level, np.uint8)) for level in (10, 20, 30)]
    stack = tmp_path / "stack.tif"
    frames[0].save(stack, save_all=True, append_images=frames[1:])
    assert run(["show", str(stack)]) == 0
    said = capfdbinary.readouterr()
    assert "holds     3 pictures, @1 to @3" in said.out.decode()
    assert said.err == b""
    assert run(["show", f"{stack}@2", "--json"]) == 0
    document = json.loads(capfdbinary.readouterr().out)
    assert document["picture"]["name"] == f"{stack}@2"
    assert document["pictures"] == [{"name": "2", "title": "", "size": [9, 6], "fused": True}]


def test_a_radiometric_file(
    tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes], flir_bytes: Callable[..., bytes]
) -> None:
    counts = np.linspace(12000, 16000, 60 * 80).reshape(60, 80).astype(np.uint16)
    path = tmp_path / "FLIR0001.jpg"
    path.write_bytes(flir_bytes(counts, np.zeros((120, 160, 3), np.uint8)))
    assert run(["show", str(path)]) == 0
    text = capfdbinary.readouterr().out.decode()
    assert f"{path}@thermal\n" in text and "holds     @visible: photograph, 160×120" in text
    assert "measures  134.24 to 170.14 °C" in text and "camera    FLIR Systems AB FLIR T1" in text
    assert "lies      at 43, 28 of the photograph, 1.000 of its pixels each" in text
    assert run(["show", str(path), "--json"]) == 0
    assert json.loads(capfdbinary.readouterr().out)["picture"]["thermal"]["camera"] == "FLIR Systems AB FLIR T1"

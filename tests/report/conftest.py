"""Journals and results to make reports of."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image


def picture(path: Path, seed: int, size: tuple[int, int] = (48, 64), *, color: bool = True) -> Path:
    """Smooth noise, brighter with the seed."""
    rng = np.random.default_rng(seed)
    coarse = rng.random((6, 8, 3 if color else 1)) * 200 + seed % 50
    pixels = np.kron(coarse, np.ones((size[0] // 6, size[1] // 8, 1)))
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels.astype(np.uint8).squeeze()).save(path)
    return path


class Batch:
    """An output folder as a batch leaves it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.out = root / "out"
        self.out.mkdir(parents=True)
        self._lines: list[dict[str, Any]] = []
        self._seed = 0

    def run(self, **facts: Any) -> None:
        leftovers = [{"path": "in/vis/lonely.png", "reason": "there is no ir to it"}]
        self._lines.append(
            {
                "event": "run", "tita": "0.0.1", "time": "2025-01-02T03:04:05+00:00", "model": "tita-lite",
                "rule": "folders", "options": {"fuse": {"resize": False}}, "leftovers": leftovers, **facts,
            }
        )  # fmt: skip

    def done(self, name: str, *, sources: int = 2, share: float = 0.5, seconds: float = 0.1, **result: Any) -> None:
        self._seed += 1
        paths = [picture(self.root / "in" / f"s{i}" / name, self._seed + i, color=i == 0) for i in range(sources)]
        picture(self.out / name, self._seed)
        weights = [[share / 3] * 3, [(1 - share) / 3] * 3]
        self._lines.append(
            {
                "event": "done", "output": name, "why": "same name", "reference": 1,
                "sources": [{"path": str(path), "file": None} for path in paths],
                "seconds": {"decode": 0.01, "fuse": seconds, "encode": 0.02},
                "result": {
                    "width": 64, "height": 48, "depth": 8, "weights": [weights] * (sources - 1),
                    "notes": [f"a note on {name}"], "engine": {"backend": "onnx"}, **result,
                },
            }
        )  # fmt: skip

    def failed(self, name: str, message: str, hint: str | None = None) -> None:
        path = picture(self.root / "in/s0" / name, 1)
        error = {"kind": "InputError", "message": message, "hint": hint, "code": 3}
        sources = [{"path": str(path), "file": None}, {"path": str(self.root / "gone.png"), "file": None}]
        self._lines.append({"event": "failed", "output": name, "sources": sources, "reference": 1, "error": error})

    def save(self) -> Path:
        lines = "".join(json.dumps(line) + "\n" for line in self._lines)
        (self.out / "tita-batch.jsonl").write_text(lines)
        return self.out


@pytest.fixture
def batch(tmp_path: Path) -> Batch:
    return Batch(tmp_path)


@pytest.fixture
def make_picture() -> Callable[..., Path]:
    return picture

"""A plain installation has no PyTorch: everything but training, exporting and .pth files works without it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

RUN = """
import json, sys
for name in ("torch", "onnx", "scipy"):
    sys.modules[name] = None  # importing it fails, and find_spec finds nothing
from tita_cli.cli.main import run
print(json.dumps([run(arguments) for arguments in json.loads(sys.argv[1])]), file=sys.stderr)
"""


def _run(folder: Path, *commands: list[str]) -> tuple[list[int], str]:
    """Exit codes of ``commands``, run one after the other in one process, and all that was said."""
    done = subprocess.run(
        [sys.executable, "-c", RUN, json.dumps(commands)], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.stderr.strip().endswith("]"), done.stderr
    said, _, codes = done.stderr.strip().rpartition("\n")
    return json.loads(codes), said


@pytest.fixture
def folder(tmp_path: Path, picture_file: Callable[..., Path]) -> Path:
    for index in (1, 2):
        picture_file(f"photos/{'vis' if index == 1 else 'ir'}/x.png", seed=index)
    return tmp_path


def test_what_works_without_torch(folder: Path) -> None:
    pair = ["photos/vis/x.png", "photos/ir/x.png"]
    commands = [
        ["fuse", *pair, "-o", "out.png"],
        ["fuse", *pair, "-o", "aligned.png", "--align", "affine"],
        ["batch", "photos", "-o", "fused", "--report", "report.html"],
        ["align", *pair, "-o", "looks"],
        ["eval", "--fused", "out.png", "--a", pair[0], "--b", pair[1], "--metrics", "EN,SSIM"],
        ["models"],
        ["show", "out.png"],
        ["export", "-o", "lite.onnx"],
        ["export", "-o", "tita.onnx", "-m", "tita", "--dynamic"],
        ["fuse", *pair, "-o", "again.png", "-m", "lite.onnx"],
    ]
    codes, said = _run(folder, *commands)
    assert codes == [0] * len(commands), said
    again, out = (Image.open(folder / name).tobytes() for name in ("again.png", "out.png"))
    assert again == out
    codes, said = _run(folder, ["export", "-o", "lite.onnx"])
    assert codes == [4] and "lite.onnx" in said


def test_what_needs_torch_says_so_and_what_to_install(folder: Path, tiny_model: Path) -> None:
    pair = ["photos/vis/x.png", "photos/ir/x.png"]
    (folder / "run.toml").write_text("")
    commands = [
        ["fuse", *pair, "-o", "a.png", "--backend", "torch"],
        ["fuse", *pair, "-o", "a.png", "--model", str(tiny_model)],
        ["export", "-o", "a.onnx", "--model", str(tiny_model)],
        ["export", "-o", "a.onnx", "--model", "tita", "--precision", "fp16"],
        ["convert", str(tiny_model), "a.safetensors"],
        ["train", "run.toml", "-o", "run"],
    ]
    codes, said = _run(folder, *commands)
    assert codes == [7] * len(commands), said
    assert said.count("hint: pip install torch") == len(commands)
    assert not (folder / "a.png").exists()

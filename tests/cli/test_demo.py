"""``tita demo``, and the examples that it writes."""

from __future__ import annotations

import shlex
from pathlib import Path

import numpy as np
from PIL import Image

from tita_cli.cli.demo import EXAMPLES, examples_folder
from tita_cli.cli.main import run
from tita_cli.errors import ExitCode
from tita_cli.pairing import pair_folder


def test_the_demo_writes_pictures_fusions_and_commands(tiny_model: Path, tmp_path: Path, capfd) -> None:
    folder = tmp_path / "a demo"
    assert run(["demo", str(folder), "--model", str(tiny_model)]) == 0
    said = capfd.readouterr().err
    commands = [shlex.split(line[2:]) for line in said.splitlines() if line.startswith("$ ")]
    assert [command[:2] for command in commands] == [["tita", "fuse"]] * 3
    for command in commands:
        assert Path(command[command.index("-o") + 1]).is_file()
    assert run(["demo", str(folder), "--model", str(tiny_model), "-q"]) == ExitCode.UNWRITABLE_OUTPUT


def test_the_examples_show_what_they_are_for() -> None:
    """Each source of a set has something that the others lack, and the set is small."""
    folder = examples_folder()
    sizes = 0
    for name, pictures in EXAMPLES.items():
        planes = []
        for picture in pictures:
            path = folder / name / picture
            sizes += path.stat().st_size
            with Image.open(path) as image:
                planes.append(np.asarray(image.convert("L"), np.float32))
        assert len({plane.shape for plane in planes}) == 1
        sharp = np.stack([np.abs(np.diff(plane, axis=0))[:, :-1] + np.abs(np.diff(plane))[:-1] for plane in planes])
        blocks = sharp[:, : sharp.shape[1] // 32 * 32, : sharp.shape[2] // 32 * 32]
        blocks = blocks.reshape(len(planes), sharp.shape[1] // 32, 32, -1, 32).mean((2, 4))
        wins = np.bincount(blocks.argmax(0).ravel(), minlength=len(planes)) / blocks[0].size
        if name == "infrared":  # shows what is warm where the photograph is dark, and hardly anything sharper
            wins = np.array([np.mean(planes[0] - planes[1] > 50), np.mean(planes[1] - planes[0] > 50)])
        assert wins.min() > 0.05, (name, wins)
    assert sizes < 2e6


def test_batch_sorts_the_examples_into_their_kinds() -> None:
    plan = pair_folder(examples_folder())
    assert sorted(len(group.sources) for group in plan.groups) == [2, 3, 3]
    assert {left.path.suffix for left in plan.leftovers} <= {".py", ".md"}

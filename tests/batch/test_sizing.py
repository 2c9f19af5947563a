"""Threads and memory by what the machine has."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from tita_cli.batch import Job, choose_sizes, is_gpu_likely, sizing
from tita_cli.pairing import Group

GIB = 1 << 30


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch):
    def set_up(cores: int, gib: int) -> None:
        monkeypatch.setattr(sizing, "usable_cores", lambda: cores)
        monkeypatch.setattr(sizing, "free_memory", lambda: gib * GIB)

    return set_up


@pytest.mark.parametrize(
    ("cores", "gib", "lanes", "threads"),
    [(1, 8, 1, 1), (2, 24, 2, 1), (8, 64, 8, 1), (64, 256, 16, 4), (16, 8, 4, 4), (8, 1, 1, 8)],
)
def test_engines_by_cores_and_memory(machine, cores: int, gib: int, lanes: int, threads: int) -> None:
    machine(cores, gib)
    sizes, per_lane = choose_sizes(jobs=1000, on_gpu=False)
    assert (sizes.lanes, per_lane) == (lanes, threads)
    assert sizes.budget <= gib * GIB // 4


def test_little_memory_is_for_one_picture_at_a_time(machine) -> None:
    machine(8, 0)
    sizes, _ = choose_sizes(jobs=1000, on_gpu=False)
    assert (sizes.decoders, sizes.lanes, sizes.encoders) == (1, 1, 1)


def test_a_gpu_has_one_engine_and_the_cores_help(machine) -> None:
    machine(16, 64)
    sizes, _ = choose_sizes(jobs=1000, on_gpu=True)
    assert (sizes.lanes, sizes.decoders, sizes.encoders) == (1, 8, 8)


def test_no_more_engines_than_jobs_and_the_user_has_the_last_word(machine) -> None:
    machine(8, 64)
    assert choose_sizes(jobs=2, on_gpu=False)[0].lanes == 2
    sizes, threads = choose_sizes(jobs=1000, on_gpu=False, workers=3, threads=5)
    assert (sizes.lanes, threads) == (3, 5)


def test_the_size_of_a_job_is_known_from_the_headers(tmp_path: Path) -> None:
    Image.new("RGB", (100, 50)).save(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes(b"damaged")
    job = Job(Group("x", (tmp_path / "a.png", tmp_path / "b.png"), ""), "x.png", tmp_path / "x.png")
    assert sizing.decoded_size(job) == 100 * 50 * 24 * 2
    gone = Job(Group("x", (tmp_path / "gone.png",) * 2, ""), "x.png", tmp_path / "x.png")
    assert sizing.decoded_size(gone) == 0


def test_a_gpu_that_is_asked_for_counts_as_one() -> None:
    assert is_gpu_likely("cuda:1")
    assert not is_gpu_likely("cpu")

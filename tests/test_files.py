"""Opening inputs without ever waiting for one, and the one place where values are rounded."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from tita_cli.errors import InputError, OutputError, parsing
from tita_cli.files import is_handed_over, open_input, read_input
from tita_cli.images.quantize import quantize


def test_more_than_the_bound_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_bytes(b"x" * 10)
    assert read_input(path, max_bytes=10) == b"x" * 10
    with pytest.raises(InputError, match="has more than"):
        read_input(path, max_bytes=9)


def test_a_named_pipe_is_refused_even_with_a_writer(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    both_ends = os.open(path, os.O_RDWR)
    try:
        with pytest.raises(InputError, match="named pipe") as caught, open_input(path):
            pass
    finally:
        os.close(both_ends)
    assert caught.value.hint is not None and "stdin" in caught.value.hint


@pytest.mark.parametrize(
    ("name", "handed_over"),
    [("/dev/stdin", True), ("/dev/fd/63", True), ("/proc/self/fd/0", True), ("/dev/zero", False), ("fd/3", False)],
)
def test_names_of_descriptors(name: str, handed_over: bool) -> None:
    assert is_handed_over(name) == handed_over


@pytest.mark.parametrize(
    "error", [KeyError(274), RecursionError("deep"), TypeError("x"), ValueError("a\nb"), OSError()]
)
def test_whatever_a_parser_raises_is_one_line(error: Exception) -> None:
    with pytest.raises(InputError, match=r"^x\.png: is damaged or truncated \(.+\)$"), parsing("x.png"):
        raise error


@pytest.mark.parametrize("error", [MemoryError(), OutputError("full"), KeyboardInterrupt()])
def test_what_is_not_the_files_fault_passes(error: BaseException) -> None:
    with pytest.raises(type(error)), parsing("x.png"):
        raise error


def test_the_disk_is_not_called_damage() -> None:
    with pytest.raises(InputError, match=r"^x\.png: cannot be read: "), parsing("x.png"):
        raise OSError(5, "Input/output error")


def test_rounding() -> None:
    values = np.array([-0.5, 0.0, 0.5 / 255, 1.5 / 255, 0.6 / 255, 1.0, 1.7])
    assert quantize(values, 8).tolist() == [0, 0, 0, 2, 1, 255, 255]
    assert quantize(values, 16).dtype == np.uint16 and quantize(values, 16).max() == 65535
    assert quantize(values, 32) is values

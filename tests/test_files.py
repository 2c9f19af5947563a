"""Opening inputs without ever waiting for one, and the one place where values are rounded."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from tita_cli.errors import DamagedError, InputError, OutputError, parsing
from tita_cli.files import Address, drained, is_handed_over, open_input, parse_json, read_input, resolved
from tita_cli.images.quantize import quantize


def test_more_than_the_bound_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_bytes(b"x" * 10)
    assert read_input(path, max_bytes=10) == b"x" * 10
    with pytest.raises(InputError, match="has more than"):
        read_input(path, max_bytes=9)


def test_reading_takes_memory_for_what_there_is(tmp_path: Path) -> None:
    """Decoders ask for as many bytes as a header states."""
    path = tmp_path / "picture.png"
    path.write_bytes(b"x" * 10)
    with open_input(path) as file:
        file.seek(4)
        assert file.read(1 << 46) == b"x" * 6
        assert file.read(1 << 46) == b""


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


def test_a_library_that_does_not_load_is_no_damage() -> None:
    with pytest.raises(InputError, match="a library that it needs does not load: libheif") as caught, parsing("x.heic"):
        raise ImportError("libheif.so.1: cannot open shared object file")
    assert not isinstance(caught.value, DamagedError)
    with pytest.raises(DamagedError, match=r"\(Unsupported file\)"), parsing("x.raf"):
        raise ValueError(b"Unsupported file")  # as LibRaw says it


def test_rounding() -> None:
    values = np.array([-0.5, 0.0, 0.5 / 255, 1.5 / 255, 0.6 / 255, 1.0, 1.7])
    assert quantize(values, 8).tolist() == [0, 0, 0, 2, 1, 255, 255]
    assert quantize(values, 16).dtype == np.uint16 and quantize(values, 16).max() == 65535
    assert quantize(values, 32) is values


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_no_reader_waits_for_a_pipe_or_reads_a_device(tmp_path: Path) -> None:
    from tita_cli.align import Calibration
    from tita_cli.batch.fingerprint import take_fingerprint
    from tita_cli.batch.journal import FILE_NAME, read_journal
    from tita_cli.errors import TitaError
    from tita_cli.files import read_toml
    from tita_cli.images import read_picture
    from tita_cli.metrics.ranking import read_published
    from tita_cli.models.find import find_model
    from tita_cli.pairing.manifest import read_manifest
    from tita_cli.training.config import read_config
    from tita_cli.training.log import read_log

    pipe = tmp_path / FILE_NAME
    os.mkfifo(pipe)
    readers = (
        Calibration.read, take_fingerprint, read_toml, read_picture, read_published, find_model,
        lambda path: list(read_manifest(path).groups),
        read_config, read_log,
    )  # fmt: skip
    for reader in readers:
        for path in (pipe, Path("/dev/zero")):
            with pytest.raises(TitaError):
                reader(path)
    with pytest.raises(TitaError):
        read_journal(tmp_path)


@pytest.mark.parametrize(
    "content", [b"a = " + b"[" * 100_000, b"\xff", b"a =", b"a = 1\na = 2", b"a." * 20_000 + b"a = 1"]
)
def test_toml_that_is_none(content: bytes, tmp_path: Path) -> None:
    from tita_cli.files import read_toml

    (tmp_path / "x.toml").write_bytes(content)
    with pytest.raises(InputError, match=r"x\.toml: not TOML: ") as caught:
        read_toml(tmp_path / "x.toml")
    assert "\n" not in caught.value.message


@pytest.mark.parametrize("text", ["NaN", "-Infinity", "1e999", "[" * 100_000, "9" * 5000, "{", b"\xff"])
def test_json_that_not_every_parser_takes(text: str | bytes) -> None:
    with pytest.raises(ValueError):
        parse_json(text)


def test_links_in_a_loop_have_a_place_as_other_paths_have(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    assert resolved(tmp_path / "loop" / "x") == Path(os.path.realpath(tmp_path)) / "loop" / "x"
    assert resolved(Address("s3://bucket/key")) == Address("s3://bucket/key")


def test_a_device_as_standard_input_is_refused_before_it_fills_the_memory() -> None:
    with open("/dev/zero", "rb", buffering=0) as endless, pytest.raises(InputError, match="is a device"):  # noqa: PTH123
        drained(endless, "<stdin>")
    with open(os.devnull, "rb") as nothing:  # noqa: PTH123
        assert drained(nothing, "<stdin>").read() == b""

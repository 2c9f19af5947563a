"""Outputs appear complete or not at all."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from tita_cli.errors import OutputError
from tita_cli.images import atomic_output, check_writable


def test_file_appears_when_the_block_ends(tmp_path: Path) -> None:
    target = tmp_path / "out.bin"
    with atomic_output(target, overwrite=False) as file:
        file.write(b"whole")
        assert not target.exists()
    assert target.read_bytes() == b"whole"
    assert [entry.name for entry in tmp_path.iterdir()] == ["out.bin"]


@pytest.mark.parametrize("failure", [ValueError, KeyboardInterrupt, SystemExit])
def test_failure_leaves_nothing_behind(tmp_path: Path, failure: type[BaseException]) -> None:
    with pytest.raises(failure), atomic_output(tmp_path / "out.bin", overwrite=False) as file:
        file.write(b"half")
        raise failure
    assert list(tmp_path.iterdir()) == []


def test_failure_keeps_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "out.bin"
    target.write_bytes(b"old")
    with pytest.raises(ValueError), atomic_output(target, overwrite=True) as file:
        file.write(b"new")
        raise ValueError
    assert target.read_bytes() == b"old"


def test_existing_file_needs_overwrite(tmp_path: Path) -> None:
    target = tmp_path / "out.bin"
    target.write_bytes(b"old")
    with pytest.raises(OutputError, match="exists already") as caught:
        check_writable(target, overwrite=False)
    assert caught.value.hint is not None and "`overwrite`" in caught.value.hint
    with atomic_output(target, overwrite=True) as file:
        file.write(b"new")
    assert target.read_bytes() == b"new"


def test_file_made_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    target = tmp_path / "out.bin"
    with pytest.raises(OutputError, match="exists already"), atomic_output(target, overwrite=False) as file:
        file.write(b"ours")
        target.write_bytes(b"theirs")
    assert target.read_bytes() == b"theirs"
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize(
    ("name", "message"), [("missing/out.png", "does not exist"), (".", "is a folder"), ("", "empty")]
)
def test_impossible_targets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, message: str) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(OutputError, match=message) as caught:
        check_writable(name, overwrite=True)
    assert "\n" not in caught.value.message


def test_too_long_name(tmp_path: Path) -> None:
    with pytest.raises(OutputError), atomic_output(tmp_path / ("n" * 300), overwrite=False) as file:
        file.write(b"x")
    assert list(tmp_path.iterdir()) == []


def test_link_is_kept_and_its_target_replaced(tmp_path: Path) -> None:
    real, link = tmp_path / "real.bin", tmp_path / "link.bin"
    real.write_bytes(b"old")
    link.symlink_to(real)
    with atomic_output(link, overwrite=True) as file:
        file.write(b"new")
    assert link.is_symlink() and real.read_bytes() == b"new"


def test_permissions_follow_umask_and_the_replaced_file(tmp_path: Path) -> None:
    target = tmp_path / "out.bin"
    before = os.umask(0o027)
    try:
        with atomic_output(target, overwrite=False) as file:
            file.write(b"x")
        assert target.stat().st_mode & 0o777 == 0o640
        target.chmod(0o604)
        with atomic_output(target, overwrite=True) as file:
            file.write(b"y")
        assert target.stat().st_mode & 0o777 == 0o604
    finally:
        os.umask(before)


def test_devices_are_written_directly() -> None:
    with atomic_output("/dev/null", overwrite=False) as file:
        file.write(b"gone")
    assert Path("/dev/null").is_char_device()


def test_full_device_is_one_line() -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    with pytest.raises(OutputError, match="the disk is full"), atomic_output("/dev/full", overwrite=True) as file:
        file.write(b"x")


_FULL_DISK = """
import resource, sys
import numpy as np
from tita_cli.errors import OutputError
from tita_cli.images import Picture, write_picture
noise = np.random.default_rng(0).random((300, 300, 3), np.float32)
resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
try:
    write_picture(Picture(noise, depth=16), sys.argv[1])
except OutputError as error:
    print(error.message)
"""


@pytest.mark.parametrize("extension", ["png", "tif", "ppm"])
def test_no_room_for_the_whole_file(tmp_path: Path, extension: str) -> None:
    assert resource.RLIMIT_FSIZE is not None
    target = tmp_path / f"out.{extension}"
    done = subprocess.run([sys.executable, "-c", _FULL_DISK, str(target)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("\n") == 1 and "cannot be written" in done.stdout
    assert list(tmp_path.iterdir()) == []

"""What libraries in C print is kept from the user's streams; what others print is not."""

from __future__ import annotations

import io
import os
import re
import threading

import numpy as np
import pytest

from tita_cli.errors import InputError
from tita_cli.images import Picture, read_picture, write_picture
from tita_cli.images.chatter import without_lines


def test_only_the_librarys_lines_are_dropped(capfd: pytest.CaptureFixture[str]) -> None:
    with without_lines(re.compile("noise")):
        os.write(1, b"noise on stdout\n")
        print("noise in Python")
        os.write(2, b"noise on stderr\nsomebody else's line\n")
    print("after")
    assert capfd.readouterr() == ("after\n", "somebody else's line\n")


def test_threads_may_be_in_blocks_at_the_same_time(capfd: pytest.CaptureFixture[str]) -> None:
    both = threading.Barrier(2, timeout=60)

    def work(word: str) -> None:
        with without_lines(re.compile(word)):
            both.wait()
            os.write(2, f"{word} is dropped\n{word[0]} stays\n".encode())
            both.wait()

    threads = [threading.Thread(target=work, args=(word,)) for word in ("one", "two")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print("after", flush=True)
    told = capfd.readouterr()
    assert told.out == "after\n"
    assert sorted(told.err.splitlines()) == ["o stays", "t stays"]


def test_a_damaged_openexr_file_is_one_error_and_no_lines(capfd: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("OpenEXR")
    stream = io.BytesIO()
    write_picture(Picture(np.random.default_rng(0).random((20, 24, 3), np.float32), depth=32), stream, format="exr")
    with pytest.raises(InputError):
        read_picture(io.BytesIO(stream.getvalue()[:-700]))
    assert capfd.readouterr() == ("", "")

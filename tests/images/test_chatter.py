"""What libraries in C print is kept from the user's streams; what others print is not."""

from __future__ import annotations

import io
import os
import re

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


def test_a_damaged_openexr_file_is_one_error_and_no_lines(capfd: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("OpenEXR")
    stream = io.BytesIO()
    write_picture(Picture(np.random.default_rng(0).random((20, 24, 3), np.float32), depth=32), stream, format="exr")
    with pytest.raises(InputError):
        read_picture(io.BytesIO(stream.getvalue()[:-700]))
    assert capfd.readouterr() == ("", "")

"""Opening files and pipes as clips: what is no video of its own, or reaches for other files, is refused."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

from tita_cli.errors import DamagedError, InputError, first_line
from tita_cli.files import is_handed_over, open_input, split_page
from tita_cli.files.mistyped import meant
from tita_cli.video.clip import Clip, Reader

VideoSource: TypeAlias = str | os.PathLike[str] | BinaryIO

_PLAYLISTS = {"hls", "concat", "dash", "imf", "sdp", "rtsp", "ffmetadata", "tedcaptions", "webvtt"}
"""Formats that name other files, which a file from anywhere must not make tita open."""


def open_reader(source: VideoSource) -> Reader:
    """Open a container: a file, or a pipe that was handed to us. Raises InputError."""
    import av

    name = os.fspath(source) if isinstance(source, str | os.PathLike) else str(getattr(source, "name", "<stdin>"))
    opened: Any = source
    if isinstance(source, str | os.PathLike):
        path = Path(source)
        if is_handed_over(source):
            opened = sys.stdin.buffer if name == "/dev/stdin" else path.open("rb")
        elif not path.exists():
            raise InputError(f"{name}: no such file", hint=meant(name))
        elif not path.is_file():
            raise InputError(f"{name}: is no regular file", hint="a pipe can be given as -")
        elif _is_recording(path):
            raise InputError(f"{name}: a FLIR recording is no video that tita reads", hint=f"{name}@1 is a still of it")
        else:
            opened = f"file:{path}"
    with unreadable(name):
        container = av.open(opened, container_options={"protocol_whitelist": "file"}, metadata_errors="replace")
    if _PLAYLISTS & set(container.format.name.split(",")):
        container.close()
        raise InputError(f"{name}: is a list of other files, not a video")
    return Reader(container, name)


def _is_recording(path: Path) -> bool:
    """Whether it is a SEQ or CSQ of FLIR's, in which files of its own kind follow one another."""
    with open_input(path) as file:
        return file.read(4) == b"FFF\0"


@contextmanager
def unreadable(name: str) -> Iterator[None]:
    """Turn what libav says on opening ``name`` into an InputError."""
    import av

    try:
        yield
    except av.error.InvalidDataError as error:
        raise DamagedError(f"{name}: is no video that libav reads, or is damaged") from error
    except av.error.LookupError as error:
        raise InputError(f"{name}: {first_line(error)}") from error
    except (av.error.FFmpegError, OSError) as error:
        raise InputError(f"{name}: cannot be read: {getattr(error, 'strerror', None) or first_line(error)}") from error


def open_clips(sources: Sequence[VideoSource]) -> list[Clip]:
    """Two clips, of two sources or of the two video streams of one. Raises InputError.

    ``both.mkv@2`` is the second video stream of a file. A regular file is opened for each of its streams, so that it
    does not matter how they are interleaved.
    """
    named = [_split(source) for source in sources]
    if len(named) == 1:
        named = [(named[0][0], 1), (named[0][0], 2)]
    readers: list[tuple[VideoSource, Reader]] = []
    clips = []
    for source, number in named:
        reader = next((one for known, one in readers if known == source and not is_searchable(source)), None)
        if reader is None:
            reader = open_reader(source)
            readers.append((source, reader))
        clips.append(reader.clip(number))
    for clip in clips:
        clip.open()
    return clips


def is_searchable(source: VideoSource) -> bool:
    """Whether ``source`` can be opened and searched as often as needed."""
    return isinstance(source, str | os.PathLike) and not is_handed_over(source)


def _split(source: VideoSource) -> tuple[VideoSource, int | None]:
    if not isinstance(source, str | os.PathLike) or Path(source).exists():
        return source, None
    path, page = split_page(source)
    return (path, int(page)) if page is not None and page.isdecimal() else (source, None)

"""``Format``: all that tita knows of a file format, declared in one file each; and ``Request``, what a reader asks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, BinaryIO, TypeAlias

from tita_cli.errors import InputError, TitaError

if TYPE_CHECKING:
    import numpy.typing as npt

    from tita_cli.images.picture import Metadata
    from tita_cli.images.samples import Samples
    from tita_cli.options import Depth

SNIFFED = 64
"""Bytes from the start of a file that :attr:`Format.sniff` gets to see."""

ALL_METADATA = frozenset({"exif", "icc", "xmp"})
UNLIMITED = 2**31 - 1
_MAX_SIDE = 100_000


@dataclass(frozen=True, slots=True)
class Request:
    """What a decoder is asked for. ``page``: from 0, None for the first; ``max_pixels``: no more than these."""

    name: str
    page: int | None
    max_pixels: int

    def check_size(self, width: int, height: int, layers: int = 1) -> None:
        """Refuse what a header announces before memory is spent on it.

        The numbers must be those that the decoder goes by. ``layers``: pictures of that size that it holds at once.

        :raises InputError: no pixels at all, a side over 100,000, or more than ``max_pixels``.
        """
        if width < 1 or height < 1:
            raise InputError(f"{self.name}: has no pixels ({width}×{height})")
        size = f"{width}×{height}" + (f" in {layers} layers" if layers > 1 else "")
        if max(width, height) > _MAX_SIDE:
            raise InputError(f"{self.name}: {size} is absurd, a side may have {_MAX_SIDE} pixels at most")
        pixels = width * height * layers
        if pixels > self.max_pixels:
            raise InputError(
                f"{self.name}: {size} is {pixels / 1e6:.0f} megapixels, {self.max_pixels / 1e6:.0f} are allowed",
                hint="if the file is to be trusted and memory suffices, --max-pixels allows more",
            )

    def choose_page(self, count: int) -> tuple[int, tuple[str, ...]]:
        """The page to decode of ``count``, and a note where others are left unread.

        :raises InputError: there is no such page.
        """
        if self.page is None:
            note = f"{self.name}: has {count} pages, page 0 is read (--page chooses another)"
            return 0, (note,) if count > 1 else ()
        if self.page >= count:
            held = f"{count} pages" if count > 1 else "one page"
            raise InputError(f"{self.name}: has {held}, not page {self.page}", hint="--page counts from 0")
        return self.page, ()


Sniffer: TypeAlias = Callable[[bytes], bool]
Decoder: TypeAlias = "Callable[[BinaryIO, Request], Samples]"
Encoder: TypeAlias = "Callable[[npt.NDArray[Any], Metadata, int | None, BinaryIO], list[str]]"


@dataclass(frozen=True, slots=True)
class Library:
    """A library that not everybody has. ``extra``: the extra of the package tita-cli that brings it."""

    module: str
    extra: str

    @property
    def available(self) -> bool:
        return find_spec(self.module) is not None

    @property
    def hint(self) -> str:
        return f'pip install "tita-cli[{self.extra}]"'


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """A file format.

    ``name``: what ``--format`` and messages for programs call it; ``title``: what people do. ``suffixes``: of file
    names, lower case; the first is the usual one. ``read_suffixes``: more of them, under which nothing is written.
    ``sniff``: whether the first :data:`SNIFFED` bytes of a file are those of this format; suffixes lie too often to be
    asked.

    ``decode``: from a seekable stream at its start; it may raise anything over damaged content, see
    :func:`tita_cli.errors.parsing`. None: tita only knows what such a file is, and ``advice`` says what to do with it.
    ``samples``: what decoding takes, for the documentation. ``pages``: whether a file may hold several pictures.

    ``encode``: write H×W×C samples (C = 1..4, alpha last for 2 and 4), blocks of metadata and a quality (1..100 or
    None) to a stream; it returns a line for everything that did not fit. None: tita does not write the format.
    ``depths``: bits a sample that are written, rising; 32 is float. ``grey``, ``alpha``: whether one-channel pictures
    and transparency can be written. ``metadata``: blocks that fit; the provenance goes with ``xmp``. ``loss``: the mean
    error, in units of 1/255, with which a smooth picture comes back at most. ``max_side``: of width and height.
    """

    name: str
    title: str
    suffixes: tuple[str, ...]
    sniff: Sniffer
    read_suffixes: tuple[str, ...] = ()
    library: Library | None = None
    decode: Decoder | None = None
    samples: str = ""
    pages: bool = False
    advice: str | None = None
    encode: Encoder | None = None
    depths: tuple[Depth, ...] = ()
    grey: bool = True
    alpha: bool = True
    metadata: frozenset[str] = frozenset()
    loss: float = 0.0
    max_side: int = UNLIMITED

    def require_library(self, name: str, kind: type[TitaError]) -> None:
        """Refuse the file ``name`` with an error of ``kind`` where the format's library is not installed."""
        if self.library is not None and not self.library.available:
            raise kind(f"{name}: is {self.title}, whose library is not installed", hint=self.library.hint)

    def refuse(self, name: str) -> InputError:
        """The error for the file ``name`` of a format that is not read."""
        return InputError(f"{name}: is {self.title}, which tita does not read", hint=self.advice)


def begins(*signatures: bytes) -> Sniffer:
    """A sniffer for files that begin with one of ``signatures``."""
    return lambda head: head.startswith(signatures)


def has_brand(head: bytes, *brands: bytes) -> bool:
    """Whether ``head`` begins an ISO base media file (HEIF and its kin) that states one of the four-byte ``brands``."""
    if head[4:8] != b"ftyp":
        return False
    stated = head[8 : min(len(head), int.from_bytes(head[:4], "big"))]
    return any(stated[place : place + 4] in brands for place in (0, *range(8, len(stated), 4)))

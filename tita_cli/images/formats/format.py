"""``Format``: all that tita knows of a file format, declared in one file each; and ``Request``, what a reader asks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
"""What every format holds that holds metadata; the place on the map, ``geo``, is TIFF's alone."""
UNLIMITED = 2**31 - 1
_MAX_SIDE = 100_000


@dataclass(frozen=True, slots=True)
class Page:
    """One picture of a file.

    ``name``: what stands behind the ``@`` in ``FILE@NAME``: its number from 1, or a word such as ``thermal``.
    ``title``: what it is, where that is more than a number. ``size``: width and height, None where only decoding tells.
    ``fused``: whether it is one of those that ``tita fuse FILE`` fuses: not a thumbnail, preview, mask or gain map.
    ``main``: whether it is the one that is read where none is named; else that is the first that is ``fused``.
    ``series``: what it shares with those that belong to one stack, such as ``channel 2``, where a file has several.
    """

    name: str
    title: str = ""
    size: tuple[int, int] | None = None
    fused: bool = True
    main: bool = False
    series: str = ""


def numbered(count: int, size: tuple[int, int] | None = None) -> tuple[Page, ...]:
    """``count`` pages without names of their own."""
    return tuple(Page(str(number), size=size) for number in range(1, count + 1))


@dataclass(frozen=True, slots=True)
class Request:
    """What a decoder is asked for.

    ``name``: what messages call the file. ``max_pixels``: no more than these. ``index``: of the page, from 0.
    """

    name: str
    max_pixels: int
    index: int = 0

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
                hint="if the file is to be trusted and memory suffices, `max_pixels` allows more",
            )


def choose_page(pages: Sequence[Page], wanted: str | None, name: str) -> tuple[int, tuple[str, ...]]:
    """The index of the page called ``wanted``, of the main one for None; a note where others are left unread.

    ``name``: what messages call the file. What could not be fused, such as a thumbnail, is left without a note.

    :raises InputError: there is no such page.
    """
    names = [page.name for page in pages]
    if wanted is not None:
        if wanted in names:
            return names.index(wanted), ()
        held = "one picture" if len(pages) == 1 else f"the pictures {listed(names)}"
        raise InputError(f"{name}: holds {held}, and none that is called {wanted}")
    main = main_page(pages)
    others = [page.name for page in pages if page.fused and page is not main]
    if not others:
        return pages.index(main), ()
    note = f"{name}: holds {len(others) + 1} pictures, only @{main.name} is read (FILE@{others[0]} names another)"
    return pages.index(main), (note,)


def main_page(pages: Sequence[Page]) -> Page:
    """The page that is read where none is named."""
    return next((page for page in pages if page.main), None) or next((page for page in pages if page.fused), pages[0])


def listed(names: Sequence[str]) -> str:
    """Names of pages for a message."""
    return ", ".join(names) if len(names) <= 6 else f"{names[0]} to {names[-1]}"


Sniffer: TypeAlias = Callable[[bytes], bool]
Decoder: TypeAlias = "Callable[[BinaryIO, Request], Samples]"
Pages: TypeAlias = Callable[[BinaryIO, Request], Sequence[Page]]
Encoder: TypeAlias = "Callable[[npt.NDArray[Any], Metadata, int | None, BinaryIO], list[str]]"


@dataclass(frozen=True, slots=True)
class Library:
    """A library that not everybody has. ``package``: what pip installs; the extra of tita has the format's name."""

    module: str
    package: str

    @property
    def available(self) -> bool:
        return find_spec(self.module) is not None

    @property
    def hint(self) -> str:
        return f"pip install {self.package}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """A file format.

    ``name``: what ``--format`` and messages for programs call it; ``title``: what people do. ``suffixes``: of file
    names, lower case; the first is the usual one. ``read_suffixes``: more of them, under which nothing is written.
    ``sniff``: whether the first :data:`SNIFFED` bytes of a file are those of this format; suffixes lie too often to be
    asked.

    ``decode``: from a seekable stream at its start; it may raise anything over damaged content, see
    :func:`tita_cli.errors.parsing`. None: tita only knows what such a file is, and ``advice`` says what to do with it.
    ``samples``: what decoding takes, for the documentation. ``pages``: lists the pictures of a file without decoding
    them, at least one; None where a file never holds several.

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
    pages: Pages | None = None
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

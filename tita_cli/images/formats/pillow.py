"""What the formats that Pillow decodes and encodes have in common."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
import numpy.typing as npt

from tita_cli.errors import InputError, parsing
from tita_cli.images.formats.format import Page, Request, numbered
from tita_cli.images.metadata import EXIF_PREFIX
from tita_cli.images.picture import Metadata
from tita_cli.images.samples import Samples

if TYPE_CHECKING:
    from PIL import Image
    from PIL.ImageFile import ImageFile

_ORIENTATION = 0x0112
_KINDS = ("JPEG", "PNG", "TIFF", "WEBP", "AVIF", "BMP", "DIB", "GIF", "PPM", "JPEG2000")
_opening = threading.Lock()


def open_pillow(stream: BinaryIO, *kinds: str) -> ImageFile:
    """Read the header of a file of one of ``kinds``, Pillow's names of formats; without any, of those that tita reads.

    Never of all that Pillow knows: some take memory for what a header states, and none of those was tried here.
    """
    from PIL import Image

    with _opening:
        # Pillow's own bound is a global of the process, lower than ours, and would warn on stderr.
        bound, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            Image.preinit()
            return Image.open(stream, formats=kinds or (*_KINDS, *({"HEIF"} & Image.OPEN.keys())))
        finally:
            Image.MAX_IMAGE_PIXELS = bound


@contextmanager
def opened_page(stream: BinaryIO, request: Request, *kinds: str) -> Iterator[ImageFile]:
    """Open the page that ``request`` wants, of a size that it allows, not yet decoded."""
    with open_pillow(stream, *kinds) as image:
        request.check_size(*image.size)
        image.seek(request.index)
        request.check_size(*image.size)  # pages may differ
        yield image


def pillow_pages(stream: BinaryIO, request: Request, *kinds: str) -> tuple[Page, ...]:
    """The frames of a file."""
    with open_pillow(stream, *kinds) as image:
        return numbered(int(getattr(image, "n_frames", 1)), image.size)


def decode_pillow(stream: BinaryIO, request: Request, *kinds: str) -> Samples:
    """Decode a page with 8 bits a sample: grey, RGB, palette, CMYK, with alpha or a transparent colour."""
    with opened_page(stream, request, *kinds) as image:
        return pillow_samples(image, request.name)


def pillow_samples(image: ImageFile, name: str) -> Samples:
    """The 8-bit samples and the metadata of an opened image, CMYK as 16-bit RGB."""
    if image.mode != "CMYK":
        return samples_with_metadata(image, np.asarray(image.convert(_plain_mode(image))))
    from tita_cli.images.profile import cmyk_to_rgb

    rgb, faithful = cmyk_to_rgb(np.asarray(image), image.info.get("icc_profile"))
    notes = () if faithful else (f"{name}: is CMYK without a usable profile, its colours are approximate",)
    return samples_with_metadata(image, rgb, white=65535.0, has_profile=False, notes=notes)


def samples_with_metadata(
    image: ImageFile,
    data: npt.NDArray[Any],
    *,
    white: float = 255.0,
    depth: Any = 8,
    has_profile: bool = True,
    notes: tuple[str, ...] = (),
) -> Samples:
    """``data``, H×W or H×W×C, with what ``image`` says about it."""
    info = image.info
    return Samples(
        data if data.ndim == 3 else data[..., None], white, depth=depth, orientation=_orientation(image),
        exif=_block(info.get("exif")), icc=_block(info.get("icc_profile")) if has_profile else None,
        xmp=_block(info.get("xmp")), notes=notes,
    )  # fmt: skip


def pillow_bytes(samples: npt.NDArray[Any], kind: str, **options: Any) -> bytes:
    """H×W×C samples (C = 1..4, alpha last for 2 and 4) as a file of Pillow's format ``kind``."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(samples[..., 0] if samples.shape[2] == 1 else samples).save(buffer, kind, **options)
    return buffer.getvalue()


def metadata_options(metadata: Metadata) -> dict[str, bytes]:
    """Pillow's options for the metadata that there is."""
    blocks = {"exif": metadata.exif and EXIF_PREFIX + metadata.exif, "icc_profile": metadata.icc, "xmp": metadata.xmp}
    return {key: block for key, block in blocks.items() if block}


def exif_of(image: Image.Image) -> Image.Exif:
    """The EXIF of an opened image, without decoding it.

    Pillow decodes a PNG to look for EXIF behind its pixels as well, where it is not sought here.
    """
    from PIL import Image

    return Image.Image.getexif(image) if image.format == "PNG" else image.getexif()


def parse_exif(exif: bytes) -> Image.Exif:
    """An EXIF block as Pillow has it, its folders included; for formats into which it is written tag by tag.

    :raises InputError: it is damaged.
    """
    from PIL import ExifTags, Image

    with parsing("EXIF"):
        block = Image.Exif()
        block.load(exif)
        for folder in (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo):
            block.get_ifd(folder)
        block.tobytes()
    return block


DAMAGED_EXIF = "the EXIF block is damaged, it is left out"


def _orientation(image: Image.Image) -> int:
    """EXIF's orientation, 1..8. Damaged EXIF is no reason to refuse the pixels."""
    try:
        with parsing("EXIF"):
            return int(image.getexif().get(_ORIENTATION, 1))
    except InputError:
        return 1


def _block(value: object) -> bytes | None:
    return value if isinstance(value, bytes) and value else None


def _plain_mode(image: Image.Image) -> str:
    """The mode of "L", "LA", "RGB" and "RGBA" that holds what ``image`` holds."""
    transparent = image.has_transparency_data
    if image.mode in ("1", "L", "LA", "La") or (image.mode in ("P", "PA") and _has_grey_palette(image)):
        return "LA" if transparent else "L"
    return "RGBA" if transparent else "RGB"


def _has_grey_palette(image: Image.Image) -> bool:
    palette = np.asarray(image.getpalette("RGB")).reshape(-1, 3)
    return bool((palette == palette[:, :1]).all())

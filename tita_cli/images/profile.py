"""ICC profiles: what they describe, and bringing pictures from one into another, in the depth that they have.

The transforms are Little CMS's (imagecodecs), relative colorimetric, because fused sources have to agree in colour
rather than look pleasing each for itself.
"""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

from tita_cli.errors import InputError
from tita_cli.images.picture import FloatArray, Metadata, Picture
from tita_cli.images.quantize import quantize

_RELATIVE_COLORIMETRIC = 1

Space = Literal["RGB", "GRAY", "CMYK"]
_SPACES: dict[str, Space] = {"RGB": "RGB", "GRAY": "GRAY", "CMYK": "CMYK"}


def profile_space(icc: bytes | None) -> Space | None:
    """The kind of samples that ``icc`` describes; None for another kind, a damaged profile, or none."""
    if not icc:
        return None
    from PIL import ImageCms

    try:
        return _SPACES.get(ImageCms.ImageCmsProfile(io.BytesIO(icc)).profile.xcolor_space.strip())
    except (OSError, ValueError):  # ValueError: a name of the space that is not ASCII
        return None


def is_usable(icc: bytes) -> bool:
    """Whether ``icc`` describes grey, RGB or CMYK samples, and colours can be brought from it into sRGB."""
    space = profile_space(icc)
    if space is None:
        return False
    probe = np.zeros((1, 1, 4 if space == "CMYK" else 3), np.float32)
    try:
        _transform(probe, icc, _srgb(), space, "RGB", exact=False)
    except InputError:
        return False
    return True


def profile_name(icc: bytes | None) -> str | None:
    """What ``icc`` calls itself; None where it is damaged, or there is none."""
    from PIL import ImageCms

    if not icc:
        return None
    try:
        return ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(icc))).strip()
    except (OSError, ValueError, ImageCms.PyCMSError):
        return None


class Profiled(Protocol):
    """A picture, or what is known of one."""

    @property
    def is_color(self) -> bool: ...

    @property
    def metadata(self) -> Metadata: ...


def common_profile(reference: Profiled, color: Profiled | None = None) -> bytes | None:
    """The profile that a fused picture bears: the reference's, or where that is grey, the one of ``color``.

    ``color``: the first source in colour, None where there is none. None means sRGB.
    """
    chosen = reference if reference.is_color or color is None else color
    fitting: Space = "RGB" if chosen.is_color else "GRAY"
    return chosen.metadata.icc if profile_space(chosen.metadata.icc) == fitting else None


def to_profile(picture: Picture, icc: bytes | None) -> Picture:
    """``picture`` brought into the profile ``icc`` and tagged with it; None stands for sRGB.

    An untagged colour picture counts as sRGB. An untagged grey one, thermal counts above all, is data rather than
    colour and stays as it is; a tagged one stays grey, with the tone of its greys in the new profile.

    :raises InputError: one of the profiles describes only the other direction.
    """
    own_space: Space = "RGB" if picture.is_color else "GRAY"
    target_space = profile_space(icc) or "RGB"
    own = picture.metadata.icc if profile_space(picture.metadata.icc) == own_space else None
    pixels = picture.pixels
    means_color = own is not None or picture.is_color
    if means_color and not _same(own, icc) and (target_space == "RGB" or not picture.is_color):
        source, target = own or _srgb(), icc or _srgb()
        moved = _transform(
            pixels, source, target, own_space, target_space, exact=picture.depth > 8, name=picture.name
        )  # fmt: skip
        pixels = np.ascontiguousarray(moved[..., : pixels.shape[2]])
    return replace(picture, pixels=pixels, metadata=replace(picture.metadata, icc=icc))


def cmyk_to_rgb(inks: npt.NDArray[Any], icc: bytes | None) -> tuple[npt.NDArray[np.uint16], bool]:
    """H×W×4 unsigned inks, full scale = all of it, to sRGB, 16 bits; and whether a profile said how.

    Without a usable CMYK profile the inks are taken for ideal filters, which is what programs do that know no better.
    """
    if icc is not None and profile_space(icc) == "CMYK" and is_usable(icc):
        import imagecodecs

        converted = imagecodecs.cms_transform(
            np.ascontiguousarray(inks), icc, _srgb(),
            colorspace="cmyk", outcolorspace="rgb", outdtype="uint16", intent=_RELATIVE_COLORIMETRIC,
        )  # fmt: skip
        return converted, True
    shares = inks.astype(np.float32) / np.iinfo(inks.dtype).max
    return quantize((1 - shares[..., :3]) * (1 - shares[..., 3:]), 16), False


def _transform(
    pixels: FloatArray,
    source: bytes,
    target: bytes,
    source_space: Space,
    target_space: Space,
    *,
    exact: bool,
    name: str = "<memory>",
) -> FloatArray:
    """Pixels in another profile. Optimised integers, right to a fifth of an 8-bit step, or ``exact`` and slower."""
    import imagecodecs

    samples: npt.NDArray[Any] = pixels if exact else quantize(pixels, 16)
    if source_space == "GRAY":
        samples = samples[..., 0]
    try:
        moved: npt.NDArray[Any] = imagecodecs.cms_transform(
            np.ascontiguousarray(samples), source, target,
            colorspace=source_space.lower(), outcolorspace=target_space.lower(), intent=_RELATIVE_COLORIMETRIC,
        )  # fmt: skip
    except (imagecodecs.CmsError, ValueError) as error:
        raise InputError(
            f"{name}: cannot be brought from one ICC profile into another ({error})",
            hint="convert the pictures to sRGB first",
        ) from error
    moved = moved if moved.ndim == 3 else moved[..., None]
    scaled: FloatArray = np.maximum(moved, 0) if exact else np.divide(moved, np.float32(65535), dtype=np.float32)
    return scaled


def _srgb() -> bytes:
    from PIL import ImageCms

    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def _same(a: bytes | None, b: bytes | None) -> bool:
    """Whether two profiles are one and the same; all that call themselves sRGB are."""
    return a == b or (_is_srgb(a) and _is_srgb(b))


def _is_srgb(icc: bytes | None) -> bool:
    return icc is None or (profile_name(icc) or "").startswith("sRGB")

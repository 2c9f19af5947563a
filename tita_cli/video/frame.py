"""Frames as planes of numbers: luminance and half-size chroma, upright, in the codes of the video."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from tita_cli.images.picture import FloatArray, Picture
from tita_cli.options import Depth

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

Codes: TypeAlias = npt.NDArray[Any]
"""Samples as a video holds them: uint8, or uint16 of all that is deeper."""

FULL_RANGE, LIMITED_RANGE = 2, 1
"""libav's names for codes 0..255, and for 16..235 of 8 bits, in which video is as a rule."""
BT601 = 6
_NEUTRAL = 0.75
"""Mean distance of chroma codes from the middle, of 255, below which a frame is grey."""


@dataclass(frozen=True, slots=True)
class Layout:
    """What all frames of a clip are like, as they are read: of one size, ``format`` of libav, and colour tags.

    ``turns``: quarter turns counterclockwise that put a frame upright; ``width`` and ``height`` are those of the
    stored frame. ``full``: whether all codes are used.
    """

    width: int
    height: int
    format: str
    depth: Depth
    is_color: bool
    full: bool
    turns: int
    tags: dict[str, int]

    @classmethod
    def of(cls, frame: VideoFrame) -> Layout:
        """By a clip's first frame."""
        parts = frame.format.components
        is_color = frame.format.is_rgb or any(part.is_chroma for part in parts) or frame.format.has_palette
        deep = max(part.bits for part in parts) > 8
        name = ("yuv420p16le" if deep else "yuv420p") if is_color else "gray16le" if deep else "gray"
        is_yuv = any(part.is_chroma for part in parts)
        full = frame.color_range == FULL_RANGE or frame.format.name.startswith("yuvj")
        if not is_yuv:
            full = not is_color and frame.color_range != LIMITED_RANGE  # RGB is converted to limited range
        tags = {
            "colorspace": frame.colorspace if is_yuv else BT601,
            "color_primaries": frame.color_primaries,
            "color_trc": frame.color_trc,
        }
        turns = round(frame.rotation / 90) % 4
        return cls(frame.width, frame.height, name, 16 if deep else 8, is_color, full, turns, tags)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of upright frames."""
        return (self.height, self.width) if self.turns % 2 else (self.width, self.height)

    @property
    def dtype(self) -> type[np.uint8] | type[np.uint16]:
        return np.uint8 if self.depth == 8 else np.uint16

    @property
    def levels(self) -> tuple[int, int]:
        """The codes of black and white luminance."""
        if self.full:
            return 0, 255 if self.depth == 8 else 65535
        return (16, 235) if self.depth == 8 else (16 << 8, 235 << 8)

    @property
    def chroma_levels(self) -> tuple[float, float]:
        """The code of no colour, and how far from it the most colour is."""
        scale = 1 if self.depth == 8 else 256
        return 128.0 * scale, (127.5 if self.full else 112.0) * scale


@dataclass(frozen=True, slots=True)
class Frame:
    """``ticks``: its time stamp in units of its clip's time base, 0 where the clip begins; ``time``: in seconds.

    ``luminance``: H×W; ``chroma``: Cb and Cr, ⌈H/2⌉×⌈W/2⌉ each, None for a grey clip. ``origin``: libav's frame.
    """

    ticks: int
    time: Fraction
    luminance: Codes
    chroma: tuple[Codes, Codes] | None
    layout: Layout
    origin: Any

    @classmethod
    def of(cls, frame: VideoFrame, layout: Layout, ticks: int, time_base: Fraction) -> Frame:
        """Convert where needed; what comes in the layout's format is not copied."""
        other = (frame.width, frame.height) != (layout.width, layout.height)
        if other or frame.format.name.replace("yuvj", "yuv") != layout.format:
            into = {"dst_colorspace": BT601, "dst_color_range": LIMITED_RANGE} if frame.format.is_rgb else {}
            frame = frame.reformat(width=layout.width, height=layout.height, format=layout.format, **into)
        planes = [np.rot90(_codes(plane, layout), layout.turns) for plane in frame.planes[:3]]
        chroma = (planes[1], planes[2]) if len(planes) == 3 else None
        return cls(ticks, ticks * time_base, planes[0], chroma, layout, frame)

    @property
    def is_grey(self) -> bool:
        """Whether it shows no colour, though it may be stored as if it did."""
        if self.chroma is None:
            return True
        middle, scale = (128, 1) if self.layout.depth == 8 else (128 << 8, 256)
        return all(float(np.abs(plane.astype(np.int32) - middle).mean()) < _NEUTRAL * scale for plane in self.chroma)

    def picture(self, name: str) -> Picture:
        """As a still: H×W×1 where it shows no colour, else R, G, B."""
        black, white = self.layout.levels
        if self.is_grey:
            pixels = (self.luminance[..., None].astype(np.float32) - np.float32(black)) / np.float32(white - black)
            levels = (0.0, float(white)) if self.layout.full else (float(black), float(white))
            return Picture(_limited(pixels, self.layout), None, self.layout.depth, name, levels=levels)
        deep = self.layout.depth > 8
        pixels = self.rgb(deep=deep).astype(np.float32) / np.float32(65535 if deep else 255)
        return Picture(pixels, None, self.layout.depth, name, levels=(0.0, 65535.0 if deep else 255.0))

    def rgb(self, *, deep: bool = False) -> Codes:
        """H×W×3, upright."""
        shown = self.origin.reformat(format="rgb48le" if deep else "rgb24", dst_color_range=FULL_RANGE)
        return np.asarray(np.rot90(shown.to_ndarray(), self.layout.turns))


def _limited(pixels: FloatArray, layout: Layout) -> FloatArray:
    return pixels if layout.full else np.asarray(np.clip(pixels, 0, 1), np.float32)


def _codes(plane: Any, layout: Layout) -> Codes:
    """A view of libav's plane, without the padding of its rows."""
    step = plane.line_size // np.dtype(layout.dtype).itemsize
    codes = np.frombuffer(plane, layout.dtype, count=plane.height * step)
    return codes.reshape(plane.height, step)[:, : plane.width]

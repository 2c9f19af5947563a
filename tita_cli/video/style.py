"""Balance, palette and overlay of a clip: what ``tita_cli.fusion.thermal`` does to stills, in the codes of a video."""

from __future__ import annotations

import cv2
import numpy as np

from tita_cli.fusion.plan import Plan
from tita_cli.fusion.scale import scale_of
from tita_cli.fusion.thermal import HOT_PALETTE, infrared_of, overlaid, palette_differences
from tita_cli.images.palettes import palettes
from tita_cli.images.picture import FloatArray
from tita_cli.options import FuseOptions
from tita_cli.video.frame import BT601, Codes, Layout
from tita_cli.video.fusing import Ready

_WEIGHTS = {1: (0.2126, 0.7152, 0.0722), 9: (0.2627, 0.6780, 0.0593), 10: (0.2627, 0.6780, 0.0593)}
"""By libav's number of a colour space (BT.709, BT.2020): the shares of R, G and B in luminance."""
_BT601_WEIGHTS = (0.299, 0.587, 0.114)


class Style:
    """What the user asks for beyond the network's picture. ``colors``: whether frames get colour from it."""

    def __init__(self, plan: Plan, how: FuseOptions, layout: Layout, colored: tuple[int, ...]) -> None:
        """``layout``: of the result. ``colored``: indices of the clips whose chroma frames have.

        Raises OptionError where it is not clear which clip is the infrared.
        """
        self.colors = how.palette is not None or how.overlay is not None
        self._infrared = infrared_of(plan, how) if self.colors else None
        second = 1 if plan.roles.infrared is None else plan.roles.infrared
        self._toward, self._share = second if how.balance > 0.5 else 1 - second, np.float32(abs(2 * how.balance - 1))
        self._colored, self._overlay, self._layout = colored, how.overlay, layout
        self._plan, self._shown = plan, False
        self._table = palettes()[how.palette or HOT_PALETTE] / np.float32(255) if self.colors else None

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know of the frames so far."""
        if self._overlay is None or self._infrared is None or self._shown:
            return ()
        name = self._plan.looks[self._infrared].name
        low, high = sorted(scale_of(self._plan, self._infrared).ends)
        return (
            f"{name}: nothing is hotter than `overlay` {self._overlay:g}, its first frame shows {low:g} to {high:g}",
        )

    def picture(self, frame: Ready) -> tuple[FloatArray, tuple[Codes, Codes] | None]:
        """Luminance H×W in 0..1, and chroma in codes, of half the size."""
        luminance, chroma = frame.luminance(), frame.chroma()
        if self._share:
            luminance += self._share * (frame.planes[self._toward] - luminance)
            if chroma is not None:
                own = dict(zip(self._colored, frame.colors, strict=True)).get(self._toward)
                chroma = self._mixed(chroma, own or self._grey(chroma), self._share)
        if self._infrared is None or self._table is None:
            return luminance, chroma
        return self._painted(luminance, chroma, frame, self._infrared, self._table)

    def _painted(
        self, luminance: FloatArray, chroma: tuple[Codes, Codes] | None, frame: Ready, infrared: int, table: FloatArray
    ) -> tuple[FloatArray, tuple[Codes, Codes]]:
        heat = np.clip(frame.planes[infrared], 0, 1)
        share: FloatArray = np.ones_like(heat)
        if frame.hot is not None:
            self._shown = self._shown or bool(frame.hot.any())
            luminance, share = overlaid(frame.hot, luminance)
        weights = _WEIGHTS.get(self._layout.tags.get("colorspace", BT601), _BT601_WEIGHTS)
        middle, reach = self._layout.chroma_levels
        size = -(-luminance.shape[1] // 2), -(-luminance.shape[0] // 2)
        differences = palette_differences(heat, luminance, table, weights)
        blue, red = (
            cv2.resize(np.float32(reach / (1 - weight)) * plane, size, interpolation=cv2.INTER_AREA)
            + np.float32(middle)
            for plane, weight in zip(differences, (weights[2], weights[0]), strict=True)
        )
        before = chroma or self._grey((blue, red))
        return luminance, self._mixed(before, (blue, red), cv2.resize(share, size, interpolation=cv2.INTER_AREA))

    def _mixed(
        self, one: tuple[Codes, Codes], two: tuple[Codes, Codes], share: FloatArray | np.float32
    ) -> tuple[Codes, Codes]:
        """``one`` with the share ``share`` of ``two``, as codes."""
        dtype, top = self._layout.dtype, np.iinfo(self._layout.dtype).max
        blue, red = (
            np.rint(first + share * (second - first.astype(np.float32))).clip(0, top).astype(dtype)
            for first, second in zip(one, two, strict=True)
        )
        return blue, red

    def _grey(self, like: tuple[Codes, Codes]) -> tuple[Codes, Codes]:
        plane = np.full(like[0].shape, self._layout.chroma_levels[0], np.float32)
        return plane, plane

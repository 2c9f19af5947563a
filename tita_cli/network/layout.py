"""Layout that all networks share: padding, channel order, what a network gives."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class FusionOutput(NamedTuple):
    """What a network gives.

    ``fused``: B×1×H×W luminance, not clamped. ``weights``: B×6, OAF's, three for A and three for B.
    ``gate``: B×1×H×W in 0..1, the share of A in every pixel, and ``residual``: B×1×H×W, what is added to the blend;
    both None for a network that does not blend its sources. For the losses, ``logits``: the gate before its sigmoid,
    ``region``: B×1×H×W in −1..1, the outcome of the region vote, and ``saliency_weight``: B×1 in 0..1, how much
    salient parts of B count.
    """

    fused: Tensor
    weights: Tensor
    gate: Tensor | None = None
    residual: Tensor | None = None
    logits: Tensor | None = None
    region: Tensor | None = None
    saliency_weight: Tensor | None = None

    def cropped(self, height: int, width: int) -> FusionOutput:
        """All planes without their padding."""
        planes = {k: x[..., :height, :width] for k, x in self._asdict().items() if x is not None and x.ndim == 4}
        return self._replace(**planes)


def reflect_index(length: int, padded: int, device: torch.device) -> Tensor:
    """Where position 0..padded−1 of an axis of ``length`` looks when reflected at its end, as often as needed.

    ``torch.nn.functional.pad`` refuses to reflect by more than the axis holds; images of one pixel exist.
    """
    period = max(2 * (length - 1), 1)
    i = torch.arange(padded, device=device)
    i = i.remainder(torch.full_like(i, period))  # by a tensor: a symbolic length can be exported only so
    return torch.minimum(i, period - i)


def pad_to_multiple(x: Tensor, multiple: int) -> Tensor:
    """Reflect ``x`` (B×C×H×W) at the bottom and right until H and W are multiples of ``multiple``."""
    h, w = x.shape[-2:]
    # Not -(-n // multiple): ONNX divides integers towards zero.
    padded_h, padded_w = ((n + multiple - 1) // multiple * multiple for n in (h, w))
    if padded_h != h:
        x = x.index_select(-2, reflect_index(h, padded_h, x.device))
    if padded_w != w:
        x = x.index_select(-1, reflect_index(w, padded_w, x.device))
    return x


def to_tokens(x: Tensor) -> Tensor:
    """B×C×H×W → B×H×W×C."""
    return x.permute(0, 2, 3, 1).contiguous()


def to_map(x: Tensor) -> Tensor:
    """B×H×W×C → B×C×H×W, in channels-last memory: no copy."""
    return x.permute(0, 3, 1, 2)

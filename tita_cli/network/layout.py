"""Layout: padding and the order of channels."""

from __future__ import annotations

import torch
from torch import Tensor


def reflect_index(length: int, padded: int, device: torch.device) -> Tensor:
    """Where position 0..padded−1 of an axis of ``length`` looks when reflected at its end, as often as needed.

    ``torch.nn.functional.pad`` refuses to reflect by more than the axis holds; images of one pixel exist.
    """
    period = 2 * length - 2 + (length == 1)  # not max(): a length that varies is compared at every run
    i = torch.arange(padded, device=device)
    i = i.remainder(torch.full_like(i, period))
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

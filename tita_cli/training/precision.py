"""Precision of training: bf16 autocast where the hardware supports it, else fp32."""

from __future__ import annotations

from typing import Literal

import torch

from tita_cli.errors import DeviceError
from tita_cli.network.bf16 import has_bf16


def choose_precision(wanted: Literal["auto", "fp32", "bf16"], device: torch.device) -> Literal["fp32", "bf16"]:
    """Resolve "auto". Raises ``DeviceError`` if bf16 is requested where it would be emulated."""
    if wanted == "auto":
        return "bf16" if has_bf16(device) else "fp32"
    if wanted == "bf16" and not has_bf16(device):
        raise DeviceError(
            f"precision bf16: this {device.type} has no bf16 instructions, and emulation is hundreds of times slower",
            hint='precision = "auto" chooses',
        )
    return wanted

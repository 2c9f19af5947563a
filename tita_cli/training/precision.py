"""Precision of training: bf16 autocast where the hardware supports it, else fp32."""

from __future__ import annotations

import platform
from typing import Literal

import torch

from tita_cli.errors import DeviceError


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


def has_bf16(device: torch.device) -> bool:
    """Whether ``device`` multiplies bf16 in hardware.

    PyTorch accepts bf16 on any CPU and emulates it where it must, hundreds of times slower than fp32; oneDNN's own
    check says yes to plain AVX-512. So the instructions themselves are asked for.
    """
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type != "cpu":
        return False
    there = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    if not (there and torch.ops.mkldnn._is_mkldnn_bf16_supported()):
        return False
    if platform.machine().lower() in ("aarch64", "arm64"):
        return True  # there oneDNN's check asks for the instructions
    return any(getattr(torch.cpu, name, bool)() for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"))

"""Whether a device multiplies bf16."""

from __future__ import annotations

import platform

import torch


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

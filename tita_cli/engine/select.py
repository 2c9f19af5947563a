"""Which back end runs a model on which device: what was asked for, or what is really there."""

from __future__ import annotations

import re

from tita_cli.engine.models import find_model
from tita_cli.engine.threads import usable_cores
from tita_cli.engine.tiles import Halves
from tita_cli.errors import UsageError

BACKENDS = ("auto", "torch", "onnx")


def select(model: str, *, backend: str, device: str, threads: int | None) -> tuple[Halves, tuple[str, ...]]:
    """The halves of ``model`` on a back end and a device, and what the user should know of the choice."""
    if backend not in BACKENDS:
        raise UsageError(f"unknown back end {backend!r}", hint=f"one of {', '.join(BACKENDS)}")
    check_device(device)
    from tita_cli.engine.torch_backend import load_torch

    return load_torch(find_model(model, suffix=".safetensors"), device, threads or usable_cores()), ()


def check_device(device: str) -> None:
    """Raise ``UsageError`` for what is no device's name."""
    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", device):
        raise UsageError(f"unknown device {device!r}", hint="auto, cpu, cuda or cuda:N")

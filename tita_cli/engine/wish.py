"""Where a network shall run, as a user says it. Light: imports nothing that takes time."""

from __future__ import annotations

import re
from typing import Literal, NamedTuple, TypeAlias, get_args

from tita_cli.errors import UsageError

BACKENDS = ("auto", "torch", "onnx")
Precision: TypeAlias = Literal["fp32", "bf16"]
PRECISIONS: tuple[str, ...] = get_args(Precision)


class Wish(NamedTuple):
    """Where a network shall run, and in which arithmetic. ``provider``: ONNX Runtime's, or None for what fits the
    device. ``precision``: bf16 is PyTorch's on a CPU that multiplies such numbers."""

    backend: str = "auto"
    device: str = "auto"
    provider: str | None = None
    precision: str = "fp32"

    def check(self) -> None:
        """Raise ``UsageError`` for names that are none, or that contradict each other."""
        if self.backend not in BACKENDS:
            raise UsageError(f"unknown back end {self.backend!r}", hint=f"one of {', '.join(BACKENDS)}")
        if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", self.device):
            raise UsageError(f"unknown device {self.device!r}", hint="auto, cpu, cuda or cuda:N")
        if self.precision not in PRECISIONS:
            raise UsageError(f"unknown precision {self.precision!r}", hint=f"one of {', '.join(PRECISIONS)}")
        if self.precision == "bf16" and (self.backend == "onnx" or self.provider):
            raise UsageError("--precision bf16 is for PyTorch", hint="leave out --backend onnx and --provider")
        if self.precision == "bf16" and self.device.startswith("cuda"):
            raise UsageError("--precision bf16 is for the CPU", hint="leave out --device cuda")
        if self.provider and self.backend == "torch":
            raise UsageError(f"--provider {self.provider} is for ONNX Runtime", hint="leave out --backend torch")
        provider = (self.provider or "").lower().removesuffix("executionprovider")
        other = "cuda" if provider == "cpu" else "cpu"
        if provider and self.device.startswith(other):
            raise UsageError(f"--provider {self.provider} and --device {self.device} contradict each other")

    @property
    def gpu(self) -> int:
        """Which GPU, from 0."""
        return int(self.device.partition(":")[2] or 0)

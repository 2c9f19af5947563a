"""``load_engine``: a model becomes something that fuses luminance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tita_cli.engine.models import find_model
from tita_cli.errors import UsageError

if TYPE_CHECKING:
    from tita_cli.images.picture import FloatArray

BACKENDS = ("auto", "torch", "onnx")


@dataclass(frozen=True, slots=True)
class Luminance:
    """What a network makes of two luminances.

    ``fused``: H×W float32 in 0..1. ``gate``: H×W float32 in 0..1, the share of A in every pixel, or None for a network
    that paints its picture itself. ``weights``: OAF's six, float32, three for A and three for B, sum 1.
    """

    fused: FloatArray
    gate: FloatArray | None
    weights: FloatArray


class Engine:
    """A loaded network. Use it as often as you like, from one thread at a time."""

    def __init__(self, backend: Any) -> None:
        self._backend = backend

    def fuse(self, a: FloatArray, b: FloatArray) -> Luminance:
        """Fuse two luminances, H×W float32 in 0..1, of the same size."""
        if a.ndim != 2 or a.shape != b.shape or 0 in a.shape:
            raise UsageError(f"an engine fuses two luminances H×W of one size, not {a.shape} and {b.shape}")
        a, b = np.ascontiguousarray(a, np.float32), np.ascontiguousarray(b, np.float32)
        fused, gate, weights = self._backend.whole(a, b)
        return Luminance(np.clip(fused, 0, 1, out=fused), gate, weights)

    def describe(self) -> dict[str, Any]:
        """What runs, in words fit for JSON: variant, back end, device, precision, threads."""
        return dict(self._backend.describe())


def load_engine(
    model: str,
    *,
    backend: str = "auto",
    device: str = "auto",
    threads: int | None = None,
    memory: int | None = None,
    precision: str = "fp32",
) -> Engine:
    """Load ``model``, a shipped name or a file, for fusing.

    Raises ``ModelError`` for the model, ``DeviceError`` for a device or back end that cannot be used, ``UsageError``
    for values that are none.
    """
    if backend not in BACKENDS:
        raise UsageError(f"unknown back end {backend!r}", hint=f"known: {', '.join(BACKENDS)}")
    from tita_cli.engine.torch_backend import TorchBackend

    return Engine(TorchBackend(find_model(model, suffix=".safetensors"), device=device, threads=threads))

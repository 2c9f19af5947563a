"""``load_engine``: a model becomes something that fuses luminance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tita_cli.engine.onnx_whole import OnnxWhole
from tita_cli.engine.tiles import SMALLEST, Halves, OutOfMemoryError, Planes, largest_tile, run
from tita_cli.errors import UsageError

if TYPE_CHECKING:
    from tita_cli.images.picture import FloatArray


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

    def __init__(self, network: Halves | OnnxWhole, *, memory: int | None = None, notes: tuple[str, ...] = ()) -> None:
        if memory is not None and memory < 1:
            raise UsageError(f"an engine cannot work in {memory} bytes")
        self._network = network
        self._memory = memory
        self._notes = notes
        self._ran: dict[str, Any] = {}

    def fuse(self, a: FloatArray, b: FloatArray) -> Luminance:
        """Fuse two luminances, H×W float32 in 0..1, of the same size: as a whole, or in tiles where memory is short.

        Raises ``DeviceError`` where not even the smallest tile fits.
        """
        if a.ndim != 2 or a.shape != b.shape or 0 in a.shape:
            raise UsageError(f"an engine fuses two luminances H×W of one size, not {a.shape} and {b.shape}")
        a, b = np.ascontiguousarray(a, np.float32), np.ascontiguousarray(b, np.float32)
        planes = self._run(a, b)
        return Luminance(np.clip(planes.fused, 0, 1), planes.gate, planes.weights)

    def describe(self) -> dict[str, Any]:
        """What runs, in words fit for JSON: variant, back end, device, precision, and how the last image was cut."""
        notes = {"notes": list(self._notes)} if self._notes else {}
        return {"variant": self._network.geometry.variant, **self._network.describe(), **self._ran, **notes}

    def _run(self, a: FloatArray, b: FloatArray) -> Planes:
        if isinstance(self._network, OnnxWhole):
            return self._network.run(a, b)
        halves, step = self._network, self._network.geometry.multiple
        shape = (a.shape[0], a.shape[1])
        budget = self._memory or halves.free_memory()
        halves.keep_within(budget)
        side = largest_tile(halves, shape, budget)
        retries = 0
        while True:
            try:
                planes = run(halves, a, b, side)
            except OutOfMemoryError:
                side = (side or -(-max(shape) // step)) // 2
                retries += 1
                if side < SMALLEST:
                    raise
            else:
                break
        self._ran = {"mode": "whole"} if side is None else {"mode": "tiled", "tile": side * step}
        if retries:
            self._ran["out_of_memory"] = retries
        return planes


def load_engine(
    model: str,
    *,
    backend: str = "auto",
    device: str = "auto",
    provider: str | None = None,
    precision: str = "fp32",
    threads: int | None = None,
    memory: int | None = None,
) -> Engine:
    """Load ``model``, a shipped name or a file, for fusing.

    ``backend``: auto, torch or onnx. ``device``: auto, cpu, cuda or cuda:N. ``provider``: one of ONNX Runtime's, as
    "cuda" or "tensorrt". ``precision``: fp32, or bf16 for PyTorch on a CPU that multiplies such numbers: ``tita`` is
    faster, ``tita-lite`` is not, and off by less than 1/255 in the mean. ``memory``: bytes that the engine may take for
    its work on one image; half of what is free where None.

    Raises ``ModelError`` for the model, ``DeviceError`` for a device or back end that cannot be used, ``UsageError``
    for values that are none.
    """
    from tita_cli.engine.select import select
    from tita_cli.engine.wish import Wish

    network, notes = select(model, Wish(backend, device, provider, precision), threads)
    return Engine(network, memory=memory, notes=notes)

"""``load_engine``: a model becomes something that fuses luminance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import numpy as np

from tita_cli.errors import UsageError
from tita_cli.runtime.device import DeviceRequest
from tita_cli.runtime.onnx_whole import WholeRunner
from tita_cli.runtime.set_engine import SetEngine, SetRunner, described
from tita_cli.runtime.tiles import SMALLEST, Fused, OutOfMemoryError, Runner, largest_tile, run, tile_bytes

if TYPE_CHECKING:
    from tita_cli.images.picture import FloatArray
    from tita_cli.network.spec import Spec


@dataclass(frozen=True, slots=True)
class Luminance:
    """What a network makes of luminances.

    ``fused``: H×W float32 in 0..1. ``weights``: OAF's, float32, three for each source, sum 1.
    """

    fused: FloatArray
    weights: FloatArray


class Engine:
    """A loaded network. Use it as often as you like, from one thread at a time."""

    def __init__(self, runner: Runner | WholeRunner, *, memory: int | None = None, notes: tuple[str, ...] = ()) -> None:
        if memory is not None and memory < 1:
            raise UsageError(f"an engine cannot work in {memory} bytes")
        self._runner = runner
        self._memory = memory
        self._notes = notes
        self._ran: dict[str, Any] = {}

    @property
    def spec(self) -> Spec:
        """What the network declares of itself: its kind and variant, how many sources it takes."""
        return self._runner.spec

    def fuse(self, *images: FloatArray) -> Luminance:
        """Fuse as many luminances as the network takes, H×W float32 in 0..1, all of the same size.

        As a whole, or in tiles where memory is short. Raises ``DeviceError`` where not even the smallest tile fits.
        """
        shapes = {image.shape for image in images}
        if len(images) != self.spec.sources or len(shapes) != 1 or images[0].ndim != 2 or 0 in images[0].shape:
            given = ", ".join(str(image.shape) for image in images)
            raise UsageError(f"this engine fuses {self.spec.sources} luminances H×W of one size, not {given}")
        fused, weights = self._run([np.ascontiguousarray(image, np.float32) for image in images])
        return Luminance(np.clip(fused, 0, 1), weights)

    def describe(self) -> dict[str, Any]:
        """What runs, fit for JSON: variant, back end, device, precision, and how the last image was cut.

        ``needs``: bytes for the smallest tile, where that is more than the engine may take or finds free.
        """
        return described(self.spec, self._runner.describe() | self._ran, self._notes, self._memory)

    def _run(self, images: Sequence[FloatArray]) -> Fused:
        if isinstance(self._runner, WholeRunner):
            fused, weights, *_ = self._runner.run(*(image[None, None] for image in images))
            return Fused(fused[0, 0], weights[0])
        runner, step = self._runner, self.spec.multiple
        shape = (images[0].shape[0], images[0].shape[1])
        budget = self._memory or runner.free_memory()
        runner.keep_within(budget)
        side = largest_tile(runner, shape, budget)
        retries = 0
        while True:
            try:
                result = run(runner, images, side)
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
        if (needed := tile_bytes(runner, shape, SMALLEST)) > budget:
            self._ran["needs"] = needed
        return result


AnyEngine: TypeAlias = Engine | SetEngine
"""What fuses a pair of luminances, or decides on a set of them."""


def load_engine(
    model: str,
    *,
    backend: str = "auto",
    device: str = "auto",
    provider: str | None = None,
    threads: int | None = None,
    memory: int | None = None,
) -> AnyEngine:
    """Load ``model``, a shipped name or a file, for fusing.

    ``backend``: auto, torch or onnx. ``device``: auto, cpu, cuda or cuda:N. ``provider``: one of ONNX Runtime's, as
    "cuda" or "tensorrt". ``memory``: bytes that the engine may take for its work on one image; half of what is free
    where None.

    Raises ``ModelError`` for the model, ``DeviceError`` for a device or back end that cannot be used, ``UsageError``
    for values that there are not.
    """
    from tita_cli.runtime.select import select

    runner, notes = select(model, DeviceRequest(backend, device, provider), threads)
    if runner.spec.kind == "set":
        return SetEngine(cast("SetRunner", runner), memory=memory, notes=notes)
    return Engine(cast("Runner | WholeRunner", runner), memory=memory, notes=notes)

"""Run a network block by block, each on chunks of windows that fit the cache, on several cores.

Apart from a few convolutions and OAF's pooling everything in the network is local to a window. So a whole block is run
on a few windows at a time: intermediates never leave the cache, and all that lies in memory is the feature maps. What a
chunk is made of changes no number in it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import BoundedSemaphore
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from tita_cli.engine.box import Box
from tita_cli.engine.denormals import flush_denormals
from tita_cli.engine.detail import Detail, blend, contrast, darkest, detail, enlarged, outcome, votes
from tita_cli.engine.geometry import MERGE_REACH, Geometry
from tita_cli.engine.memory import free_memory
from tita_cli.engine.patches import Patch, patches
from tita_cli.engine.windows import TOKENS, Chunk, chunks, put, take

if TYPE_CHECKING:
    from tita_cli.engine.afar import DoubleArray
    from tita_cli.images.picture import FloatArray

PATCH = 16
"""Windows to the side of what a convolution is run on."""
MERGE_PATCH = 8
"""The same where OAF merges: it has ten maps of every patch at once, beside the three that are in memory then."""
_PATCH_BYTES = 320 << 20
"""What a convolution takes on a patch; a chunk of windows takes next to nothing."""
_STRIP_BYTES = 4096
"""The same for a pixel of an image so small that every thread gets a strip of it, with what lies around the strips."""


class Kernels(Protocol):
    """The network's steps, each on one core; called from several threads at once.

    Windows are N×C×64, maps C×H×W in tokens, images H×W in pixels, all float32. ``kind``: of torn windows, see
    ``tita_cli.engine.windows``. Steps on windows may work in place; what they return counts. Networks without a gate
    have no use for contrast and detail, and get None; they paint their picture, the others the gate's logits and ρ.
    ``chunk``: how many windows at a time suit the kernels.
    """

    chunk: int

    def start_thread(self) -> None: ...

    def shallow(self, image: FloatArray, seen: FloatArray | None) -> FloatArray: ...

    def extract_a(self, block: int, kind: int, x: FloatArray) -> tuple[FloatArray]: ...

    def extract_b(self, block: int, kind: int, x: FloatArray) -> tuple[FloatArray]: ...

    def cross(self, block: int, kind: int, x: FloatArray, y: FloatArray) -> tuple[FloatArray, FloatArray]: ...

    def weigh(self, pooled: FloatArray) -> FloatArray: ...

    def merge(self, x: FloatArray, y: FloatArray, guidance: FloatArray) -> FloatArray: ...

    def reconstruct(self, block: int, kind: int, x: FloatArray) -> tuple[FloatArray]: ...

    def paint(
        self, a: FloatArray, b: FloatArray, z: FloatArray, seen: Detail | None, guidance: FloatArray
    ) -> tuple[FloatArray, FloatArray | None]: ...

    def describe(self) -> dict[str, Any]: ...


class Blocked:
    """See :class:`tita_cli.engine.tiles.Halves`. Feature maps are (H/8)×(W/8)×C×64 in tokens, float32."""

    def __init__(self, kernels: Kernels, geometry: Geometry, threads: int) -> None:
        self.geometry = geometry
        self._kernels = kernels
        self._threads = threads
        self._at_once, self._turns = threads, BoundedSemaphore(threads)
        self._pool = ThreadPoolExecutor(threads, "tita", initializer=self._start_thread)

    def encode(self, a: FloatArray, b: FloatArray, keep: Box) -> list[FloatArray]:
        """Luminance H×W of both sources → the features that OAF pools and merges."""
        k, g = self._kernels, self.geometry
        x, y = self._map(a.shape), self._map(b.shape)

        def shallow(patch: Patch) -> None:
            inner = patch.narrowed(g.lift_halo)
            for image, features in ((a, x), (b, y)):
                part = patch.cut_image(image, g.patch)
                seen = contrast(part)[(..., *inner.within(patch))] if g.has_gate else None
                inner.paste_windows(features, k.shallow(inner.cut_image(image, g.patch), seen))

        self._on_patches(x, g.shallow_halo, shallow)
        for i, shift in enumerate(g.extract):
            self._on_chunks(shift, [x], partial(k.extract_a, i))
            self._on_chunks(shift, [y], partial(k.extract_b, i))
        for i, shift in enumerate(g.fuse):
            self._on_chunks(shift, [x, y], partial(k.cross, i))
        return [x[keep.slices], y[keep.slices]]

    def pool(self, features: list[FloatArray]) -> DoubleArray:
        """The sum of each channel."""
        # In fp32 over a window, in fp64 over the windows: what a mean over a photograph needs.
        return np.concatenate([f.sum(3).sum((0, 1), dtype=np.float64) for f in features])

    def weigh(self, pooled: FloatArray) -> FloatArray:
        """The mean of both maps' channels, 2C → guidance."""
        return self._kernels.weigh(pooled)

    def decode(
        self, a: FloatArray, b: FloatArray, features: list[FloatArray], guidance: FloatArray
    ) -> tuple[FloatArray, FloatArray | None]:
        """Sources, features and guidance → the picture and its gate, H×W."""
        k, g = self._kernels, self.geometry
        z = self._map(a.shape)

        def merge(patch: Patch) -> None:
            x, y = (patch.cut_windows(f) for f in features)
            patch.paste_windows(z, k.merge(x, y, guidance))

        def paint(patch: Patch) -> None:
            inner, seen = patch.narrowed(g.blend_halo), None
            if g.has_gate:
                place = (..., *inner.within(patch, g.patch))
                found = detail(patch.cut_image(a, g.patch), patch.cut_image(b, g.patch))
                seen = Detail(*(planes[place] for planes in found))
            part_a, part_b = inner.cut_image(a, g.patch), inner.cut_image(b, g.patch)
            painted, residual = k.paint(part_a, part_b, inner.cut_windows(z), seen, guidance)
            inner.paste_image(fused, painted, g.patch)
            if residual is not None:
                inner.paste_image(second, residual, g.patch)
                for plane, part in zip(tokens, votes(painted), strict=True):
                    inner.paste_image(plane, part, 1)

        self._on_patches(z, MERGE_REACH, merge, MERGE_PATCH)
        features.clear()  # two thirds of the memory
        fused, second = np.empty(a.shape, np.float32), np.empty(a.shape if g.has_gate else 0, np.float32)
        tokens = np.empty((2, a.shape[0] // g.patch, a.shape[1] // g.patch) if g.has_gate else 0, np.float32)
        for i, shift in enumerate(g.reconstruct):
            self._on_chunks(shift, [z], partial(k.reconstruct, i))
        self._on_patches(z, g.head_halo, paint)
        if not g.has_gate:
            return fused, None
        decided, trust = outcome(tokens), float(guidance[-2])

        def decide(patch: Patch) -> None:
            core = patch.narrowed(0)
            floor = darkest(patch.cut_image(a, g.patch), patch.cut_image(b, g.patch))[core.within(patch, g.patch)]
            region = enlarged(patch.cut_image(decided, 1))[patch.rows.inside(g.patch), patch.cols.inside(g.patch)]
            of_a, of_b, logits, residual = (core.cut_image(plane, g.patch) for plane in (a, b, fused, second))
            painted = blend(of_a, of_b, logits, residual, region, trust, floor)
            for plane, part in zip((fused, second), painted, strict=True):
                core.paste_image(plane, part, g.patch)

        self._on_patches(z, 1, decide)  # the gate's logits and ρ become the picture and the gate, in their place
        return fused, second

    def bytes_for(self, pixels: int) -> int:
        """Three feature maps, the padded sources, the picture, its gate, the vote; what the patches in work take."""
        g = self.geometry
        scratch = min(_PATCH_BYTES * self._at_once, pixels * _STRIP_BYTES)
        return scratch + pixels * ((3 * 4 * g.dim + 5 * 4) // g.patch**2 + 4 * 4)

    def free_memory(self) -> int:
        return free_memory() // 2

    def keep_within(self, budget: int) -> None:
        """Only so many patches at once as half of ``budget`` has room for: many cores may have little memory each."""
        self._at_once = min(self._threads, max(1, budget // 2 // _PATCH_BYTES))
        self._turns = BoundedSemaphore(self._at_once)

    def _start_thread(self) -> None:
        flush_denormals()
        self._kernels.start_thread()

    def describe(self) -> dict[str, Any]:
        return {"precision": "fp32", **self._kernels.describe(), "device": "cpu", "threads": self._threads}

    def _map(self, image: tuple[int, ...]) -> FloatArray:
        step = self.geometry.multiple
        return np.empty((image[0] // step, image[1] // step, self.geometry.dim, TOKENS), np.float32)

    def _on_chunks(
        self,
        shift: int,
        maps: list[FloatArray],
        block: Callable[..., tuple[FloatArray, ...]],
    ) -> None:
        """Run ``block`` on every window of the maps."""

        def run(chunk: Chunk) -> None:
            if shift:
                for target, new in zip(maps, block(chunk.kind, *(take(m, chunk) for m in maps)), strict=True):
                    put(target, chunk, new)
                return
            views = [m.reshape(-1, *m.shape[2:])[chunk.left : chunk.right] for m in maps]
            for target, new in zip(views, block(chunk.kind, *views), strict=True):
                if new is not target:
                    target[...] = new

        rows, cols = maps[0].shape[:2]
        size = min(self._kernels.chunk, max(1, -(-rows * cols // self._threads)))
        # Windows that are not shifted lie one behind the other: to them the map is a single row.
        cut = chunks(rows, cols, True, size) if shift else chunks(1, rows * cols, False, size)
        self._run(run, cut)

    def _on_patches(self, windows: FloatArray, reach: int, run: Callable[[Patch], None], side: int = PATCH) -> None:
        rows, cols = windows.shape[:2]

        def in_turn(patch: Patch) -> None:
            with self._turns:
                run(patch)

        # Of a small image every thread gets a strip: it has least around it.
        small = rows * cols <= self._threads * side**2
        high, wide = (-(-rows // self._threads), cols) if small else (side, side)
        self._run(in_turn, patches(rows, cols, high, wide, reach))

    def _run(self, job: Callable[..., None], pieces: Iterable[object]) -> None:
        for _ in self._pool.map(job, pieces):
            pass

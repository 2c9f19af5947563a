"""Run an exported network in ONNX Runtime on the CPU, block by block, each on chunks of windows that fit the cache.

Apart from a few convolutions and OAF's pooling everything in the network is local to a window. So a whole block is run
on a few windows at a time, on several cores: intermediates never leave the cache, and all that lies in memory is the
feature maps. What a chunk is made of changes no number in it. Imports no torch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import BoundedSemaphore
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from tita_cli.errors import DeviceError, ModelError, explained, first_line
from tita_cli.models.onnx_file import HINT, OnnxFile, Step
from tita_cli.network.spec import MERGE_REACH, WEIGHTS, WINDOW, Spec, Stage
from tita_cli.runtime.memory import free_memory
from tita_cli.runtime.onnx_session import CPU, Place, open_session
from tita_cli.runtime.rectangle import Rectangle, rectangles
from tita_cli.runtime.threads import flush_denormals
from tita_cli.runtime.tiles import OutOfMemoryError
from tita_cli.runtime.windows import SIDE_SCORE, TOKENS, Chunk, chunks, cut, edge_sides, put, take, to_windows

if TYPE_CHECKING:
    from tita_cli.images.picture import FloatArray
    from tita_cli.runtime.tiles import DoubleArray

CHUNK = 16
"""Windows that a block works on at a time."""
PART = 16
"""Windows to the side of what a convolution works on at a time."""
MERGE_PART = 8
"""The same where OAF merges: it has ten maps of every part at once, beside the three that are in memory then."""
_PART_BYTES = 320 << 20
"""What a convolution takes on a part; a chunk of windows takes next to nothing."""
_STRIP_BYTES = 4096
"""The same for a pixel of an image so small that every thread gets a strip of it, with the halos of the strips."""


class Steps(Protocol):
    """The network's steps by name, each on one core; called from several threads at once.

    Windows are N×C×64, maps C×H×W in tokens, images H×W in pixels, all float32 and without a batch.
    """

    def run(self, name: str, *inputs: FloatArray) -> list[FloatArray]: ...

    def describe(self) -> dict[str, Any]: ...


class OnnxSteps:
    """An exported file's steps, a session each."""

    def __init__(self, file: OnnxFile) -> None:
        self._path, self._precision = file.path, file.precision
        self._steps: Mapping[str, Step] = file.steps(step_names(file.spec))
        self._sessions = {name: open_session(s.graph, Place(CPU), 1, s.weights) for name, s in self._steps.items()}

    def run(self, name: str, *inputs: FloatArray) -> list[FloatArray]:
        types = self._steps[name].inputs.items()
        feed = {key: np.ascontiguousarray(x, kind) for (key, kind), x in zip(types, inputs, strict=True)}
        try:
            return [np.asarray(result, np.float32) for result in self._sessions[name].run(None, feed)]
        except Exception as error:  # ONNX Runtime's own kinds have no other base
            if isinstance(explained(error), DeviceError):  # short memory, not the model
                raise OutOfMemoryError("out of memory") from error
            raise ModelError(f"{self._path}: {first_line(error)}", hint=HINT) from error

    def describe(self) -> dict[str, Any]:
        return {**Place(CPU).describe(), "precision": self._precision}


def block_names(stage: Stage) -> list[list[str]]:
    """For each block of a stage the names of its steps: one for all images, or one for each."""
    suffixes = [""] if stage.joint else ["_a", "_b"]
    return [[f"{stage.name}{suffix}.{i}" for suffix in suffixes] for i in range(len(stage.shifts))]


def step_names(spec: Spec) -> list[str]:
    """The steps that this runner takes."""
    encoder = [name for stage in spec.encoder for names in block_names(stage) for name in names]
    decoder = [names[0] for stage in spec.decoder for names in block_names(stage)]
    return ["shallow", *encoder, "weigh", "merge", *decoder, "head"]


class CpuRunner:
    """See :class:`tita_cli.runtime.tiles.Runner`. Feature maps are (H/8)×(W/8)×C×64 in tokens, float32."""

    def __init__(self, steps: Steps, spec: Spec, threads: int) -> None:
        self.spec = spec
        self._steps = steps
        self._threads = threads
        self._at_once, self._turns = threads, BoundedSemaphore(threads)
        self._pool = ThreadPoolExecutor(threads, "tita", initializer=flush_denormals)
        self._sides = np.float32(SIDE_SCORE) * edge_sides()

    def encode(self, images: Sequence[FloatArray], keep: Rectangle) -> list[FloatArray]:
        spec = self.spec
        maps = [self._map(image) for image in images]

        def shallow(core: Rectangle, seen: Rectangle) -> None:
            for image, features in zip(images, maps, strict=True):
                (result,) = self._run("shallow", _extent(spec.dim, seen), image[seen.slices][None])
                _paste(features, core, result, seen)

        self._on_parts(maps[0], spec.shallow_reach, shallow)
        for stage in spec.encoder:
            self._on_stage(stage, maps)
        return [features[keep.slices] for features in maps]

    def pool(self, features: list[FloatArray]) -> DoubleArray:
        # In fp32 over a window, in fp64 over the windows: what a mean over a photograph needs.
        return np.concatenate([f.sum(3).sum((0, 1), dtype=np.float64) for f in features])

    def weigh(self, pooled: FloatArray) -> FloatArray:
        (weights,) = self._run("weigh", (WEIGHTS,), pooled)
        return weights

    def decode(self, features: list[FloatArray], weights: FloatArray) -> FloatArray:
        spec = self.spec
        z = np.empty_like(features[0])

        def merge(core: Rectangle, seen: Rectangle) -> None:
            (result,) = self._run("merge", _extent(spec.dim, seen), *(cut(f, seen) for f in features), weights)
            _paste(z, core, result, seen)

        self._on_parts(z, MERGE_REACH, merge, MERGE_PART)
        features.clear()  # two thirds of the memory
        for stage in spec.decoder:
            self._on_stage(stage, [z])
        fused = np.empty(_tokens(z), np.float32)

        def head(core: Rectangle, seen: Rectangle) -> None:
            (result,) = self._run("head", _extent(1, seen), cut(z, seen))
            fused[core.slices] = result[(0, *core.relative_to(seen).slices)]

        self._on_parts(z, spec.head_reach, head)
        return fused

    def bytes_for(self, pixels: int) -> int:
        """Three feature maps, the padded sources, the result; what the parts in work take."""
        scratch = min(_PART_BYTES * self._at_once, pixels * _STRIP_BYTES)
        return scratch + pixels * 4 * (3 * self.spec.dim + 3)

    def free_memory(self) -> int:
        return free_memory() // 2

    def keep_within(self, budget: int) -> None:
        """Only so many parts at once as half of ``budget`` has room for: many cores may have little memory each."""
        self._at_once = min(self._threads, max(1, budget // 2 // _PART_BYTES))
        self._turns = BoundedSemaphore(self._at_once)

    def describe(self) -> dict[str, Any]:
        return {**self._steps.describe(), "device": "cpu", "threads": self._threads}

    def _map(self, image: FloatArray) -> FloatArray:
        rows, cols = (length // WINDOW for length in image.shape)
        return np.empty((rows, cols, self.spec.dim, TOKENS), np.float32)

    def _run(self, name: str, shape: tuple[int, ...], *inputs: FloatArray) -> list[FloatArray]:
        """A step on one image. Its results have to be of one shape: a file may claim anything."""
        results = self._steps.run(name, *(x[None] for x in inputs))
        return [_checked(name, result, (1, *shape))[0] for result in results]

    def _on_stage(self, stage: Stage, maps: Sequence[FloatArray]) -> None:
        for names, shift in zip(block_names(stage), stage.shifts, strict=True):
            if stage.joint:
                self._on_chunks(names[0], shift, maps)
            else:
                for name, features in zip(names, maps, strict=False):
                    self._on_chunks(name, shift, [features])

    def _on_chunks(self, name: str, shift: int, maps: Sequence[FloatArray]) -> None:
        """Run a block on every window of the maps."""

        def shifted(chunk: Chunk) -> None:
            windows = [take(features, chunk.place) for features in maps]
            sides = np.broadcast_to(self._sides[chunk.kind], (len(windows[0]), *self._sides.shape[1:]))
            for features, x, new in zip(maps, windows, self._steps.run(name, *windows, sides), strict=True):
                put(features, chunk.place, _checked(name, new, x.shape))

        def plain(chunk: Chunk) -> None:
            windows = [f.reshape(-1, *f.shape[2:])[chunk.place.left : chunk.place.right] for f in maps]
            for x, new in zip(windows, self._steps.run(name, *windows), strict=True):
                x[...] = _checked(name, new, x.shape)

        rows, cols = maps[0].shape[:2]
        size = min(CHUNK, max(1, -(-rows * cols // self._threads)))
        if shift:
            self._on_pool(shifted, chunks(rows, cols, True, size))
        else:  # windows that are not shifted lie one behind the other: to them the map is a single row
            self._on_pool(plain, chunks(1, rows * cols, False, size))

    def _on_parts(
        self, windows: FloatArray, halo: int, work: Callable[[Rectangle, Rectangle], None], side: int = PART
    ) -> None:
        """Run ``work`` on rectangles of tokens and the same with a halo."""
        rows, cols = windows.shape[:2]

        def in_turn(part: Rectangle) -> None:
            core = part.scaled(WINDOW)
            with self._turns:
                work(core, core.grown(halo, *_tokens(windows)))

        # Of a small image every thread gets a strip: that has the smallest halo.
        small = rows * cols <= self._threads * side**2
        height, width = (-(-rows // self._threads), cols) if small else (side, side)
        self._on_pool(in_turn, rectangles(rows, cols, height, width))

    def _on_pool(self, work: Callable[[Any], None], pieces: Iterable[object]) -> None:
        for _ in self._pool.map(work, pieces):
            pass


def _tokens(windows: FloatArray) -> tuple[int, int]:
    return windows.shape[0] * WINDOW, windows.shape[1] * WINDOW


def _extent(channels: int, place: Rectangle) -> tuple[int, int, int]:
    return channels, place.bottom - place.top, place.right - place.left


def _paste(windows: FloatArray, core: Rectangle, part: FloatArray, seen: Rectangle) -> None:
    """Write the inside of C×h×w tokens, cut with a halo, to its place among the windows."""
    windows[core.coarsened(WINDOW).slices] = to_windows(part[(..., *core.relative_to(seen).slices)])


def _checked(name: str, result: FloatArray, shape: tuple[int, ...]) -> FloatArray:
    if result.shape != shape:
        raise ModelError(f"the model's step {name} gives {result.shape} instead of {shape}", hint=HINT)
    return result

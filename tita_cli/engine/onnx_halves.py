"""A network's halves in ONNX Runtime on whole maps: what runs on a GPU."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tita_cli.engine.box import Box
from tita_cli.engine.memory import free_memory
from tita_cli.engine.onnx_file import OnnxFile
from tita_cli.engine.onnx_sessions import Place, device_errors, open_session
from tita_cli.engine.onnx_steps import halves
from tita_cli.engine.windows import WINDOW

if TYPE_CHECKING:
    from tita_cli.engine.afar import DoubleArray
    from tita_cli.images.picture import FloatArray

_BYTES_A_TOKEN = 16 << 10
_HEAD_BYTES = 800
"""What a network takes on its way, as for :class:`tita_cli.engine.torch_halves.TorchHalves`."""


class OnnxHalves:
    """See :class:`tita_cli.engine.tiles.Halves`. Features stay on the device, bound as the inputs of what follows."""

    def __init__(self, file: OnnxFile, place: Place, threads: int) -> None:
        self.geometry = geometry = file.geometry
        self._place = place
        self._threads = threads
        self._steps = halves(geometry)
        self._dtypes = {name: [file.dtype(tensor) for tensor in step.inputs] for name, step in self._steps.items()}
        self._precision = file.precision
        self._sessions = {name: open_session(piece, place, threads) for name, piece in file.cut(self._steps).items()}

    def encode(self, a: FloatArray, b: FloatArray, keep: Box) -> tuple[Any, Any]:
        x, y = self._run("encode", [_batch(a), _batch(b)])
        rows, cols = (-(-length // self.geometry.multiple) for length in a.shape)
        if keep == Box(0, rows, 0, cols):
            return x, y
        down, across = keep.scaled(WINDOW).slices
        with device_errors(self._place):
            of_x, of_y = (self._value(f.numpy()[..., down, across]) for f in (x, y))
        return of_x, of_y

    def pool(self, features: tuple[Any, Any]) -> DoubleArray:
        return np.concatenate([f.numpy()[0].sum((1, 2), dtype=np.float64) for f in features])

    def weigh(self, pooled: FloatArray) -> FloatArray:
        (guidance,) = self._run("weigh", [pooled[None]])
        return _plane(guidance).reshape(-1)

    def decode(
        self, a: FloatArray, b: FloatArray, features: tuple[Any, Any], guidance: FloatArray
    ) -> tuple[FloatArray, FloatArray | None]:
        sources = (a, b) if self.geometry.has_gate else (a,)
        fused, *gate = self._run("decode", [*map(_batch, sources), *features, guidance[None]])
        return _plane(fused)[0, 0], _plane(gate[0])[0, 0] if gate else None

    def bytes_for(self, pixels: int) -> int:
        g = self.geometry
        return pixels * (_BYTES_A_TOKEN // g.patch**2 + (_HEAD_BYTES if g.has_gate else 0))

    def free_memory(self) -> int:
        # ONNX Runtime cannot be asked what a GPU has left; it says when that is not enough.
        return free_memory() // 2 if self._place.is_cpu else sys.maxsize

    def keep_within(self, budget: int) -> None:
        """Nothing: all of a tile is worked on at once."""

    def describe(self) -> dict[str, Any]:
        return {**self._place.describe(), "precision": self._precision, "threads": self._threads}

    def _run(self, name: str, inputs: Sequence[Any]) -> list[Any]:
        """Inputs are arrays, or values that an earlier run left on the device; so are the results."""
        session, step = self._sessions[name], self._steps[name]
        binding = session.io_binding()
        for tensor, value, dtype in zip(step.inputs, inputs, self._dtypes[name], strict=True):
            if isinstance(value, np.ndarray):
                binding.bind_cpu_input(tensor, np.ascontiguousarray(value, dtype))
            else:
                binding.bind_ortvalue_input(tensor, value)
        for tensor in step.outputs:
            binding.bind_output(tensor, self._place.memory, self._place.device)
        with device_errors(self._place):
            session.run_with_iobinding(binding)
        return list(binding.get_outputs())

    def _value(self, array: FloatArray) -> Any:
        import onnxruntime

        return onnxruntime.OrtValue.ortvalue_from_numpy(
            np.ascontiguousarray(array), self._place.memory, self._place.device
        )


def _plane(value: Any) -> FloatArray:
    plane: FloatArray = np.asarray(value.numpy(), np.float32)
    return plane


def _batch(image: FloatArray) -> FloatArray:
    return image[None, None]

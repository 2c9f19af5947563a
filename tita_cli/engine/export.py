"""``tita export``: a network as one ONNX file, checked against the network before it bears its name."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from tita_cli import __version__
from tita_cli.engine.exportable import Exportable
from tita_cli.engine.geometry import Geometry
from tita_cli.engine.models import file_hash
from tita_cli.engine.onnx_file import FORMAT, FORMAT_KEY, GEOMETRY_KEY, PRECISION_KEY, SEAM, SIZE_KEY
from tita_cli.engine.onnx_sessions import CPU, Place, open_session
from tita_cli.engine.precision import BOUNDS, PRECISIONS, Bound, calibration, to_fp16, to_int8
from tita_cli.engine.threads import usable_cores
from tita_cli.errors import ModelError, UsageError
from tita_cli.images.atomic import atomic_output
from tita_cli.network.checkpoint import Checkpoint, load_network

if TYPE_CHECKING:
    from onnx import ModelProto

    from tita_cli.images.picture import FloatArray


OPSETS = range(18, 24)
"""Of ONNX: what the exporter writes and ONNX Runtime 1.20 and later reads."""
DEFAULT_OPSET = 20
LICENCE = "Apache-2.0; for the terms of the training data see the model card"
_FEWEST = 8
"""Images that calibrate int8."""
_TRACED = (2, 70, 100)
_CHECKED = ((1, 9, 33), (1, 136, 200), (3, 64, 96))
"""Batch, height and width: of the trace and of the check, smaller and larger, padded and not."""


class Check(NamedTuple):
    """How far a file's results are from the network's for a batch and size: anywhere, and the picture on average."""

    batch: int
    height: int
    width: int
    difference: float
    average: float


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written. ``size``: in bytes. ``bound``: how far it might have been from the network."""

    path: Path
    variant: str
    size: int
    opset: int
    precision: str
    checks: tuple[Check, ...]

    @property
    def worst(self) -> float:
        """The largest difference of all."""
        return float(np.max([check.difference for check in self.checks]))

    @property
    def average(self) -> float:
        """The largest average difference of a picture."""
        return float(np.max([check.average for check in self.checks]))

    @property
    def bound(self) -> Bound:
        return BOUNDS[self.precision]


def export(
    model: Path,
    target: str | os.PathLike[str],
    *,
    precision: str = "fp32",
    images: Sequence[str | os.PathLike[str]] = (),
    opset: int = DEFAULT_OPSET,
    size: tuple[int, int] | None = None,
    overwrite: bool = False,
) -> Exported:
    """Write the network in ``model`` as an ONNX file.

    Its inputs are ``a`` and ``b``, luminance N×1×H×W in 0..1; its outputs ``fused``, ``weights`` (N×6) and, for a
    network that has one, ``gate``. ``size``: the only H×W that the file takes, multiples of a window, and N = 1; any
    where None. ``images``: for int8, two by two the sources of four scenes or more, every other of which says what
    ranges there are, and the rest whether the file is any good.

    The file appears only if ONNX Runtime gives what the network gives, to ``BOUNDS``, also on sizes that the trace has
    not seen. Raises ``ModelError`` for the model or a file that differs, ``UsageError``, ``InputError``,
    ``OutputError``.
    """
    missing = [library for library in ("onnx", "onnxscript") if find_spec(library) is None]
    if missing:
        raise UsageError(f"exporting needs {' and '.join(missing)}", hint='pip install "tita-cli[export]"')
    _check_wishes(precision, images, size)
    if opset not in OPSETS:
        raise UsageError(f"--opset {opset}: not supported", hint=f"{OPSETS.start} to {OPSETS.stop - 1}")
    checkpoint = load_network(model)
    geometry = Geometry.of(checkpoint.network)
    if size is not None and (min(size) < 1 or any(length % geometry.multiple for length in size)):
        raise UsageError(
            f"--size {size[0]}x{size[1]}: {geometry.variant} takes multiples of {geometry.multiple} only",
            hint="a file without --size takes any size",
        )
    scenes = calibration([Path(image) for image in images])
    written = _to_onnx(checkpoint, opset, size)
    if precision == "fp16":
        written = to_fp16(written)
    elif precision == "int8":
        written = to_int8(written, scenes[::2])
    _describe(written, model, checkpoint, geometry, size, precision)
    data = written.SerializeToString()
    pairs = [_batch(*pair) for pair in scenes[1::2]] or [
        _pair(*shape) for shape in ([(1, *size)] if size else _CHECKED)
    ]
    done = Exported(
        Path(target), geometry.variant, len(data), opset, precision, tuple(_checks(data, checkpoint, pairs))
    )
    bound = done.bound
    if not (done.worst <= bound.anywhere and done.average <= bound.average):
        raise ModelError(
            f"{model}: as {precision} it differs by {done.worst:.1e}, on average {done.average:.1e}, more than "
            f"{bound.anywhere:.1e} or {bound.average:.1e}: not written",
            hint="int8 wants scenes like those that it is for, or another model" if precision == "int8" else None,
        )
    with atomic_output(target, overwrite=overwrite) as stream:
        stream.write(data)
    return done


def _check_wishes(precision: str, images: Sequence[str | os.PathLike[str]], size: tuple[int, int] | None) -> None:
    if precision not in PRECISIONS:
        raise UsageError(f"--precision {precision}: not known", hint=f"one of {', '.join(PRECISIONS)}")
    if precision != "int8" and images:
        raise UsageError(f"--calibrate is for --precision int8, not {precision}")
    if precision == "int8" and size is not None:
        raise UsageError("--precision int8 and --size do not go together: images of any size calibrate it")
    if precision == "int8" and (len(images) < _FEWEST or len(images) % 2):
        raise UsageError(
            "--precision int8 wants the sources of four scenes or more, two by two",
            hint="--calibrate A1.png --calibrate B1.png --calibrate A2.png …",
        )


class _WithSeams(nn.Module):
    """The tensors between the steps as further results, so that the exporter gives them names."""

    def __init__(self, network: Exportable) -> None:
        super().__init__()
        self._network = network

    def forward(self, a: Tensor, b: Tensor) -> tuple[Tensor, ...]:
        results = self._network(a, b)
        return (*results, *self._network.seams.values())


def _to_onnx(checkpoint: Checkpoint, opset: int, size: tuple[int, int] | None) -> ModelProto:
    module = Exportable(checkpoint.network).eval()
    pair = _pair(1, *size) if size else _pair(*_TRACED)
    with torch.inference_mode():
        results = ["fused", "weights", "gate"][: len(module(*pair))]
    names = [*results, *(SEAM + seam for seam in module.seams)]
    dynamic = torch.export.Dim.DYNAMIC
    open_dims = {0: dynamic, 2: dynamic, 3: dynamic}
    with _quiet():
        program = torch.onnx.export(
            _WithSeams(module),
            pair,
            dynamo=True,
            opset_version=opset,
            dynamic_shapes=None if size else (open_dims, open_dims),
            input_names=["a", "b"],
            output_names=names,
            verbose=False,
        )
    if program is None:
        raise ModelError("PyTorch's exporter gave no model")
    model: ModelProto = program.model_proto
    # The seams are what the engine cuts at; to everybody else they are no results.
    seams = [output for output in model.graph.output if output.name.startswith(SEAM)]
    model.graph.value_info.extend(seams)
    for seam in seams:
        model.graph.output.remove(seam)
    return model


def _describe(
    model: ModelProto,
    path: Path,
    checkpoint: Checkpoint,
    geometry: Geometry,
    size: tuple[int, int] | None,
    precision: str,
) -> None:
    metadata = {
        FORMAT_KEY: FORMAT,
        GEOMETRY_KEY: geometry.to_json(),
        "tita.variant": geometry.variant,
        "tita.version": __version__,
        "tita.weights_sha256": file_hash(path),
        PRECISION_KEY: precision,
        "licence": LICENCE,
        **({SIZE_KEY: f"{size[0]}x{size[1]}"} if size else {}),
        **{f"weights.{key}": value for key, value in sorted(checkpoint.info.items())},
    }
    model.producer_name, model.producer_version = "tita", __version__
    del model.metadata_props[:]
    for key, value in metadata.items():
        model.metadata_props.add(key=key, value=value)
    for node in model.graph.node:  # the exporter keeps a stack trace, with paths, of every node
        del node.metadata_props[:]
        node.doc_string = ""
    # Of the tensors inside, only the seams' types are looked at; all others can be inferred.
    seams = [info for info in model.graph.value_info if info.name.startswith(SEAM)]
    del model.graph.value_info[:]
    for seam in seams:
        del seam.metadata_props[:]
        model.graph.value_info.append(seam)


def _checks(data: bytes, checkpoint: Checkpoint, pairs: Sequence[tuple[Tensor, Tensor]]) -> Iterator[Check]:
    session = open_session(data, Place(CPU), usable_cores())
    for a, b in pairs:
        got = session.run(None, {"a": a.numpy(), "b": b.numpy()})
        with torch.inference_mode():
            out = checkpoint.network(a, b)
        expected = [out.fused, out.weights, *([] if out.gate is None else [out.gate])]
        differences = [np.abs(x - y.numpy()) for x, y in zip(got, expected, strict=True)]
        batch, _, height, width = a.shape
        yield Check(batch, height, width, float(max(d.max() for d in differences)), float(differences[0].mean()))


def _pair(batch: int, height: int, width: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(height * width)
    a, b = torch.rand(2, batch, 1, height, width, generator=generator)
    return a, b


def _batch(a: FloatArray, b: FloatArray) -> tuple[Tensor, Tensor]:
    return torch.from_numpy(a)[None, None], torch.from_numpy(b)[None, None]


@contextmanager
def _quiet() -> Iterator[None]:
    """The exporter warns of what it does not need, on the logs and on stdout."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)

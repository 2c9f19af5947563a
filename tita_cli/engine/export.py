"""``tita export``: a network as one ONNX file, checked against the network before it bears its name."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
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
from tita_cli.engine.threads import usable_cores
from tita_cli.errors import ModelError, UsageError
from tita_cli.images.atomic import atomic_output
from tita_cli.network.checkpoint import Checkpoint, load_network

if TYPE_CHECKING:
    from onnx import ModelProto


BOUND = 1e-4
"""The largest difference from the network that an fp32 file may have."""
OPSETS = range(18, 24)
"""Of ONNX: what the exporter writes and ONNX Runtime 1.20 and later reads."""
DEFAULT_OPSET = 20
LICENCE = "Apache-2.0; for the terms of the training data see the model card"
_TRACED = (2, 70, 100)
_CHECKED = ((1, 9, 33), (1, 136, 200), (3, 64, 96))
"""Batch, height and width: of the trace and of the check, smaller and larger, padded and not."""


class Check(NamedTuple):
    """The largest difference of a file's results from the network's, for one batch and size."""

    batch: int
    height: int
    width: int
    difference: float


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written. ``size``: in bytes."""

    path: Path
    variant: str
    size: int
    opset: int
    checks: tuple[Check, ...]

    @property
    def worst(self) -> float:
        """The largest difference of all."""
        return float(np.max([check.difference for check in self.checks]))


def export(
    model: Path,
    target: str | os.PathLike[str],
    *,
    opset: int = DEFAULT_OPSET,
    size: tuple[int, int] | None = None,
    overwrite: bool = False,
) -> Exported:
    """Write the network in ``model`` as an ONNX file.

    Its inputs are ``a`` and ``b``, luminance N×1×H×W in 0..1; its outputs ``fused``, ``weights`` (N×6) and, for a
    network that has one, ``gate``. ``size``: the only H×W that the file takes, multiples of a window, and N = 1; any
    where None.

    The file appears only if ONNX Runtime gives what the network gives, to ``BOUND``, also on sizes that the trace has
    not seen. Raises ``ModelError`` for the model or a file that differs, ``UsageError``, ``OutputError``.
    """
    if opset not in OPSETS:
        raise UsageError(f"--opset {opset}: not supported", hint=f"{OPSETS.start} to {OPSETS.stop - 1}")
    checkpoint = load_network(model)
    geometry = Geometry.of(checkpoint.network)
    if size is not None and (min(size) < 1 or any(length % geometry.multiple for length in size)):
        raise UsageError(
            f"--size {size[0]}x{size[1]}: {geometry.variant} takes multiples of {geometry.multiple} only",
            hint="a file without --size takes any size",
        )
    written = _to_onnx(checkpoint, opset, size)
    _describe(written, model, checkpoint, geometry, size)
    data = written.SerializeToString()
    done = Exported(Path(target), geometry.variant, len(data), opset, tuple(_checks(data, checkpoint, size)))
    if not done.worst <= BOUND:
        raise ModelError(f"{model}: the exported file differs by {done.worst:.1e}, more than {BOUND:.0e}: not written")
    with atomic_output(target, overwrite=overwrite) as stream:
        stream.write(data)
    return done


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
    model: ModelProto, path: Path, checkpoint: Checkpoint, geometry: Geometry, size: tuple[int, int] | None
) -> None:
    metadata = {
        FORMAT_KEY: FORMAT,
        GEOMETRY_KEY: geometry.to_json(),
        "tita.variant": geometry.variant,
        "tita.version": __version__,
        "tita.weights_sha256": file_hash(path),
        PRECISION_KEY: "fp32",
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


def _checks(data: bytes, checkpoint: Checkpoint, size: tuple[int, int] | None) -> Iterator[Check]:
    session = open_session(data, Place(CPU), usable_cores())
    for batch, height, width in [(1, *size)] if size else _CHECKED:
        a, b = _pair(batch, height, width)
        got = session.run(None, {"a": a.numpy(), "b": b.numpy()})
        with torch.inference_mode():
            out = checkpoint.network(a, b)
        expected = [out.fused, out.weights, *([] if out.gate is None else [out.gate])]
        differences = (np.abs(x - y.numpy()).max() for x, y in zip(got, expected, strict=True))
        yield Check(batch, height, width, float(max(differences)))


def _pair(batch: int, height: int, width: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(height * width)
    a, b = torch.rand(2, batch, 1, height, width, generator=generator)
    return a, b


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

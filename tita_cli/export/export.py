"""``tita export``: a network as one ONNX file, checked against the network before it bears its name."""

from __future__ import annotations

import os
import tempfile
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch

from tita_cli import __version__, ort
from tita_cli.errors import ModelError, UsageError
from tita_cli.export.container import PREFIX, pack
from tita_cli.export.precision import BOUNDS, PRECISIONS, to_fp16
from tita_cli.export.subject import Subject, subject_of
from tita_cli.images.atomic import atomic_output
from tita_cli.models.checkpoint import load_network
from tita_cli.models.find import file_hash
from tita_cli.runtime.onnx_session import CPU, Place, open_session
from tita_cli.runtime.threads import usable_cores

if TYPE_CHECKING:
    from onnx import ModelProto

OPSETS = range(18, 21)
"""Of ONNX: what the exporter writes and ONNX Runtime 1.20 and later reads."""
DEFAULT_OPSET = 20
LICENCE = "Apache-2.0; for the terms of the training data see the model card"


class Check(NamedTuple):
    """How far a file's results are at most from the network's for a size and a batch, or a number of sources."""

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
    precision: str
    checks: tuple[Check, ...]

    @property
    def worst(self) -> float:
        """The largest difference of all."""
        return float(np.max([check.difference for check in self.checks]))


def export(
    model: Path,
    target: str | os.PathLike[str],
    *,
    precision: str = "fp32",
    opset: int = DEFAULT_OPSET,
    size: tuple[int, int] | None = None,
    overwrite: bool = False,
    progress: Callable[[str, int, int], None] = lambda stage, done, total: None,
) -> Exported:
    """Write the network in ``model`` as an ONNX file.

    For a pair its inputs are ``a`` and ``b``, luminance N×1×H×W in 0..1, and its outputs ``fused`` and ``weights``
    (N×6); for a set see ``tita_cli.export.subject``. ``size``: the only H×W that
    the file takes, multiples of a window, and N = 1; any where None.

    The file appears only if ONNX Runtime gives what the network gives, to ``BOUNDS``, also on sizes that the trace has
    not seen. ``progress``: told the stage (load, trace, reduce, check), how many of its parts are done, and how many
    there are. Raises ``ModelError`` for the model or a file that differs, ``UsageError``, ``OutputError``.
    """
    _check_options(precision, opset)
    progress("load", 0, 1)
    checkpoint = load_network(model)
    spec = checkpoint.network.spec
    if size is not None and (min(size) < 1 or any(length % spec.multiple for length in size)):
        raise UsageError(
            f"`size` {size[0]}x{size[1]}: {spec.variant} takes multiples of {spec.multiple} only",
            hint="a file without `size` takes any size",
        )
    if spec.kind == "set" and (size is not None or precision != "fp32"):
        raise UsageError("a network for sets is exported for any size, in fp32 only")
    subject = subject_of(checkpoint.network, spec.kind, size)
    progress("trace", 0, 1)
    written = _to_onnx(subject, opset)
    if precision == "fp16":
        progress("reduce", 0, 1)
        written = to_fp16(written)
    about = {
        "variant": spec.variant,
        "version": __version__,
        "weights_sha256": file_hash(model),
        "precision": precision,
        "licence": LICENCE,
        **{f"weights.{key}": value for key, value in sorted(checkpoint.info.items())},
    }
    _describe(written, about)
    data = pack(written, subject.steps, spec.to_json(), precision, size, about)
    done = Exported(Path(target), spec.variant, len(data), opset, precision, tuple(_checks(data, subject, progress)))
    bound = BOUNDS[precision]
    if not done.worst <= bound:
        raise ModelError(f"{model}: as {precision} it differs by {done.worst:.1e}, more than {bound:.1e}: not written")
    with atomic_output(target, overwrite=overwrite) as stream:
        stream.write(data)
    return done


def _check_options(precision: str, opset: int) -> None:
    if opset not in OPSETS:
        raise UsageError(f"`opset` {opset}: not supported", hint=f"{OPSETS.start} to {OPSETS.stop - 1}")
    if precision not in PRECISIONS:
        raise UsageError(f"`precision` {precision}: not known", hint=f"one of {', '.join(PRECISIONS)}")


def _to_onnx(subject: Subject, opset: int) -> ModelProto:
    """By PyTorch's exporter that traces: the one by torch.export takes ten times as long for the same graph."""
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")  # of sizes that become constants, which the check below would show
        traced = Path(folder) / "traced.onnx"
        torch.onnx.export(
            subject.graph,
            subject.example,
            traced,
            dynamo=False,
            opset_version=opset,
            dynamic_axes=subject.dynamic,
            input_names=list(subject.inputs),
            output_names=list(subject.outputs),
        )
        model = _folded(traced)
    # To everybody but the cutter, the tensors between the steps are no results.
    for cut in [output for output in model.graph.output if output.name.startswith(PREFIX)]:
        model.graph.output.remove(cut)
        model.graph.value_info.append(cut)
    return model


def _folded(traced: Path) -> ModelProto:
    """The model with its constants folded, half as many nodes: that much less to do at every loading."""
    import onnx

    onnxruntime = ort.load()
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC  # ONNX's own operators only
    options.log_severity_level = ort.SILENT
    options.optimized_model_filepath = str(traced.with_name("folded.onnx"))
    onnxruntime.InferenceSession(traced, options, providers=[CPU])
    folded: ModelProto = onnx.load(options.optimized_model_filepath)
    for unused in [domain for domain in folded.opset_import if domain.domain]:
        folded.opset_import.remove(unused)
    return folded


def _describe(model: ModelProto, about: dict[str, str]) -> None:
    """Say what the model is, in ONNX's own metadata."""
    model.producer_name, model.producer_version = "tita", __version__
    del model.metadata_props[:]
    for key, value in about.items():
        model.metadata_props.add(key=f"tita.{key}", value=value)


def _checks(data: bytes, subject: Subject, progress: Callable[[str, int, int], None]) -> Iterator[Check]:
    session = open_session(data, Place(CPU), usable_cores())
    for number, given in enumerate(subject.checked):
        progress("check", number, len(subject.checked))
        got = session.run(None, {name: x.numpy() for name, x in zip(subject.inputs, given, strict=True)})
        with torch.inference_mode():
            expected = subject.expected(*given)
        difference = np.max([np.abs(x - y.numpy()).max() for x, y in zip(got, expected, strict=True)])
        count, *_, height, width = given[0].shape
        yield Check(count, height, width, float(difference))

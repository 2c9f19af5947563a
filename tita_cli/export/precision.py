"""Exported files of reduced precision, by ONNX Runtime's own tools."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from tita_cli import ort
from tita_cli.errors import ModelError, first_line

if TYPE_CHECKING:
    from onnx import ModelProto

    from tita_cli.images.picture import FloatArray

PRECISIONS = ("fp32", "fp16", "int8")


class Bound(NamedTuple):
    """How far a file's results may be from the network's, of 1: anywhere, and on average over a picture."""

    anywhere: float
    average: float


BOUNDS = {"fp32": Bound(1e-4, 1e-4), "fp16": Bound(1 / 255, 1 / 255), "int8": Bound(16 / 255, 0.5 / 255)}
QUANTISED = ("blocks.", "merge.")
"""In the names of weights that int8 is for: the blocks' and the merging's, which hold nine tenths of the work. The
convolutions in front and behind see and make pixels, and what is rounded there is seen."""


def to_fp16(model: ModelProto) -> ModelProto:
    """Weights and everything inside in half precision; what goes in and comes out stays fp32."""
    ort.load()  # its telemetry off, before anything of it is imported
    from onnxruntime.transformers.float16 import convert_float_to_float16
    from onnxruntime.transformers.onnx_model import OnnxModel

    half: ModelProto = convert_float_to_float16(model, keep_io_types=True, disable_shape_infer=True)
    OnnxModel.graph_topological_sort(half.graph)  # the converter appends the nodes that it adds
    return half


def to_int8(model: ModelProto, pairs: Sequence[tuple[FloatArray, FloatArray]]) -> ModelProto:
    """Static quantisation, its ranges those that luminances H×W of scenes have. Raises ``ModelError``."""
    import onnx

    ort.load()
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self._feeds: Iterator[dict[str, FloatArray]] = iter(
                {"a": a[None, None], "b": b[None, None]} for a, b in pairs
            )

        def get_next(self) -> dict[str, FloatArray] | None:
            return next(self._feeds, None)

    keep = [n.name for n in model.graph.node if not any(part in name for part in QUANTISED for name in n.input)]
    logging.disable(logging.WARNING)  # it advises a preprocessing that the exporter has done
    try:
        with tempfile.TemporaryDirectory() as folder:
            target = Path(folder) / "int8.onnx"
            quantize_static(
                model, target, Reader(), quant_format=QuantFormat.QDQ, op_types_to_quantize=["Conv"], per_channel=True,
                activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8, nodes_to_exclude=keep,
                reduce_range=True,  # seven bits: sums of eight overflow on processors without VNNI
            )  # fmt: skip
            return onnx.load(target)
    except Exception as error:  # ONNX Runtime's own kinds have no other base
        raise ModelError(f"cannot be quantised: {first_line(error)}") from error
    finally:
        logging.disable(logging.NOTSET)


def calibration(images: Sequence[str | Path], side: int = 256) -> list[tuple[FloatArray, FloatArray]]:
    """The middles of images, two by two the sources of a scene, as luminances H×W. Raises ``InputError``."""
    from tita_cli.images import read_picture
    from tita_cli.images.color import luma

    def middle(path: str | Path) -> FloatArray:
        whole = luma(read_picture(path).pixels)
        top, left = ((length - min(length, side)) // 2 for length in whole.shape[:2])
        return np.ascontiguousarray(whole[top : top + side, left : left + side], np.float32)

    return [(middle(a), middle(b)) for a, b in zip(images[::2], images[1::2], strict=True)]

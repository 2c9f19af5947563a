"""Exported files in half precision, by ONNX Runtime's own tools."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tita_cli import ort

if TYPE_CHECKING:
    from onnx import ModelProto

PRECISIONS = ("fp32", "fp16")
BOUNDS = {"fp32": 1e-4, "fp16": 1 / 255}
"""How far a file's results may be from the network's anywhere, of 1."""


def to_fp16(model: ModelProto) -> ModelProto:
    """Weights and everything inside in half precision; what goes in and comes out stays fp32."""
    ort.load()  # its telemetry off, before anything of it is imported
    from onnxruntime.transformers.float16 import convert_float_to_float16
    from onnxruntime.transformers.onnx_model import OnnxModel

    half: ModelProto = convert_float_to_float16(model, keep_io_types=True, disable_shape_infer=True)
    OnnxModel.graph_topological_sort(half.graph)  # the converter appends the nodes that it adds
    return half

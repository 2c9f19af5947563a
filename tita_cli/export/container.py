"""Cut an exported network into steps, and pack them into its file: see ``tita_cli.models.onnx_file``."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from tita_cli.models.onnx_file import DESCRIPTION, FIELD, FORMAT

if TYPE_CHECKING:
    from onnx import ModelProto

PREFIX = "cut:"
"""In front of the names of tensors between the steps."""
_SMALL = 1024
"""Bytes up to which a constant stays in a step's graph: shapes and the like, which ONNX Runtime looks at on loading."""

StepNames = Mapping[str, tuple[list[str], list[str]]]


def pack(
    model: ModelProto, steps: StepNames, spec: str, precision: str, size: tuple[int, int] | None, about: dict[str, str]
) -> bytes:
    """The file: ``model`` as it is, and the archive. ``steps``: names of each step's input and output tensors."""
    data: bytes = model.SerializeToString()
    weights = dict(_offsets(model, data))
    graphs = {} if size else dict(_cut(model, steps, set(weights)))
    description = {
        "format": FORMAT,
        "spec": spec,
        "precision": precision,
        "size": size,
        "about": about,
        "whole": len(data),
        "inputs": {name: {"types": types, "weights": used} for name, (_, types, used) in graphs.items()},
        "weights": {name: weights[name] for name in sorted({w for _, _, used in graphs.values() for w in used})},
    }
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for file, content in ((DESCRIPTION, json.dumps(description).encode()), *(
            (f"{name}.onnx", graph) for name, (graph, _, _) in graphs.items()
        )):  # fmt: skip
            archive.writestr(zipfile.ZipInfo(file), content, zipfile.ZIP_DEFLATED, 9)  # without the time of day
    content = stream.getvalue()
    return data + _varint(FIELD << 3 | 2) + _varint(len(content)) + content


def _offsets(model: ModelProto, data: bytes) -> Iterator[tuple[str, tuple[str, list[int], int]]]:
    """For every large weight NumPy's name of its type, its shape, and where its bytes lie in the file."""
    from onnx import helper

    position = 0
    for tensor in model.graph.initializer:
        if len(tensor.raw_data) < _SMALL:
            continue
        position = data.index(tensor.raw_data, position)  # they lie in the order of the list
        yield tensor.name, (helper.tensor_dtype_to_np_dtype(tensor.data_type).str, list(tensor.dims), position)
        position += len(tensor.raw_data)


def _cut(
    model: ModelProto, steps: StepNames, outside: set[str]
) -> Iterator[tuple[str, tuple[bytes, dict[str, str], list[str]]]]:
    """Each step: its graph, its inputs' names and types, and the names of the weights that it lacks."""
    from onnx import TensorProto, helper, utils

    extractor = utils.Extractor(model)
    for name, (inputs, outputs) in steps.items():
        step = extractor.extract_model(inputs, outputs)
        used = []
        for tensor in step.graph.initializer:
            if tensor.name in outside:
                used.append(tensor.name)
                tensor.ClearField("raw_data")
                tensor.data_location = TensorProto.EXTERNAL
                tensor.external_data.add(key="location", value="beside")
        for value in (*step.graph.input, *step.graph.output):
            for dim in value.type.tensor_type.shape.dim:
                dim.Clear()  # any number of windows, any size
        del step.graph.value_info[:], step.metadata_props[:]
        types: dict[str, Any] = {
            value.name: helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type).name
            for value in step.graph.input
        }
        yield name, (step.SerializeToString(), types, used)


def _varint(value: int) -> bytes:
    """Protocol Buffers' encoding of an integer: seven bits a byte, the lowest first."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])

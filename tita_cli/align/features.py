"""Dense features that pictures of one scene share whatever the sensor: a small network, run by ONNX Runtime.

Trained by weights/training/align_features.py so that patches of registered pairs match each other and nothing near.
Contrast reversed, brightness and gamma change little; turns beyond some degrees and other scales do.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from tita_cli import ort
from tita_cli.errors import DeviceError, ModelError
from tita_cli.images.picture import FloatArray

_FILE = Path(__file__).with_name("features.onnx")
# What the network sees around a pixel. Its convolutions pad with zeros: the edge of a picture, pictured as one, would
# match in any two pictures, blank ones too, where it lies.
_BORDER = 40  # px


@cache
def _session() -> Any:
    try:
        onnxruntime = ort.load()
    except DeviceError as error:
        raise DeviceError(error.message, hint="reinstall onnxruntime, or `align` none") from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1  # frames are aligned in parallel where it pays
    options.log_severity_level = ort.SILENT
    try:
        return onnxruntime.InferenceSession(_FILE, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's own kinds have no other base
        raise ModelError(f"{_FILE}: cannot be loaded: {error}", hint="reinstall tita") from error


@cache
def sharpness() -> float:
    """The factor on the correlation of two patches whose softmax over displacements is their probability."""
    return float(_session().get_modelmeta().custom_metadata_map["sharpness"])


def features(plane: FloatArray) -> FloatArray:
    """Luminance H×W (0..1, even sides) → H/2×W/2×16, at half the size. Raises ModelError for a damaged installation."""
    padded = np.pad(np.asarray(plane, dtype=np.float32), _BORDER, mode="edge")
    (found,) = _session().run(None, {"plane": padded[None, None]})
    inside = slice(_BORDER // 2, -_BORDER // 2)
    return np.ascontiguousarray(np.moveaxis(found[0][:, inside, inside], 0, -1))

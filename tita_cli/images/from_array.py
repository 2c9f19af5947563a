"""Arrays, Pillow images and tensors as pictures; what cannot be told from the numbers alone is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from tita_cli.errors import InputError
from tita_cli.images.picture import Picture
from tita_cli.images.samples import Samples
from tita_cli.options import Depth

_SLACK = 0.1  # by which interpolation may leave 0..1
_WHITE: dict[str, tuple[float, Depth]] = {"uint8": (255.0, 8), "uint16": (65535.0, 16), "bool": (1.0, 8)}


def picture_of(source: Any, name: str) -> Picture | None:
    """``source`` as a picture where it is an array, a Pillow image, a tensor or a fusion; else None.

    Raises InputError for one that means no picture.
    """
    if isinstance(source, Picture):
        return source
    if isinstance(getattr(source, "picture", None), Picture):  # a Fusion
        picture: Picture = source.picture
        return picture
    if isinstance(source, np.ndarray):
        return from_array(source, name=name)
    module = type(source).__module__.partition(".")[0]
    if module == "PIL":
        return from_pil(source, name=name)
    if module == "torch":
        return from_tensor(source, name=name)
    return None


def from_array(array: npt.NDArray[Any], *, name: str = "<array>", **samples: Any) -> Picture:
    """H×W (grey), H×W×1, H×W×2 (grey, alpha), H×W×3 (R, G, B) or H×W×4 (with alpha), not premultiplied.

    uint8, uint16 and bool fill their range. Floats are display values in 0..1; grey ones beyond that are measurements,
    as temperatures, whose range is then found as in a file. NaN is transparent. ``samples``: more of
    :class:`Samples`' fields. Raises InputError for what is no array, other shapes, other types, an empty array, and
    colour in floats beyond 0..1, which may be 0..255 or linear light.
    """
    if not isinstance(array, (np.ndarray, np.generic)):
        raise InputError(
            f"{name}: is of type {type(array).__name__}, not an array", hint="np.asarray makes one of lists"
        )
    data = array[..., None] if array.ndim == 2 else array
    if data.ndim != 3 or 0 in data.shape or data.shape[2] not in (1, 2, 3, 4):
        shape = "×".join(map(str, array.shape)) or "a single number"
        first = array.ndim == 3 and array.shape[0] in (1, 3, 4)
        hint = "channels stand last: array.transpose(1, 2, 0)" if first else "H×W, or H×W×C with C from 1 to 4"
        raise InputError(f"{name}: an array of {shape} is no picture", hint=hint)
    if str(data.dtype) in _WHITE:
        white, depth = _WHITE[str(data.dtype)]
        return Samples(data, white=white, depth=depth, **samples).to_picture(name, "array")
    if data.dtype.kind != "f":
        raise InputError(
            f"{name}: {data.dtype} does not say which values are black and white",
            hint="uint8, uint16, or floats: 0..1, or measurements in one channel",
        )
    data = data.astype(np.float32, copy=False)
    if data.shape[2] >= 3 and _beyond(data):
        raise InputError(
            f"{name}: colour from {np.nanmin(data):g} to {np.nanmax(data):g}, and floats are in 0..1",
            hint="divide by the value of white (255, 65535); linear light has to be encoded for display first",
        )
    return Samples(data, white=1.0, depth=32, **samples).to_picture(name, "array")


def from_pil(image: Any, *, name: str = "<image>") -> Picture:
    """A ``PIL.Image.Image``, upright, with EXIF and ICC profile. Raises InputError for a mode that is no picture."""
    name = str(getattr(image, "filename", "") or name)
    exif = image.getexif()
    kept: dict[str, Any] = {"orientation": int(exif.get(0x0112, 1)), "icc": image.info.get("icc_profile")}
    kept["exif"] = exif.tobytes()[6:] if exif else None
    if image.mode in ("P", "PA", "CMYK", "YCbCr", "LAB", "HSV", "RGBa", "La", "RGBX"):
        see_through = image.mode in ("PA", "RGBa", "La") or "transparency" in image.info
        image, kept["icc"] = image.convert("RGBA" if see_through else "RGB"), None
    return from_array(np.asarray(image), name=name, **kept)


def from_tensor(tensor: Any, *, name: str = "<tensor>") -> Picture:
    """A ``torch.Tensor``, H×W, C×H×W or 1×C×H×W, on any device. Values as in :func:`from_array`. Raises InputError."""
    tensor = tensor.detach().cpu()
    if str(tensor.dtype) == "torch.bfloat16":
        tensor = tensor.float()
    array: npt.NDArray[Any] = tensor.numpy()
    if array.ndim == 4 and array.shape[0] == 1:
        array = array[0]
    if array.ndim == 3:
        if array.shape[0] not in (1, 2, 3, 4):
            shape = "×".join(map(str, array.shape))
            raise InputError(f"{name}: a tensor of {shape} is no picture", hint="C×H×W: tensor.permute(2, 0, 1)")
        array = np.ascontiguousarray(array.transpose(1, 2, 0))
    return from_array(array, name=name)


def _beyond(data: npt.NDArray[Any]) -> bool:
    color = data[..., :3]
    return bool(np.nanmin(color) < -_SLACK or np.nanmax(color) > 1 + _SLACK)

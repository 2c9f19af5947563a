"""Encoding TIFF through tifffile: 8 and 16-bit integers and 32-bit float, deflated, without loss."""

from __future__ import annotations

from typing import Any, BinaryIO

import numpy.typing as npt
import tifffile

from tita_cli.images.picture import Metadata
from tita_cli.images.tiff_exif import about_tags, append_folders

_STRIP_BYTES = 1 << 18
_CLASSIC_BYTES = 2**32 - 2**25  # what offsets of 32 bits reach, less room for metadata
_XMP = 700


def encode_tiff(samples: npt.NDArray[Any], metadata: Metadata, stream: BinaryIO) -> None:
    """Write H×W×C samples (C = 1..4, alpha last for 2 and 4) to a readable, seekable stream."""
    height, _, channels = samples.shape
    tags = about_tags(metadata.exif) if metadata.exif else []
    if metadata.xmp:
        tags.append((_XMP, "B", len(metadata.xmp), metadata.xmp, True))
    with tifffile.TiffWriter(stream, byteorder="<", bigtiff=samples.nbytes > _CLASSIC_BYTES) as file:
        file.write(
            samples if channels > 1 else samples[..., 0],
            photometric="rgb" if channels > 2 else "minisblack",
            planarconfig="contig" if channels > 1 else None,
            extrasamples=["unassalpha"] if channels in (2, 4) else None,
            compression="adobe_deflate",
            predictor=True,
            rowsperstrip=max(1, min(height, _STRIP_BYTES // samples[:1].nbytes)),
            iccprofile=metadata.icc,
            extratags=tags,
            software=False,
            metadata=None,
        )
    if metadata.exif:
        append_folders(metadata.exif, stream)

"""What several rooms' tests share: a tiny network on disk, small pictures of one scene."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tita-lite of 8 channels with random weights: fuses, though to no one's joy."""
    import torch

    from tita_cli.models.checkpoint import save_network
    from tita_cli.network import NetworkConfig, build_network

    torch.manual_seed(7)
    config = NetworkConfig.from_name("tita-lite", dim=8, heads=2, extract=2, fuse=(2,), reconstruct=2)
    path = tmp_path_factory.mktemp("model") / "tiny.safetensors"
    save_network(path, build_network(config).state_dict(), config, {"recipe": "random"})
    return path


@pytest.fixture
def picture_file(tmp_path: Path) -> Callable[..., Path]:
    """``picture_file("a.png", color=True, size=(40, 56), seed=1)`` writes a smooth random picture: its path."""

    def write(name: str, *, color: bool = True, size: tuple[int, int] = (40, 56), seed: int = 0, **save: Any) -> Path:
        import cv2

        rng = np.random.default_rng(seed)
        noise = rng.random((*size, 3 if color else 1), dtype=np.float32)
        smooth = cv2.GaussianBlur(noise, (0, 0), 2).reshape(*size, -1)
        smooth = (smooth - smooth.min()) / (smooth.max() - smooth.min())
        pixels = (smooth * 255).astype(np.uint8)
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels if color else pixels[..., 0]).save(path, **save)
        return path

    return write


PLANCK = {"R1": 17000.0, "B": 1428.0, "F": 1.0, "O": -300, "R2": 0.045}
"""Constants of the camera that ``flir_file`` imitates: °C = B / ln(R1 / (R2 (count + O)) + F) − 273.15."""


def _jpeg(pixels: np.ndarray, make: str = "", model: str = "") -> bytes:
    buffer, exif = io.BytesIO(), Image.Exif()
    if make:
        exif[0x010F], exif[0x0110] = make, model
    Image.fromarray(pixels).save(buffer, "JPEG", quality=95, subsampling=0, exif=exif)
    return buffer.getvalue()


def _with_segments(jpeg: bytes, parts: list[tuple[int, bytes]]) -> bytes:
    """A JPEG file with these segments behind its first one."""
    place = 4 + int.from_bytes(jpeg[4:6], "big")
    packed = b"".join(struct.pack(">BBH", 0xFF, marker, len(part) + 2) + part for marker, part in parts)
    return jpeg[:place] + packed + jpeg[place:]


def _flir_camera() -> bytes:
    """A record of the camera: emissivity 1, no distance, no window."""
    record = bytearray(900)
    struct.pack_into("<6f", record, 32, 1.0, 0.0, 293.15, 293.15, 293.15, 1.0)
    struct.pack_into("<f", record, 60, 0.5)
    struct.pack_into("<3f", record, 88, PLANCK["R1"], PLANCK["B"], PLANCK["F"])
    struct.pack_into("<5f", record, 112, 0.006569, 0.01262, -0.002276, -0.00667, 1.9)
    struct.pack_into("<if", record, 776, PLANCK["O"], PLANCK["R2"])
    return bytes(record)


def _flir_block(records: list[tuple[int, bytes]], order: str) -> bytes:
    block = bytearray(64 + 32 * len(records))
    block[:4] = b"FFF\0"
    struct.pack_into(order + "3I", block, 0x14, 100, 64, len(records))
    for place, (kind, record) in zip(range(64, len(block), 32), records, strict=True):
        struct.pack_into(order + "HHIIII", block, place, kind, 1, 100, 1, len(block), len(record))
        block += record
    return bytes(block)


@pytest.fixture(scope="session")
def flir_bytes() -> Callable[..., bytes]:
    """``flir_bytes(counts, photograph)``: a radiometric JPEG as FLIR's cameras write it.

    ``counts``: H×W uint16. ``photograph``: H×W×3 uint8 or None. ``storing``: "swapped", "png" or "plain" counts.
    ``place``: Real2IR and the offsets.
    """

    def build(
        counts: np.ndarray, photograph: np.ndarray | None, *, storing: str = "swapped", place: tuple[float, int, int]
        | None = (2.0, 3, -2), order: str = ">", photograph_as: str = "jpeg",
    ) -> bytes:  # fmt: skip
        import imagecodecs

        stored = counts.byteswap() if storing == "swapped" else counts
        pixels = counts.astype("<u2").tobytes() if storing == "plain" else imagecodecs.png_encode(stored)
        records = [(1, struct.pack("<3H26x", 2, counts.shape[1], counts.shape[0]) + pixels), (32, _flir_camera())]
        if photograph is not None:
            luminance = np.asarray(Image.fromarray(photograph).convert("YCbCr"))
            stored = imagecodecs.png_encode(luminance) if photograph_as == "png" else _jpeg(photograph)
            records.append((14, struct.pack("<3H26x", 3, *photograph.shape[1::-1]) + stored))
        if place is not None:
            records.append((42, struct.pack("<fhh", *place) + bytes(16)))
        block = _flir_block(records, order)
        parts = [block[start : start + 60_000] for start in range(0, len(block), 60_000)]
        named = [b"FLIR\0\1" + bytes([number, len(parts) - 1]) + part for number, part in enumerate(parts)]
        preview = np.zeros((*counts.shape, 3), np.uint8)
        preview[..., 0] = counts >> 8
        return _with_segments(_jpeg(preview, "FLIR Systems AB", "FLIR T1"), [(0xE1, part) for part in named])

    return build


@pytest.fixture(scope="session")
def flir_frame() -> Callable[..., bytes]:
    """``flir_frame(counts)``: one frame of a thermal video; ``storing``: "plain", "png" or "jpeg-ls"."""

    def build(counts: np.ndarray, *, storing: str = "plain") -> bytes:
        import imagecodecs

        encode = {"png": imagecodecs.png_encode, "jpeg-ls": imagecodecs.jpegls_encode}.get(storing)
        pixels = counts.astype("<u2").tobytes() if encode is None else bytes(encode(counts))
        header = struct.pack("<3H26x", 2, counts.shape[1], counts.shape[0])
        return _flir_block([(1, header + pixels), (32, _flir_camera())], "<")

    return build


@pytest.fixture(scope="session")
def dji_bytes() -> Callable[..., bytes]:
    """``dji_bytes(counts)``: a JPEG of DJI's with H×W uint16 counts and a coloured preview ``scale`` times as large."""

    def build(counts: np.ndarray, *, scale: int = 1, make: str = "DJI") -> bytes:
        content = counts.astype("<u2").tobytes()
        parts = [(0xE3, content[start : start + 65_000]) for start in range(0, len(content), 65_000)]
        preview = np.kron(counts >> 8, np.ones((scale, scale), np.uint8)).astype(np.uint8)
        return _with_segments(_jpeg(np.stack([preview, preview // 2, 255 - preview], 2), make, "M3T"), parts)

    return build

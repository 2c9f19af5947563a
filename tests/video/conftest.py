"""Small clips made by code, and a tiny network for sets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

SIZE = (96, 128)


@pytest.fixture(scope="session")
def set_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network for sets with random weights."""
    import torch

    from tita_cli.models.checkpoint import save_network
    from tita_cli.network import NetworkConfig, build_network, variants

    torch.manual_seed(0)
    sizes: dict[str, Any] = {"dim": 8, "heads": 2, "extract": 1, "fuse": (1,), "reconstruct": 1}
    networks = [build_network(NetworkConfig.from_name(name, **sizes)) for name in variants()]
    network = next(network for network in networks if network.spec.kind == "set")
    path = tmp_path_factory.mktemp("model") / "tiny.safetensors"
    save_network(path, network.state_dict(), network.config)
    return path


@pytest.fixture(scope="session")
def set_engine(set_model: Path) -> Any:
    from tita_cli.runtime import load_engine

    return load_engine(str(set_model), device="cpu", backend="torch", threads=1)


@pytest.fixture(scope="session")
def scene() -> Callable[..., np.ndarray]:
    """``scene(seed)``: a smooth random picture, H×W×3 uint8; ``grey=True``: of one channel."""

    def make(seed: int, *, size: tuple[int, int] = SIZE, grey: bool = False) -> np.ndarray:
        import cv2

        noise = np.random.default_rng(seed).random((*size, 3), dtype=np.float32)
        smooth = cv2.GaussianBlur(noise, (0, 0), 3)
        smooth = (smooth - smooth.min()) / (smooth.max() - smooth.min())
        if grey:
            smooth = np.repeat(smooth[..., :1], 3, axis=2)
        return (32 + smooth * 191).astype(np.uint8)

    return make


@pytest.fixture
def write_clip(tmp_path: Path) -> Callable[..., Path]:
    """``write_clip("a.mp4", frames)``: frames H×W×3 uint8 or H×W uint16, at ``rate`` or at ``times`` in seconds.

    ``second``: frames of a second video stream. ``audio``: seconds of a tone. ``turn``: a flag that the picture is to
    be turned clockwise by 90°.
    """
    av = pytest.importorskip("av")

    def write(
        name: str, frames: Sequence[np.ndarray], *, rate: int = 10, times: Sequence[float] | None = None,
        codec: str = "libx264", second: Sequence[np.ndarray] = (), audio: float = 0, turn: bool = False,
    ) -> Path:  # fmt: skip
        path = tmp_path / name
        with av.open(str(path), "w") as container:
            tracks = [(_stream(container, part, rate, codec), part) for part in (frames, second) if len(part)]
            tone = container.add_stream("aac", rate=8000, layout="mono") if audio else None
            for index in range(max(len(frames), len(second))):
                for stream, part in tracks:
                    if index < len(part):
                        frame = av.VideoFrame.from_ndarray(
                            part[index], "gray16le" if part[index].ndim == 2 else "rgb24"
                        )
                        frame.pts = round(1000 * (index / rate if times is None else times[index]))
                        frame.time_base = Fraction(1, 1000)
                        container.mux(stream.encode(frame))
            for stream, _ in tracks:
                container.mux(stream.encode(None))
            if tone is not None:
                _add_tone(container, tone, audio)
        if turn:
            _mark_turned(path)
        return path

    def _stream(container: Any, frames: Sequence[np.ndarray], rate: int, codec: str) -> Any:
        deep = frames[0].ndim == 2
        stream = container.add_stream("ffv1" if deep else codec, rate=rate)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = "gray16le" if deep else "yuv420p"
        stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
        if codec == "libx264" and not deep:
            stream.options = {"crf": "4", "preset": "ultrafast"}
        return stream

    def _add_tone(container: Any, tone: Any, seconds: float) -> None:
        samples = (np.sin(np.arange(round(8000 * seconds)) * 0.3) * 0.3).astype(np.float32)
        for begin in range(0, len(samples), 1024):
            frame = av.AudioFrame.from_ndarray(samples[None, begin : begin + 1024], "fltp", layout="mono")
            frame.sample_rate, frame.pts = 8000, begin
            container.mux(tone.encode(frame))
        container.mux(tone.encode(None))

    return write


def _mark_turned(path: Path) -> None:
    """The matrix of MP4's track header, for a quarter turn clockwise."""
    content = bytearray(path.read_bytes())
    place = content.index(b"tkhd") + 44
    one, minus = (1 << 16).to_bytes(4, "big"), (-(1 << 16)).to_bytes(4, "big", signed=True)
    nothing = bytes(4)
    content[place : place + 32] = nothing + one + nothing + minus + nothing + nothing + nothing + nothing
    path.write_bytes(content)


@pytest.fixture(scope="session")
def read_clip() -> Callable[..., list[tuple[float, np.ndarray]]]:
    """Time and pixels of every frame."""

    def read(path: Any, form: str = "rgb24", stream: int = 0) -> list[tuple[float, np.ndarray]]:
        import av

        with av.open(path if hasattr(path, "read") else str(path)) as container:
            return [(float(frame.time), frame.to_ndarray(format=form)) for frame in container.decode(video=stream)]

    return read

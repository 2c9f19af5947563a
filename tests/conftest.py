"""What several rooms' tests share: a tiny network on disk, small pictures of one scene."""

from __future__ import annotations

import importlib.util
import signal
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from types import ModuleType
from typing import Any

import hypothesis
import numpy as np
import pytest
from PIL import Image

# How long an example takes depends on what else the machine does.
hypothesis.settings.register_profile("any machine", deadline=None)
hypothesis.settings.load_profile("any machine")


# Started in the background, as a shell without job control does, a process ignores SIGINT, and so do those it starts.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tita-lite of 8 channels with random weights."""
    import torch

    from tita_cli.models.checkpoint import save_network
    from tita_cli.network import NetworkConfig, build_network

    torch.manual_seed(7)
    config = NetworkConfig.from_name("tita-lite", dim=8, heads=2, extract=1, fuse=(1,), reconstruct=1)
    path = tmp_path_factory.mktemp("model") / "tiny.safetensors"
    save_network(path, build_network(config).state_dict(), config, {"recipe": "random"})
    return path


@pytest.fixture(scope="session")
def tiny_pair_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The smallest tita that has every kind of layer and window, shifted ones included, with random weights."""
    import torch

    from tita_cli.models.checkpoint import save_network
    from tita_cli.network import NetworkConfig, build_network

    torch.manual_seed(0)
    config = NetworkConfig(dim=8, heads=2, extract=2, fuse=(2,), reconstruct=2)
    path = tmp_path_factory.mktemp("models") / "tita.safetensors"
    save_network(path, build_network(config).state_dict(), config)
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


@pytest.fixture(scope="session")
def camera_files() -> ModuleType:
    """``bench/camera_files.py``, which makes files as cameras write them."""
    spec = importlib.util.spec_from_file_location("camera_files", Path(__file__).parents[1] / "bench/camera_files.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def flir_bytes(camera_files: ModuleType) -> Callable[..., bytes]:
    return camera_files.flir


@pytest.fixture(scope="session")
def flir_frame(camera_files: ModuleType) -> Callable[..., bytes]:
    return camera_files.flir_frame


@pytest.fixture(scope="session")
def dji_bytes(camera_files: ModuleType) -> Callable[..., bytes]:
    return camera_files.dji


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

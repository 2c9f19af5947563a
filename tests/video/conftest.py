"""Small clips made by code, and a tiny network for sets."""

from __future__ import annotations

from collections.abc import Callable
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


@pytest.fixture(scope="session")
def read_clip() -> Callable[..., list[tuple[float, np.ndarray]]]:
    """Time and pixels of every frame."""

    def read(path: Any, form: str = "rgb24", stream: int = 0) -> list[tuple[float, np.ndarray]]:
        import av

        with av.open(path if hasattr(path, "read") else str(path)) as container:
            return [(float(frame.time), frame.to_ndarray(format=form)) for frame in container.decode(video=stream)]

    return read

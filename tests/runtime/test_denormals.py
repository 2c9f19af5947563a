"""Denormal numbers are zero in the engine's threads, and only there."""

from __future__ import annotations

import platform
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from tita_cli.runtime import load_engine
from tita_cli.runtime.threads import flush_denormals

SMALL = np.full(8, 1e-40, np.float32)


def _survives() -> bool:
    return bool((SMALL * np.float32(1.0)).any())


@pytest.mark.skipif(
    sys.platform != "linux" or platform.machine() != "x86_64" or platform.libc_ver()[0] != "glibc",
    reason="they are left alone here",
)
def test_a_thread_that_asks_for_it_takes_them_for_zero() -> None:
    assert _survives()
    with ThreadPoolExecutor(1, initializer=flush_denormals) as pool:
        assert not pool.submit(_survives).result()
        assert pool.submit(np.sqrt, np.float32(2)).result() == np.sqrt(np.float32(2))
    assert _survives()


def test_an_engine_leaves_its_caller_alone(tiny_pair_model: Path) -> None:
    image = np.random.default_rng(0).random((40, 48), dtype=np.float32)
    load_engine(str(tiny_pair_model), threads=2).fuse(image, image[::-1].copy())
    assert _survives()

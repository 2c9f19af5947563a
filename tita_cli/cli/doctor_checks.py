"""What this installation can do on this machine: versions, processor, memory, providers, and a test of what runs."""

from __future__ import annotations

import os
import platform
import time
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tita_cli import __version__
from tita_cli.errors import DeviceError, TitaError, how_to_install
from tita_cli.models.find import expected_hash, file_hash, shipped_models, weights_folder
from tita_cli.options import DEFAULT_MODEL
from tita_cli.ort import telemetry_is_off
from tita_cli.runtime.device import ask_driver
from tita_cli.runtime.memory import free_memory, raise_malloc_thresholds
from tita_cli.runtime.threads import usable_cores

if TYPE_CHECKING:
    from tita_cli.images.picture import FloatArray
    from tita_cli.runtime import AnyEngine

PACKAGES = (
    "onnxruntime", "onnxruntime-gpu", "torch", "numpy", "opencv-python-headless", "pillow", "tifffile", "imagecodecs",
    "safetensors", "typer", "onnx", "pillow-heif", "OpenEXR",
)  # fmt: skip
CPU_FEATURES = ("avx2", "fma", "avx512f", "avx512_bf16", "avx512_vnni", "amx_bf16", "asimd", "bf16")
"""Of those that PyTorch and ONNX Runtime have faster code for."""
_SECONDS = 0.3
_REMOTE = "AzureExecutionProvider"
"""In every official build; it asks a server, which tita never does."""
_HEIGHT, _WIDTH = 160, 192
_CLOSE = 1 / 255
_SMALLEST_MODEL = bytes.fromhex(
    "080812003a370a100a017812017922084964656e746974791201745a0f0a0178120a0a08080112040a020801620f0a017912"
    "0a0a08080112040a02080142040a001012"
)
"""ONNX: y = x, one number."""


def examine(*, every_backend: bool = False) -> dict[str, Any]:
    """Everything, fit for JSON.

    ``every_backend``: try also what is not taken by default. ``problems``: what should work and does not; empty when
    all is well. ``remarks``: what cannot be done here and need not be.
    """
    problems: list[str] = []
    weights = _weights(problems)
    report = {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": _versions(),
        "processor": _processor(),
        "memory": {"free": free_memory(), "keeps_freed_pages": raise_malloc_thresholds()},
        "cuda": _cuda(),
        "providers": _providers(problems),
        "telemetry": "off" if telemetry_is_off() else "ONNX Runtime's own",
        "folders": _folders(),
        "weights": weights,
        "backends": _self_tests(problems, every_backend),
        "remarks": _remarks(),
        "problems": problems,
    }
    return {"version": __version__, **report}


def _versions() -> dict[str, str]:
    found = {}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def _processor() -> dict[str, Any]:
    name, flags = platform.processor() or platform.machine(), set[str]()
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            key, _, value = line.partition(":")
            if key.strip() in ("flags", "Features"):
                flags = set(value.split())
            elif key.strip() == "model name":
                name = value.strip()
    except OSError:
        pass  # not Linux: what it can do stays unknown
    return {
        "name": name,
        "cores": os.cpu_count(),
        "usable_cores": usable_cores(),
        "features": [feature for feature in CPU_FEATURES if feature in flags],
    }


def _cuda() -> dict[str, Any]:
    driver = ask_driver()
    return {"gpus": driver.gpus, "driver_cuda": driver.cuda, "problem": driver.problem}


def _providers(problems: list[str]) -> dict[str, Any]:
    """ONNX Runtime's providers: which the build has, and which really load with the smallest of models."""
    from tita_cli import ort
    from tita_cli.runtime.onnx_session import CUDA, TENSORRT, Place, open_session

    try:
        providers = ort.load().get_available_providers()
    except DeviceError as error:
        problems.append(error.message)
        return {}
    found: dict[str, str] = {}
    for provider in providers:
        if provider == _REMOTE:
            continue
        if provider in (CUDA, TENSORRT) and not ask_driver().gpus:
            found[provider] = "needs an NVIDIA GPU"
            continue
        try:
            open_session(_SMALLEST_MODEL, Place(provider), 1)
        except TitaError as error:
            found[provider] = error.message.removeprefix(f"{provider}: ")
        else:
            found[provider] = "loaded"
    return found


def _remarks() -> list[str]:
    missing = [package for package in ("torch", "onnx") if find_spec(package) is None]
    if not missing:
        return []
    if "torch" in missing:
        what = "tita train, tita export, tita convert and .pth files need"
        text = f"PyTorch is not installed, and {'this GPU, ' if ask_driver().gpus else ''}{what} it"
    else:
        text = "onnx is not installed, and tita export needs it"
    return [f"{text}: {how_to_install(*missing)}"]


def _folders() -> dict[str, str]:
    import platformdirs

    folder = weights_folder()
    return {
        "weights": str(folder) if folder else "",
        "cache": platformdirs.user_cache_dir("tita"),
        "configuration": platformdirs.user_config_dir("tita"),
    }


def _weights(problems: list[str]) -> dict[str, Any]:
    """Whether the shipped files are what they should be."""
    found: dict[str, Any] = {}
    models = shipped_models()
    if not models:
        problems.append("no weights are shipped with this installation")
    for model in models.values():
        for path in model.files:
            actual = file_hash(path) if path.is_file() else "missing"
            intact = actual == expected_hash(path)
            found[path.name] = {"sha256": actual, "intact": intact}
            if not intact:
                problems.append(f"{path}: damaged or missing: reinstall tita")
    return found


def _self_tests(problems: list[str], every_backend: bool) -> list[dict[str, Any]]:
    """Fuse for a moment on the back ends that are taken by default, or on every one; the first is compared with.

    With the default model: ``tita`` is 35 times as slow, and the hash of its files says whether they are intact. By
    default PyTorch on the CPU is left out where ONNX Runtime has the model: importing it takes seconds.
    """
    from tita_cli.runtime.engine import load_engine

    a, b = np.random.default_rng(0).random((2, _HEIGHT, _WIDTH), dtype=np.float32)
    results: list[dict[str, Any]] = []
    first = None
    shipped = shipped_models()
    has_torch = find_spec("torch") is not None
    for model in [shipped[DEFAULT_MODEL]] if DEFAULT_MODEL in shipped else shipped.values():
        kinds = (("onnx", ".onnx"), *([("torch", ".safetensors")] if has_torch else []))
        pairs = [(name, "cpu") for name, suffix in kinds if model.file(suffix)]
        pairs = pairs if every_backend else pairs[:1]
        if has_torch and ask_driver().gpus and model.file(".safetensors"):
            pairs.append(("torch", "cuda"))
        for backend, device in pairs:
            row: dict[str, Any] = {"model": model.name, "backend": backend, "device": device}
            results.append(row)
            try:
                engine = load_engine(model.name, backend=backend, device=device)
                fused = _fused(engine, a, b)  # the first is slower: memory is fetched, kernels are chosen
                begun, runs = time.perf_counter(), 0
                while runs == 0 or time.perf_counter() - begun < _SECONDS:
                    _fused(engine, a, b)
                    runs += 1
            except Exception as error:  # whatever goes wrong is a finding
                row["problem"] = str(error)
                problems.append(f"{model.name} on {backend}, {device}: {error}")
                continue
            row["mp_per_s"] = round(runs * a.size / 1e6 / (time.perf_counter() - begun), 3)
            first = fused if first is None else first
            row["difference"] = float(np.abs(fused - first).max())
            if row["difference"] > _CLOSE:
                problems.append(f"{model.name} on {backend}, {device} differs by {row['difference']:.1e}")
        first = None
    return results


def _fused(engine: AnyEngine, a: FloatArray, b: FloatArray) -> FloatArray:
    from tita_cli.runtime import SetEngine

    if isinstance(engine, SetEngine):
        from tita_cli.fusion.sets import fuse_luminances

        return fuse_luminances(engine, (a, b))
    return engine.fuse(a, b).fused

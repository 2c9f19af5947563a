"""Sessions of ONNX Runtime: which provider, on what device, and whether it really came up."""

from __future__ import annotations

import io
import os
import re
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from tita_cli import ort
from tita_cli.errors import DeviceError, ModelError, UsageError, explained, first_line
from tita_cli.models.onnx_graph import check_graph
from tita_cli.runtime.tiles import OutOfMemoryError

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from onnxruntime import InferenceSession

CPU = "CPUExecutionProvider"
CUDA = "CUDAExecutionProvider"
TENSORRT = "TensorrtExecutionProvider"
_SUFFIX = "ExecutionProvider"


class Place(NamedTuple):
    """A provider by its full name, and which of several devices."""

    provider: str
    device: int = 0

    @property
    def is_cpu(self) -> bool:
        return self.provider == CPU

    @property
    def short(self) -> str:
        """As on the command line: cpu, cuda, tensorrt …"""
        return self.provider.removesuffix(_SUFFIX).lower()

    def describe(self) -> dict[str, Any]:
        device = f"cuda:{self.device}" if self.provider in (CUDA, TENSORRT) else self.short
        return {"backend": "onnx", "provider": self.short, "device": device}


def find_provider(name: str) -> str:
    """The full name of a provider that this build of ONNX Runtime has. Raises ``UsageError``."""
    available: list[str] = ort.load().get_available_providers()
    for full in available:
        if name.lower() in (full.lower(), full.removesuffix(_SUFFIX).lower()):
            return full
    known = ", ".join(full.removesuffix(_SUFFIX).lower() for full in available)
    raise UsageError(f"`provider` {name}: this ONNX Runtime does not have it", hint=f"it has {known}")


def open_session(
    model: bytes,
    place: Place,
    threads: int,
    weights: Mapping[str, NDArray[Any]] | None = None,
    *,
    own_memory: bool = False,
    known: bool = False,
) -> InferenceSession:
    """A session on ``place`` and nowhere else. ``weights``: those that ``model`` only names; to be kept alive with it.

    ``own_memory``: it manages its own, for sessions that run a whole network: the C library, which keeps what is freed,
    needs more than twice as much for that. Many sessions at once would each keep some. ``known``: it is a shipped one,
    whose graph need not be checked.

    Raises ``ModelError`` for a model that is refused, and ``DeviceError`` where the provider does not come up: ONNX
    Runtime would go on on the CPU and say nothing.
    """
    if not known:
        check_graph(model, weights or ())
    onnxruntime = ort.load()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = ort.SILENT
    options.enable_cpu_mem_arena = own_memory
    options.enable_mem_pattern = False
    # Planning which tensors share memory takes four fifths of the time to load a graph of a thousand nodes.
    options.enable_mem_reuse = False
    # Threads that wait burn the core that another of ours, or of somebody else's, could use.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if weights:
        values = [onnxruntime.OrtValue.ortvalue_from_numpy(weight) for weight in weights.values()]
        options.add_external_initializers(list(weights), values)
    if place.is_cpu:
        if own_memory:  # exported graphs are folded; to fuse operators takes as long as loading and runs no faster
            options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        try:
            return onnxruntime.InferenceSession(model, options, providers=[CPU])
        except Exception as error:  # ONNX Runtime's own kinds have no other base
            if isinstance(explained(error), DeviceError):  # short memory, not the model
                raise
            raise ModelError(f"ONNX Runtime refuses the model: {first_line(error)}") from error
    with _captured() as said:
        preload = getattr(onnxruntime, "preload_dlls", None)  # CUDA's and cuDNN's libraries out of Python packages
        if preload is not None and place.provider in (CUDA, TENSORRT):
            preload()
        try:
            session = onnxruntime.InferenceSession(model, options, providers=_with_fallbacks(place))
        except Exception as error:
            raise DeviceError(f"{place.provider}: {first_line(error)}", hint="tita doctor tells more") from error
    loaded: list[str] = session.get_providers()
    if place.provider not in loaded:
        raise DeviceError(
            f"{place.provider}: did not load{_missing(said[0])}; there is {', '.join(loaded)}",
            hint="it needs libraries of its own: https://onnxruntime.ai/docs/execution-providers",
        )
    return session


@contextmanager
def _captured() -> Iterator[list[str]]:
    """What is written to stdout and stderr meanwhile, also by C++, as one text in the list when all is over.

    Why a provider does not come up, ONNX Runtime tells the terminal and nobody else.
    """
    said: list[str] = []
    sys.stdout.flush()
    sys.stderr.flush()
    kept = [os.dup(stream) for stream in (1, 2)]
    printed = io.StringIO()  # what Python writes, to whatever its streams are just now
    with tempfile.TemporaryFile() as file, redirect_stdout(printed), redirect_stderr(printed):
        for stream in (1, 2):
            os.dup2(file.fileno(), stream)
        try:
            yield said
        finally:
            for stream, old in zip((1, 2), kept, strict=True):
                os.dup2(old, stream)
                os.close(old)
            file.seek(0)
            said.append(printed.getvalue() + file.read().decode("utf-8", "replace"))


def _missing(said: str) -> str:
    """The libraries that could not be loaded, and the versions that ONNX Runtime wants."""
    found = re.findall(r"\b([\w.+-]+\.so[\d.]*): cannot open|Error loading \"([^\"]+)\"", said)  # Linux, Windows
    names = ", ".join(dict.fromkeys(first or second for first, second in found))
    wanted = re.search(r"Require (.+?)\.? Please", said)
    return (f": cannot load {names}" if names else "") + (f"; it requires {wanted[1]}" if wanted else "")


def _with_fallbacks(place: Place) -> list[Any]:
    """What the provider cannot run goes to the next: within one session ONNX Runtime needs the CPU for shapes."""
    device = {"device_id": place.device}
    if place.provider == TENSORRT:
        cache = {
            "trt_engine_cache_enable": True,
            "trt_engine_cache_path": str(engine_cache()),
            "trt_timing_cache_enable": True,
            "trt_timing_cache_path": str(engine_cache()),
        }
        return [(TENSORRT, {**device, **cache}), (CUDA, device), CPU]
    if place.provider == CUDA:
        return [(CUDA, device), CPU]
    return [place.provider, CPU]


@contextmanager
def device_errors(place: Place) -> Iterator[None]:
    """While a session runs: what goes wrong is the device's, and often its memory's."""
    try:
        yield
    except Exception as error:  # ONNX Runtime's own kinds have no other base
        message = str(error).lower()
        if "alloc" not in message and "memory" not in message:
            raise DeviceError(f"{place.provider}: {first_line(error)}") from error
        raise OutOfMemoryError(
            f"{place.provider}: out of memory",
            hint="`backend` torch cuts images into tiles, `device` cpu works everywhere",
        ) from error


def engine_cache() -> Path:
    """Where TensorRT keeps the engines that take minutes to build."""
    import platformdirs

    folder = Path(platformdirs.user_cache_dir("tita")) / "tensorrt"
    folder.mkdir(parents=True, exist_ok=True)
    return folder

"""How many threads and lanes a machine gets, and how much memory the pictures on their way may take."""

from __future__ import annotations

import shutil
from pathlib import Path

from tita_cli.batch.jobs import Job
from tita_cli.batch.pipeline import Sizes
from tita_cli.engine.memory import free_memory
from tita_cli.engine.threads import usable_cores

# A small image keeps few cores busy: several engines side by side do more than one on all cores. Beyond this many,
# memory bandwidth is spent and each engine gets more threads instead.
_MOST_LANES = 16
# An engine at work on a photograph of some megapixels needs about this; a lane more must not make the machine swap.
_LANE_MEMORY = 1 << 30
_SHARE = 4
# Float RGB, and as much again while a picture is converted.
_BYTES_A_PIXEL = 24


def is_gpu_likely(device: str) -> bool:
    """Whether ``--device`` will mean a GPU. A guess for ``auto``, as asking the libraries takes seconds."""
    return device.startswith("cuda") or (device == "auto" and shutil.which("nvidia-smi") is not None)


def choose_sizes(
    *, jobs: int, on_gpu: bool, workers: int | None = None, threads: int | None = None
) -> tuple[Sizes, int]:
    """Sizes of the pipeline and threads an engine, from cores, memory and device.

    ``workers``, ``threads``: what the user wants of engines side by side, and of threads for each. One GPU has one
    engine, and the cores decode and encode for it.
    """
    cores, memory = usable_cores(), free_memory()
    lanes = workers or (1 if on_gpu else max(1, min(cores, _MOST_LANES, memory // 2 // _LANE_MEMORY)))
    lanes = max(1, min(lanes, jobs))
    helpers = max(2, min(8, cores if on_gpu else lanes))
    return Sizes(helpers, lanes, helpers, memory // _SHARE), threads or max(1, cores // lanes)


def decoded_size(job: Job) -> int:
    """Bytes that the pictures of ``job`` and its result take at most, from the headers of the files."""
    pixels = max(_pixels(source) for source in job.sources)
    # Longer stacks are read one after the other.
    return pixels * _BYTES_A_PIXEL * min(len(job.sources), 3)


def _pixels(path: Path) -> int:
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as image:
            return image.width * image.height
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        # Not for pillow, or damaged, which decoding will tell: about a byte a pixel at least.
        return path.stat().st_size if path.is_file() else 0

"""Numbers of threads and lanes for this machine, and the memory for pictures in flight."""

from __future__ import annotations

import shutil
from pathlib import Path

from tita_cli.batch.jobs import Job
from tita_cli.batch.pipeline import Sizes
from tita_cli.errors import InputError, parsing
from tita_cli.files import file_of, open_input
from tita_cli.files.remote import FETCHERS
from tita_cli.runtime.memory import free_memory
from tita_cli.runtime.threads import usable_cores

# A small image keeps few cores busy, so several engines in parallel do more than one on all cores. Beyond this number
# memory bandwidth is the limit, and each engine gets more threads instead.
_MOST_LANES = 16
# Memory of an engine on a photograph of some megapixels, so that an additional lane does not make the machine swap.
_LANE_MEMORY = 1 << 30
_TIGHT = 1 << 30
"""Free memory below which pictures are read and written one at a time."""
_SHARE = 4
# Float RGB, twice while a picture is converted.
_BYTES_A_PIXEL = 24


def is_gpu_likely(device: str) -> bool:
    """Whether ``--device`` means a GPU. A guess for ``auto``, since asking the libraries takes seconds."""
    return device.startswith("cuda") or (device == "auto" and shutil.which("nvidia-smi") is not None)


def choose_sizes(
    *, jobs: int, on_gpu: bool, workers: int | None = None, threads: int | None = None, remote: bool = False
) -> tuple[Sizes, int]:
    """Sizes of the pipeline and threads per engine, from cores, memory and device.

    ``workers``, ``threads``: numbers of engines and of threads for each, if the user gave them. A GPU has one engine,
    and the cores decode and encode for it. ``remote``: sources or results are at addresses, where most of the time of
    reading and writing is waiting.
    """
    cores, memory = usable_cores(), free_memory()
    lanes = workers or (1 if on_gpu else max(1, min(cores, _MOST_LANES, memory // 2 // _LANE_MEMORY)))
    lanes = max(1, min(lanes, jobs))
    helpers = 1 if memory < _TIGHT else max(2, min(8, cores if on_gpu else lanes))
    if remote:
        helpers = max(helpers, FETCHERS)
    return Sizes(helpers, lanes, helpers, memory // _SHARE), threads or max(1, cores // lanes)


def decoded_size(job: Job) -> int:
    """Upper bound on the bytes of the pictures of ``job`` and its result, from the headers of the files."""
    pixels = max(_pixels(source) for source in job.sources)
    # Longer stacks are read one after the other.
    return pixels * _BYTES_A_PIXEL * min(len(job.sources), 3)


def _pixels(path: Path) -> int:
    from tita_cli.images.formats.pillow import open_pillow

    path = file_of(path)
    try:
        with open_input(path) as file, parsing(str(path)), open_pillow(file) as image:
            return image.width * image.height
    except InputError:
        # Not readable by pillow, or damaged, which decoding will report: at least about a byte per pixel.
        return path.stat().st_size if path.is_file() else 0

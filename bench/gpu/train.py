"""Stages 2 and 3 on a GPU: go on with a run for so many minutes, and leave what it has come to in the folder $OUT.

    python bench/gpu/train.py CONFIG.toml --data FOLDER --run RUN_DIR [--minutes 9] [--tiny]

A run that is there already goes on, with the sizes and losses that CONFIG.toml says now. Calls ``tita train`` and shows
how busy the GPU was. $OUT gets ``ema.safetensors``, ``state.pt`` (compact: a run folder's ``last.pt`` to go on from),
``log.jsonl`` and ``curves.svg``.

Try it without a GPU: --tiny trains for seconds, with the smallest of networks and one crop, on the CPU.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

LEFT_BEHIND = 16 << 20
"""Bytes: larger files do not come back."""


def tita(*arguments: object) -> None:
    subprocess.run([sys.executable, "-m", "tita_cli", "train", *map(str, arguments)], check=True)


def tiny(config: Path, folder: Path) -> Path:
    """A copy of the configuration that takes seconds."""
    small = {
        "crop": "64", "batch": "1", "frames": "4", "workers": "1", "compile": "false", "precision": '"fp32"',
        "device": '"cpu"', "every": "1", "drop_path": "0.0",
    }  # fmt: skip
    text = config.read_text("utf-8")
    for key, value in small.items():
        text = re.sub(rf"(?m)^{key} = .*$", f"{key} = {value}", text)
    text = re.sub(r"(?m)^init = .*\n", "", text)
    text = re.sub(r'(?m)^teacher = "(.*)"$', lambda m: f'teacher = "{(config.parent / m[1]).resolve()}"', text)
    text = text.replace("[network]\n", "[network]\ndim = 16\nheads = 2\nextract = 1\nfuse = [1]\nreconstruct = 1\n")
    path = folder / config.name
    path.write_text(text, "utf-8")
    return path


def watch(stop: threading.Event) -> list[int]:
    """How busy the GPU is, in percent, every second."""
    seen: list[int] = []

    def look() -> None:
        query = ["nvidia-smi", "--query-gpu=utilization.gpu", "--format=csv,noheader,nounits"]
        while not stop.wait(1.0):
            done = subprocess.run(query, capture_output=True, text=True, check=False)
            seen.extend(int(line) for line in done.stdout.split() if line.isdecimal())

    if shutil.which("nvidia-smi"):
        threading.Thread(target=look, daemon=True).start()
    return seen


def main() -> int:
    started = time.monotonic()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=9.0, help="of this call")
    parser.add_argument("--tiny", action="store_true")
    options = parser.parse_args()
    out = Path(os.environ.get("OUT", "."))
    stop = threading.Event()
    busy = watch(stop)
    with tempfile.TemporaryDirectory() as scratch:
        config = tiny(options.config, Path(scratch)) if options.tiny else options.config
        resume = ["--resume"] if (options.run / "last.pt").exists() else []
        left = options.minutes - (time.monotonic() - started) / 60
        tita(config, "--data", options.data, "-o", options.run, "--pause-after", max(left, 0), *resume)
    stop.set()
    if busy:
        print(f"GPU: busy for {sum(busy) / len(busy):.0f} % of the time, in the last minute {busy[-60:]}")
    tita("--export-state", out / "state.pt", "-o", options.run, "--force")
    tita("--plot", options.run / "log.jsonl", "-o", out / "curves.svg", "--force")
    for name in ("ema.safetensors", "log.jsonl"):
        shutil.copy(options.run / name, out / name)
    for path in sorted(out.iterdir()):
        size = path.stat().st_size
        print(f"{path.name}: {size / 2**20:.1f} MiB{', TOO LARGE' if size > LEFT_BEHIND else ''}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

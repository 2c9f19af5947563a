"""The cost of denormal numbers: `tita` at 256², with and without flushing them to zero.

    python bench/denormals.py [--pairs 4]

Both engines run alternately in one process. Prints the seconds of each fusion and the ratio of the medians.
"""

from __future__ import annotations

import argparse
import time

import cv2
import numpy as np

from tita_cli.runtime import load_engine, onnx_cpu


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=4)
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    coarse = cv2.resize(rng.random((16, 16), dtype=np.float32), (256, 256), interpolation=cv2.INTER_CUBIC)
    sharp = np.clip(0.8 * coarse + 0.2 * rng.random((256, 256), dtype=np.float32), 0, 1)
    soft = cv2.GaussianBlur(sharp, (0, 0), 3)
    engines = {}
    flush = onnx_cpu.flush_denormals
    for name, start in (("as zero", flush), ("as they are", lambda: None)):
        onnx_cpu.flush_denormals = start  # read when an engine's threads start, with its first fusion
        engines[name] = load_engine("tita", backend="onnx", device="cpu")
        engines[name].fuse(sharp, soft)
    spent: dict[str, list[float]] = {name: [] for name in engines}
    for _ in range(options.pairs):
        for name, engine in engines.items():
            began = time.perf_counter()
            engine.fuse(sharp, soft)
            spent[name].append(time.perf_counter() - began)
    for name, seconds in spent.items():
        print(f"{name:12} " + "  ".join(f"{s:.2f}" for s in seconds))
    zero, kept = (float(np.median(seconds)) for seconds in spent.values())
    print(f"as zero / as they are: {zero / kept:.2f}")


if __name__ == "__main__":
    main()

"""How fast and how exact the engine is on this machine, and how much memory it takes.

    python bench/engine.py [--quick] [--limit SECONDS] [--memory SIZE] [--threads N] [--json FILE]

Prints the machine's matrix-product peak; then, for each variant, back end, precision and size, seconds, megapixels a
second, share of that peak in useful FLOP (those of the network as it is written down), peak resident memory of the
process and the largest difference from fp32; then how cost grows with size.
Every case is a process of its own. The best of several runs counts; "others" is what other processes took of the cores
meanwhile, and where that is much, so is the time. Cases that would take longer than the limit are left out, which is
said.

Both variants are the shipped ones. A case is a whole fusion of two luminances in memory, without alignment. The
reference is the PyTorch back end, which runs the network as it is written down.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np

SIZES = {"256²": (256, 256), "640×480": (480, 640), "1 MP": (816, 1232), "12 MP": (3000, 4000), "24 MP": (4000, 6000)}
GROWTH = {"0.3": (480, 640), "1": (816, 1232), "3": (1500, 2000), "12": (3000, 4000), "50": (5792, 8640)}
ENOUGH = 60.0
"""Seconds after which a case is not repeated: by then the start no longer counts."""
QUICK = 1_100_000
"""Pixels up to which ``--quick`` goes."""
CASES = (
    ("tita", "torch", "fp32"), ("tita", "onnx", "fp32"), ("tita-lite", "torch", "fp32"), ("tita-lite", "onnx", "fp32"),
)  # fmt: skip


def pictures(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Two smooth pictures, one blurred here and the other there, as luminances."""
    rng = np.random.default_rng(height)
    coarse = cv2.resize(rng.random((height // 16 + 2, width // 16 + 2), dtype=np.float32), (width, height))
    sharp = np.clip(coarse + 0.2 * (rng.random((height, width), dtype=np.float32) - 0.5), 0, 1)
    left = np.arange(width) < width // 2
    return np.where(left, sharp, coarse), np.where(left, coarse, sharp)


def peak(threads: int, size: int = 2048) -> float:
    """GFLOP/s of a large matrix product."""
    import torch

    torch.set_num_threads(threads)
    a, b = torch.rand(2, size, size)
    best = float("inf")
    for _ in range(80):
        start = time.perf_counter()
        a @ b
        best = min(best, time.perf_counter() - start)
    return 2 * size**3 / best / 1e9


def flop_a_pixel(variant: str) -> float:
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from tita_cli.network import NetworkConfig, build_network

    network = build_network(NetworkConfig.from_name(variant)).eval()
    pair = torch.rand(1, 2, 128, 128)
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        network(pair) if network.spec.kind == "set" else network(*pair[0, :, None, None])
    return counter.get_total_flops() / 128**2


def fuse_pair(engine: Any, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Two luminances H×W in 0..1 → the fused one."""
    from tita_cli import fuse
    from tita_cli.images.picture import Picture

    pixels = fuse(Picture(a[..., None]), Picture(b[..., None]), engine=engine, align="none").picture.pixels
    return np.asarray(pixels[..., 0])


def busy() -> float:
    """Seconds that all processors have worked, and this process."""
    ticks = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
    return sum(int(t) for i, t in enumerate(ticks[:8]) if i not in (3, 4)) / os.sysconf("SC_CLK_TCK")


def resident() -> int:
    """Bytes that this process has had in memory at most. What getrusage says, a child takes over from its parent."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) * 1024


def measure(
    model: str,
    backend: str,
    precision: str,
    size: tuple[int, int],
    threads: int,
    memory: int,
    reference: str,
    limit: float,
) -> None:
    """One case, in this process: prints JSON."""
    from tita_cli.runtime import load_engine

    engine = load_engine(model, backend=backend, device="cpu", threads=threads, memory=memory)
    a, b = pictures(*size)
    best: dict[str, float] = {"seconds": float("inf")}
    begun = time.perf_counter()
    for _ in range(5):
        start, own, everybody = time.perf_counter(), time.process_time(), busy()
        fused = fuse_pair(engine, a, b)
        seconds, own, everybody = time.perf_counter() - start, time.process_time() - own, busy() - everybody
        others = max(everybody - own, 0) / (seconds * (os.cpu_count() or 1))
        if seconds < best["seconds"]:
            best = {"seconds": seconds, "cpu": own, "others": others}
        if time.perf_counter() - begun > min(limit / 4, ENOUGH):
            break
    most = resident()
    difference = mean = None
    if Path(reference).exists():
        off = np.abs(fused - np.load(reference))
        difference, mean = float(off.max()), float(off.mean())
    elif backend == "torch" and precision == "fp32":
        np.save(reference, fused)
        difference = 0.0
    print(json.dumps({**best, "rss": most, "difference": difference, "mean": mean, "engine": engine.describe()}))


def run(
    model: str, backend: str, precision: str, size: tuple[int, int], reference: Path, options: argparse.Namespace
) -> dict[str, Any]:
    from tita_cli.options import parse_size

    numbers = [*size, options.threads, parse_size(options.memory)]
    case = [model, backend, precision, *map(str, numbers), str(reference), str(options.limit)]
    done = subprocess.run([sys.executable, __file__, "--one", *case], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="up to 1 MP, tita-lite only")
    parser.add_argument("--limit", type=float, default=60, help="seconds a case may take")
    parser.add_argument(
        "--memory", default="4G", help="what an image may take; `tita` takes 0.76 GB a megapixel in one piece"
    )
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    top = peak(options.threads)
    print(f"matrix product, {options.threads} threads: {top:.0f} GFLOP/s fp32")
    print(", ".join(f"{name}: {flop_a_pixel(name) / 1e3:.0f} kFLOP a pixel" for name in ("tita-lite", "tita")) + "\n")
    sizes = {name: size for name, size in SIZES.items() if not options.quick or size[0] * size[1] <= QUICK}
    table: list[dict[str, Any]] = []
    print("| variant | back end | precision | size | seconds | MP/s | of peak | RSS, MB | difference | others |")
    print("|---|---|---|---|---:|---:|---:|---:|---:|---:|")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for case in CASES:
            if options.quick and case[0] == "tita":
                continue
            flop, rate = flop_a_pixel(case[0]), 0.0
            for label, size in sizes.items():
                pixels = size[0] * size[1]
                head = f"| {case[0]} | {case[1]} | {case[2]} | {label} |"
                if rate and pixels / rate > options.limit:
                    print(f"{head} about {pixels / rate / 60:.0f} min by its rate, not run | | | | | |", flush=True)
                    continue
                found = run(*case, size, folder / f"{case[0]}-{pixels}.npy", options)
                table.append({"case": case, "size": size, **found})
                rate = pixels / found["seconds"]
                # A network for sets sees a part of the pixels only.
                peak_share = "" if case[0] == "tita-lite" else f"{flop * rate / top / 1e9:.0%}"
                difference = "" if found["difference"] is None else f"{found['difference']:.1e}"
                print(
                    f"{head} {found['seconds']:.2f} | {rate / 1e6:.3f} | {peak_share} | "
                    f"{found['rss'] / 1e6:.0f} | {difference} | {found['others']:.0%} |",
                    flush=True,
                )
        print("\nGrowth, tita-lite on onnx: MP of a source, seconds, processor seconds a megapixel, RSS")
        for label, size in GROWTH.items():
            if options.quick and size[0] * size[1] > QUICK:
                continue
            found = run("tita-lite", "onnx", "fp32", size, folder / "none.npy", options)
            megapixels = size[0] * size[1] / 1e6
            print(f"{label:>5}  {found['seconds']:.2f}  {found['cpu'] / megapixels:.2f}  {found['rss'] / 1e6:.0f} MB")
    print(f"matrix product at the end: {peak(options.threads):.0f} GFLOP/s fp32")
    if options.json:
        options.json.write_text(json.dumps({"peak": top, "table": table}, indent=1) + "\n")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        model, backend, precision, height, width, threads, memory, reference, limit = sys.argv[2:]
        size = int(height), int(width)
        measure(model, backend, precision, size, int(threads), int(memory), reference, float(limit))
    else:
        main()

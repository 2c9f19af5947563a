"""Stage 1 on a GPU: is what it computes right, how fast is it, and what happens when its memory is too small.

    python bench/gpu/check.py [--device cuda] [--models tita tita-lite FILE ...] [--sizes 640x480 1232x816 ...]

Prints, for each model, size and precision: seconds, megapixels of one source per second, GPU memory, and the largest
difference from the CPU in 1/255, up to --compare pixels; at most 1 is right for fp32. Then the published network's
fixture, and a run with a hundredth of the memory, which has to fall back to tiles with the same result. Leaves
``check.json`` in the folder that $OUT names. Ends with 1 where something is wrong.

Try it without a GPU: --device cpu --sizes 160x96
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from engine import fuse_pair, pictures

from tita_cli.models.checkpoint import load_network
from tita_cli.runtime import load_engine

FIXTURE = Path(__file__).parents[2] / "tests" / "data" / "official_small"
ROUNDS = 3


def measure(model: str, device: str, size: tuple[int, int], half: bool, compare: int) -> dict[str, Any]:
    kind = torch.device(device).type
    engine = load_engine(model, backend="torch", device=device)
    sources = pictures(size[1], size[0])
    seconds = []
    if kind == "cuda":
        torch.cuda.reset_peak_memory_stats()
    with torch.autocast(kind, torch.float16) if half else nullcontext():
        for _ in range(ROUNDS):
            start = time.perf_counter()
            fused = fuse_pair(engine, *sources)
            seconds.append(time.perf_counter() - start)
    pixels, best = size[0] * size[1], min(seconds)
    result: dict[str, Any] = {
        "model": model, "size": f"{size[0]}x{size[1]}", "precision": "half" if half else "fp32",
        "seconds": round(best, 4), "mpx_per_s": round(pixels / best / 1e6, 2),
    }  # fmt: skip
    if kind == "cuda":
        result["gpu_gb"] = round(torch.cuda.max_memory_allocated() / 1e9, 2)
    if pixels <= compare:
        wanted = fuse_pair(load_engine(model, backend="torch", device="cpu"), *sources)
        result["difference"] = round(float(np.abs(fused - wanted).max()) * 255, 3)
    return result


def fixture(device: str) -> float:
    """The largest difference from the published network's exact outputs, in 1/255."""
    network = load_network(FIXTURE.with_suffix(".pth")).network.to(device)
    with np.load(FIXTURE.with_suffix(".npz")) as file, torch.inference_mode():
        a, b, wanted = (torch.from_numpy(file[name]).to(device) for name in ("a", "b", "fused"))
        return float((network(a, b).fused - wanted).abs().max()) * 255


def fallback(model: str, device: str, size: tuple[int, int]) -> float:
    """The difference that too little GPU memory makes, in 1/255."""
    sources = pictures(size[1], size[0])
    whole = fuse_pair(load_engine(model, backend="torch", device=device), *sources)
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction(0.01)
    try:
        engine = load_engine(model, backend="torch", device=device, memory=1 << 40)  # so that it tries the whole first
        return float(np.abs(fuse_pair(engine, *sources) - whole).max()) * 255
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--models", nargs="*", default=["tita-lite", "tita"])
    parser.add_argument("--sizes", nargs="*", default=["640x480", "1232x816", "4000x3000", "6000x4000"])
    parser.add_argument("--compare", type=int, default=400_000)
    options = parser.parse_args()
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    sizes = [(int(w), int(h)) for w, h in (size.split("x") for size in options.sizes)]
    card = torch.cuda.get_device_name() if options.device.startswith("cuda") else "CPU"
    rows, wrong = [], []
    print(f"{card}, PyTorch {torch.__version__}")
    for model in options.models:
        for size in sizes:
            for half in (False, True):
                row = measure(model, options.device, size, half, options.compare)
                rows.append(row)
                print("  ".join(f"{name} {value}" for name, value in row.items()), flush=True)
                if not half and row.get("difference", 0) > 1:
                    wrong.append(f"{model}, {row['size']}: off by {row['difference']}/255")
    result: dict[str, Any] = {"card": card, "torch": torch.__version__, "rows": rows}
    result["fixture"] = fixture(options.device)
    print(f"published network's fixture: {result['fixture']:.4f}/255")
    if options.device.startswith("cuda"):
        result["fallback"] = fallback("tita", options.device, sizes[1])
        print(f"with a hundredth of the memory: {result['fallback']:.4f}/255")
    wrong += [f"{name}: off by {result[name]}/255" for name in ("fixture", "fallback") if result.get(name, 0) > 1]
    (Path(os.environ.get("OUT", ".")) / "check.json").write_text(json.dumps(result | {"wrong": wrong}, indent=1))
    print("\n".join(wrong) or "all right", flush=True)
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())

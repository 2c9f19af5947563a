"""Train a network for pairs from scratch: complete, without IPA, without OAF's weights, and without FAMO.

    python bench/ablation.py --data ../shared/data/train -o RUNS [--config CONFIG.toml] [--only full,no-ipa,…]

Everything else is as in CONFIG.toml, by default weights/training/tita-lite.toml, with equal numbers of steps: --lr,
--steps and --seed replace what it says. bench/gpu/tita-small.toml is for ``tita`` on a GPU. Prints for each the average
ranks on the dev sets among the published methods, and their mean. A run that exists in RUNS is not trained again.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
CONFIG = HERE.parent / "weights/training/tita-lite.toml"
NETWORK = "[network]\n"
VARIANTS = {
    "full": ("", ""),
    "no-ipa": (NETWORK, NETWORK + "ipa = false\n"),
    "no-oaf-weights": (NETWORK, NETWORK + "oaf_weighted = false\n"),
    "no-famo": ('famo = "next-batch"', 'famo = "equal"'),
}


def configuration(base: Path, variant: str, steps: int, seed: int, lr: float) -> str:
    text = re.sub(r"(?m)^minutes = ", "steps = ", base.read_text(encoding="utf-8"), count=1)
    settings = {"steps": steps, "seed": seed, "lr": lr}
    for key, value in settings.items():
        text, found = re.subn(rf"^{key} = .*$", f"{key} = {value}", text, count=1, flags=re.MULTILINE)
        if not found:
            raise SystemExit(f"{base} does not say {key}")
    old, new = VARIANTS[variant]
    if old not in text:
        raise SystemExit(f"{base} does not say {old.strip()}")
    return text.replace(old, new, 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--config", type=Path, default=CONFIG)
    parser.add_argument("--only", default=",".join(VARIANTS))
    parser.add_argument("--steps", type=int, default=800)
    parser.add_argument("--seed", type=int, default=101)
    parser.add_argument("--lr", type=float, default=1.2e-3)
    parser.add_argument("--workers", default="1")
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    print(f"{'':16} {'VIFB':>6} {'MEFB':>6} {'Lytro':>6} {'mean':>6}")
    for variant in options.only.split(","):
        run, config = options.output / variant, options.output / f"{variant}.toml"
        if not (run / "ema.safetensors").exists():
            config.write_text(
                configuration(options.config, variant, options.steps, options.seed, options.lr), encoding="utf-8"
            )
            train = ["tita", "train", str(config), "--data", str(options.data), "-o", str(run)]
            subprocess.run(train, check=True, stdout=subprocess.DEVNULL)
        found = options.output / f"{variant}.json"
        score = [str(HERE / "weights.py"), str(run / "ema.safetensors"), "--workers", options.workers, "--json"]
        subprocess.run([sys.executable, *score, str(found)], check=True, stdout=subprocess.DEVNULL)
        ranks = [entry["average_rank"] for entry in json.loads(found.read_text()).values()]
        cells = " ".join(f"{rank:6.2f}" for rank in (*ranks, sum(ranks) / len(ranks)))
        print(f"{variant:16} {cells}", flush=True)


if __name__ == "__main__":
    main()

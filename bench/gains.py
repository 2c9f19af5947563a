"""How much of their gains sets of so many exposures want: MEF-SSIM over all frames, with all gains times a factor.

    python bench/gains.py MODEL [--sets 8]

The network's own fall of the gains with the number of sources is off, so that a factor is what it should be. Sets are
made of the training pack: series with exposures between their frames, and brackets made from stills; then the
brackets of five and seven frames of the dev sets, at 1,024 pixels.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).parent))
from dev_sets import SHARED

from tita_cli import fuse
from tita_cli.metrics.evaluate import grey
from tita_cli.metrics.exposure import mef_ssim
from tita_cli.metrics.plane import Plane
from tita_cli.models.checkpoint import load_network, save_network
from tita_cli.runtime import SetEngine, load_engine
from tita_cli.training.set_sample import _exposures, exposures_between

FACTORS = (0.25, 0.4, 0.55, 0.7, 0.85, 1.0)
CROP, LARGEST = 384, 1024
REAL = ("photos/bracket_seven", "brackets/bracket_building_11mp")


def sets(count: int) -> Iterator[tuple[str, np.ndarray]]:
    """Name and N×H×W in 0..1 of each set."""
    train = SHARED / "data/train"
    rng = np.random.default_rng(5)
    series, stills = (sorted((train / name).iterdir()) for name in ("mef/sice", "stills/bsds"))
    chosen = rng.choice(len(series), count, replace=False)
    for number in (4, 7, 10, 14):
        for index in chosen:
            frames = np.stack([opened(path)[:CROP, :CROP] for path in sorted(series[index].iterdir())])
            yield f"series, {number}", exposures_between(frames, number, np.random.default_rng(int(index)))
    chosen = rng.choice(len(stills), count, replace=False)
    for number in (3, 5, 9, 14):
        for index in chosen:
            still = np.asarray(Image.open(stills[index]).convert("L"))
            yield f"stills, {number}", _exposures(still, None, number, np.random.default_rng(int(index)))
    for name in REAL:
        paths = sorted((SHARED / "data/dev" / name).iterdir())
        yield f"{Path(name).name}, {len(paths)}", np.stack([opened(path, LARGEST) for path in paths])


def opened(path: Path, largest: int | None = None) -> np.ndarray:
    image = Image.open(path).convert("L")
    if largest:
        factor = largest / max(image.size)
        image = image.resize((round(image.width * factor), round(image.height * factor)), Image.Resampling.LANCZOS)
    return np.asarray(image, np.float32) / 255


def without_fall(model: str) -> SetEngine:
    network = load_network(model).network
    network.get_parameter("gain_fall").data.zero_()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "even.safetensors"
        save_network(path, network.state_dict(), network.config)
        engine = load_engine(str(path), device="cpu")
    assert isinstance(engine, SetEngine)
    return engine


class Scaled:
    """An engine's ``decide`` with all gains times ``factor``; what was decided of the last set is known."""

    def __init__(self, decide: Callable[..., Any]) -> None:
        self.decide, self.factor = decide, 1.0
        self.known: dict[bytes, Any] = {}

    def __call__(self, images: np.ndarray, *rest: Any) -> Any:
        key = images.tobytes()
        if key not in self.known:
            self.known = {key: self.decide(images, *rest)}
        decision = self.known[key]
        return replace(decision, gains=tuple((self.factor * gain).astype(np.float32) for gain in decision.gains))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--sets", type=int, default=8, help="of each kind and number")
    options = parser.parse_args()
    engine = without_fall(options.model)
    engine.decide = scaled = Scaled(engine.decide)  # type: ignore[method-assign]
    rows: dict[str, list[list[float]]] = defaultdict(list)
    for name, frames in sets(options.sets):
        bytes_ = [np.rint(np.clip(frame, 0, 1) * 255).astype(np.uint8) for frame in frames]
        planes = [Plane(grey(frame)) for frame in bytes_]
        values = []
        for scaled.factor in FACTORS:
            pixels = fuse(*bytes_, engine=engine, align="none").picture.pixels
            values.append(mef_ssim(Plane(grey(np.rint(pixels * 255).astype(np.uint8).squeeze())), *planes))
        rows[name].append(values)
    print(f"{'gains times':26}" + "".join(f"{factor:9.2f}" for factor in FACTORS))
    for name, each in rows.items():
        print(f"{name:26}" + "".join(f"{value:9.4f}" for value in np.mean(each, 0)))


if __name__ == "__main__":
    main()

"""Speed, flicker and traces of ``tita video``: python bench/video.py [--model FILE] [--pair VIS IR] [--speed] …

Clips are made by code of a pair of pictures (the example of this repository), 640×512 at 25 frames a second, with a
sensor's noise, a hot target that crosses, and a camera that stands still or pans. Prints

- frames a second by the clock, and the processor time of a frame, stage by stage, which other load changes less;
- flicker: the mean change of static pixels from frame to frame beyond the sources' own, in 255ths, fused frame by
  frame and as ``tita video`` does it, and the change as a whole. The sources' own is what changes where one decision,
  the mean of the clip's, is applied to all frames;
- traces: by how much the result differs from frame-by-frame fusion (in 255ths) where the target was half a second ago
  or less, beside what it does elsewhere.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

from tita_cli.network.spec import Spec
from tita_cli.options import DEFAULT_MODEL, FuseOptions
from tita_cli.runtime import load_engine
from tita_cli.runtime.set_engine import Decision, SetEngine
from tita_cli.video import VideoOptions, fuse_video
from tita_cli.video.fuse import STEADY
from tita_cli.video.fusing import Fuser, Ready
from tita_cli.video.opening import open_clips
from tita_cli.video.pairs import Unpaired, nearest_pairs
from tita_cli.video.plans import plan_clips
from tita_cli.video.writer import Encoding, Shape, Writer

EXAMPLE = Path(__file__).parents[1] / "examples/infrared"
WIDTH, HEIGHT, RATE = 640, 512, 25
SIGMA = (3.0, 4.0)
"""Noise of the visible and of the infrared camera, of 255."""
TARGET = (18, 40)
BEHIND = RATE // 2
NEAR = 24
"""Pixels around the target that its edge may touch."""


def scenes(
    visible: Path, infrared: Path, frames: int, *, panning: bool
) -> tuple[list[np.ndarray], list[np.ndarray], np.ndarray]:
    """Frames H×W×3 and H×W, uint8, and where the target is in each, N×H×W."""
    rng = np.random.default_rng(0)
    margin = 60 if panning else 0
    size = (WIDTH + margin, HEIGHT)
    photo = cv2.resize(cv2.imread(str(visible)), size, interpolation=cv2.INTER_AREA)
    heat = cv2.resize(cv2.imread(str(infrared), cv2.IMREAD_GRAYSCALE), size, interpolation=cv2.INTER_AREA)
    colours, greys, masks = [], [], []
    for index in range(frames):
        at = round(margin * index / max(frames - 1, 1))
        one, two = photo[:, at : at + WIDTH].astype(np.float32), heat[:, at : at + WIDTH].astype(np.float32)
        mask = np.zeros((HEIGHT, WIDTH), np.uint8)
        x = round(-TARGET[0] + (WIDTH + 2 * TARGET[0]) * index / max(frames - 1, 1))
        cv2.ellipse(mask, (x, round(HEIGHT * 0.6)), TARGET, 0, 0, 360, 255, -1, cv2.LINE_AA)
        share = mask[..., None] / np.float32(255)
        one += share * (40 - one)
        two += share[..., 0] * (240 - two)
        one += rng.normal(0, SIGMA[0], one.shape)
        two += rng.normal(0, SIGMA[1], two.shape)
        colours.append(np.clip(one, 0, 255).astype(np.uint8))
        greys.append(np.clip(two, 0, 255).astype(np.uint8))
        masks.append(mask > 0)
    return colours, greys, np.stack(masks)


def write(path: Path, frames: list[np.ndarray]) -> None:
    """An H.264 file as cameras make them."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=RATE, options={"crf": "14", "preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, "bgr24" if frame.ndim == 3 else "gray")))
        container.mux(stream.encode(None))


class Costs:
    """Processor seconds by stage."""

    def __init__(self) -> None:
        self.seconds: Counter[str] = Counter()

    @contextmanager
    def of(self, stage: str) -> Iterator[None]:
        begun = time.process_time()
        yield
        self.seconds[stage] += time.process_time() - begun


class Timed(SetEngine):
    """An engine that counts what it costs."""

    def __init__(self, engine: SetEngine, costs: Costs) -> None:
        self._engine, self._costs = engine, costs

    @property
    def spec(self) -> Spec:
        return self._engine.spec

    def decide(self, images: np.ndarray, hidden: np.ndarray, role: np.ndarray | None = None) -> Decision:
        with self._costs.of("network"):
            return self._engine.decide(images, hidden, role)


def decided(sources: list[str], engine: SetEngine, steady: float) -> list[Ready]:
    """Every frame of the result, before it is blended and encoded."""
    how = FuseOptions(align="none")
    clips = open_clips(sources)
    fuser = Fuser(clips, plan_clips(clips, sources, how, Fraction(0)), engine, how, steady, 8)
    pairs = nearest_pairs(
        clips[0].frames(), clips[1].frames(), interval=1 / clips[1].rate, offset=Fraction(0), unpaired=Unpaired()
    )
    return [fuser.fused(list(pair)) for pair in pairs]


def mean_decision(frames: list[Ready]) -> Decision:
    """What the network decides on the mean."""

    def mean(maps: list[tuple[np.ndarray, ...]]) -> tuple[np.ndarray, ...]:
        return tuple(np.mean(level, axis=0, dtype=np.float32) for level in zip(*maps, strict=True))

    decisions = [frame.decision for frame in frames]
    direct = np.mean([one.direct for one in decisions], axis=0, dtype=np.float32)
    shares, gains = mean([one.shares for one in decisions]), mean([one.gains for one in decisions])
    return Decision(shares, gains, direct, decisions[0].weights)


def around(mask: np.ndarray) -> np.ndarray:
    """What is near the target."""
    return cv2.dilate(mask.astype(np.uint8), np.ones((2 * NEAR + 1, 2 * NEAR + 1), np.uint8)).astype(bool)


def flicker(results: list[np.ndarray], fixed: list[np.ndarray], masks: np.ndarray) -> tuple[float, float]:
    """Of pixels far from the target: the change beyond that of ``fixed``, and the change, in 255ths.

    ``fixed``: the same frames by one decision, which change as much as the sources do.
    """
    beyond, whole = [], []
    for index in range(RATE // 5, len(results)):
        still = ~around(masks[index] | masks[index - 1])
        change, own = (one[index] - one[index - 1] for one in (results, fixed))
        beyond.append(np.abs(change - own)[still].mean())
        whole.append(np.abs(change)[still].mean())
    return 255 * float(np.mean(beyond)), 255 * float(np.mean(whole))


def trace(results: list[np.ndarray], single: list[np.ndarray], masks: np.ndarray) -> tuple[float, float]:
    """Mean difference to frame-by-frame fusion behind the target, and elsewhere."""
    behind, elsewhere = [], []
    for index in range(BEHIND, len(results)):
        here = cv2.dilate(masks[index].astype(np.uint8), np.ones((5, 5))).astype(bool)
        passed = masks[index - BEHIND : index].any(axis=0) & ~here
        difference = cv2.blur(results[index] - single[index], (5, 5))
        if passed.any():
            behind.append(np.abs(difference[passed]).mean())
        far = ~around(masks[: index + 1].any(axis=0))
        elsewhere.append(np.abs(difference[far]).mean())
    return 255 * float(np.mean(behind)), 255 * float(np.mean(elsewhere))


def stages(sources: list[str], engine: SetEngine, folder: Path) -> tuple[Costs, int]:
    """What each stage of a frame costs, one after the other in one thread; and the number of frames."""
    how, costs = FuseOptions(align="none"), Costs()
    clips = open_clips(sources)
    fuser = Fuser(clips, plan_clips(clips, sources, how, Fraction(0)), Timed(engine, costs), how, STEADY, 8)
    pairs = nearest_pairs(
        clips[0].frames(), clips[1].frames(), interval=1 / clips[1].rate, offset=Fraction(0), unpaired=Unpaired()
    )
    shape = Shape(WIDTH, HEIGHT, clips[0].time_base, Fraction(RATE), True, 8, False, {})
    count = 0
    with (folder / "again.mp4").open("w+b") as file:
        writer = Writer(file, "again.mp4", Encoding(), shape, [], {})
        while True:
            with costs.of("decoding"):
                pair = next(pairs, None)
            if pair is None:
                break
            with costs.of("values, steadiness"):
                ready = fuser.fused(list(pair))
            with costs.of("blending"):
                luminance, chroma = ready.luminance(), ready.chroma()
            with costs.of("encoding"):
                writer.write(ready.ticks, luminance, chroma)
            count += 1
        with costs.of("encoding"):
            writer.close()
    costs.seconds["values, steadiness"] -= costs.seconds["network"]  # which runs inside
    return costs, count


def speed(sources: list[str], engine: SetEngine, folder: Path) -> None:
    """Print frames a second by the clock, processor time a frame, and where it goes."""
    begun = time.process_time()
    result = fuse_video(
        sources, str(folder / "out.mp4"), options=FuseOptions(align="none"), video=VideoOptions(), engine=engine,
        overwrite=True,
    )  # fmt: skip
    whole, frames = time.process_time() - begun, result.frames
    print(f"{WIDTH}x{HEIGHT}, {result.engine['backend']}: {frames / result.seconds:.1f} frames a second by the clock")
    print(f"  {1000 * whole / frames:.0f} processor ms a frame, the opening of the clips included")
    costs, count = stages(sources, engine, folder)
    total = sum(costs.seconds.values())
    for stage, seconds in costs.seconds.most_common():
        print(f"  {stage:18} {1000 * seconds / count:5.1f} ms {seconds / total:4.0%}")
    print(f"  in all {1000 * total / count:.0f} processor ms, {2 * count / total:.0f} frames a second on two cores")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument("--pair", nargs=2, type=Path, default=(EXAMPLE / "visible.png", EXAMPLE / "infrared.png"))
    parser.add_argument("--frames", type=int, default=50)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--speed", action="store_true", help="nothing but the speed")
    args = parser.parse_args()
    engine = load_engine(args.model, device="cpu", threads=args.threads)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for panning in (False, True):
            colours, greys, masks = scenes(*args.pair, args.frames, panning=panning)
            sources = [str(folder / f"{kind}.mp4") for kind in ("vis", "ir")]
            for path, frames in zip(sources, (colours, greys), strict=True):
                write(Path(path), frames)
            if not panning:
                speed(sources, engine, folder)
                if args.speed:
                    return
            raw, settled = (decided(sources, engine, seconds) for seconds in (0.0, STEADY))
            single, steady = ([frame.luminance() for frame in frames] for frames in (raw, settled))
            print("panning camera:" if panning else "still camera:")
            if not panning:
                decision = mean_decision(raw)
                fixed = [replace(frame, decision=decision).luminance() for frame in raw]
                for label, results in (("frame by frame", single), ("tita video", steady)):
                    beyond, whole = flicker(results, fixed, masks)
                    print(f"  flicker {label}: {beyond:.3f} beyond the sources' own; {whole:.3f} in all")
            behind, elsewhere = trace(steady, single, masks)
            print(f"  difference to frame by frame: {behind:.2f} behind the target, {elsewhere:.2f} elsewhere")


if __name__ == "__main__":
    main()

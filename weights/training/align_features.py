"""Train the dense features that alignment between modalities compares, and export them to ONNX.

    python weights/training/align_features.py --data TRAIN --out align-features.pt [--minutes 45] [--workers 2]
                                               [--resume tita_cli/align/features.onnx]
    python weights/training/align_features.py --export align-features.pt

TRAIN has ivf/SET/{vis,ir}, stills/{bsds,urban} and mef/sice/SCENE. The export goes to tita_cli/align/features.onnx.
The log of the shipped features is align_features.log.jsonl.

The network is siamese: both pictures of a pair go through the same weights. Its first layer takes the absolute values
of oriented derivatives, so that a reversed contrast changes nothing; each is divided by the local contrast. It is
trained on what it is used for: patches of one picture are correlated with the other at every displacement, and the
true displacement must win (cross-entropy). Published pairs are themselves off by some pixels, so a shift common to
the patches of a crop is marginalised, with a prior as wide as the set is inexact.
"""

from __future__ import annotations

import argparse
import io
import json
import math
import os
import time
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
import torch.nn.functional as F
from torch import Tensor, nn

CROP, REACH, BATCH = 160, 12, 6
CENTRES = [(28, 28), (52, 28), (28, 52), (52, 52)]  # of the patches in a crop, in pixels of the features
HALVES = (16, 10)  # half the sides of the patches, and how often each is drawn
HALF_SHARES = (0.6, 0.4)
SHARES = {"msrs": 0.2, "roadscene": 0.28, "llvip": 0.08, "m3fd": 0.08, "m3svd": 0.12, "various": 0.1, "stills": 0.08,
          "sice": 0.06}  # fmt: skip
INEXACT = {"stills": 0.35, "sice": 0.5, "m3svd": 0.7, "msrs": 1.0}  # px of the features; other sets:
INEXACT_ELSE = 1.3
WILD = 0.2  # the share of pairs of two sensors in which the second's tones are shuffled, as at another hour
OUTLIERS = 0.1  # the share of patches that match nowhere
RATE = 2e-3
GRID = (
    torch.stack(torch.meshgrid(torch.arange(-3.0, 4), torch.arange(-3.0, 4), indexing="ij"), -1).flip(-1).reshape(-1, 2)
)
ONNX = Path(__file__).resolve().parents[2] / "tita_cli/align/features.onnx"


class Features(nn.Module):
    """Luminance B×1×H×W (0..1) → features B×16×H/2×W/2; H and W must be even."""

    def __init__(self, first: int = 12, half: int = 16, quarter: int = 32, out: int = 16) -> None:
        super().__init__()
        self.filters = nn.Conv2d(1, first, 5, bias=False)
        self.filters.weight.data = _derivatives(first)
        self.epsilon = nn.Parameter(torch.tensor(math.log(0.004)))  # contrast below it is noise
        self.stem = nn.Conv2d(first, half, 3, padding=1)
        self.down = nn.Conv2d(half, quarter, 3, padding=1)
        self.trunk = nn.ModuleList([nn.Conv2d(quarter, quarter, 3, padding=d, dilation=d) for d in (1, 2, 4)])
        self.up = nn.Conv2d(quarter, half, 1)
        self.head = nn.Conv2d(half * 2, out, 3, padding=1)
        self.scale = nn.Parameter(torch.tensor(math.log(20.0)))  # of the correlation in the softmax

    def forward(self, plane: Tensor) -> Tensor:
        weight = self.filters.weight - self.filters.weight.mean((2, 3), keepdim=True)
        edges = halved(F.conv2d(F.pad(plane, (2, 2, 2, 2), mode="replicate"), weight).abs())
        energy = F.avg_pool2d((edges * edges).mean(1, keepdim=True), 8, ceil_mode=True, count_include_pad=False)
        energy = F.avg_pool2d(F.pad(energy, (1, 1, 1, 1), mode="replicate"), 3, 1)
        energy = F.interpolate(energy, size=edges.shape[2:], mode="bilinear", align_corners=False)
        edges = torch.clamp(edges / (energy + torch.exp(2 * self.epsilon)).sqrt(), max=4.0)
        near = F.relu(self.stem(edges))
        around = F.relu(self.down(halved(near)))
        for layer in self.trunk:
            around = around + F.relu(layer(around))
        around = F.interpolate(self.up(around), size=near.shape[2:], mode="bilinear", align_corners=False)
        features: Tensor = self.head(torch.cat([near, F.relu(around)], 1))
        return features


def halved(planes: Tensor) -> Tensor:
    """Means of 2×2 pixels; while training as a resampling, whose gradient takes a CPU less than half of the time."""
    if torch.onnx.is_in_onnx_export():
        return F.avg_pool2d(planes, 2)
    return F.interpolate(planes, scale_factor=0.5, mode="bilinear", align_corners=False)


def _derivatives(count: int) -> Tensor:
    """Gaussian derivatives to start from: eight of first order, the others of second."""
    y, x = torch.meshgrid(torch.arange(-2.0, 3), torch.arange(-2.0, 3), indexing="ij")
    window = torch.exp(-(x * x + y * y) / 2)
    kernels = []
    for k in range(count):
        angle = math.pi * k / 8 if k < 8 else math.pi * (k - 8) / 4
        along = x * math.cos(angle) + y * math.sin(angle)
        kernel = (along if k < 8 else along * along - 1) * window
        kernel = kernel - kernel.mean()
        kernels.append(kernel / kernel.abs().sum())
    return torch.stack(kernels)[:, None]


# -- data -----------------------------------------------------------------------------------------------------------

Planes = tuple[np.ndarray, np.ndarray]


def read(path: Path) -> np.ndarray:
    return np.asarray(cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_GRAYSCALE))


def load(data: Path) -> dict[str, list[Planes]]:
    """The pairs of each set, luminance in 8 bits."""
    sets: dict[str, list[Planes]] = {}
    for name in ("msrs", "roadscene", "llvip", "m3fd", "m3svd", "various"):
        folder = data / "ivf" / name
        visible = sorted((folder / "vis").iterdir())
        sets[name] = [(read(path), read(next((folder / "ir").glob(f"{path.stem}.*")))) for path in visible]
    stills = [*sorted((data / "stills/bsds").iterdir()), *sorted((data / "stills/urban").iterdir())]
    sets["stills"] = [(plane, plane) for plane in map(read, stills)]
    scenes = [sorted(folder.iterdir()) for folder in sorted((data / "mef/sice").iterdir())]
    sets["sice"] = [(read(frames[0]), read(frames[-1])) for frames in scenes]
    return sets


def toned(crop: np.ndarray, rng: np.random.Generator, *, wild: bool) -> np.ndarray:
    """Another camera: tone, sharpness, contrast, brightness, noise; ``wild``: any tone curve, as of another sensor."""
    plane = crop.astype(np.float32) / 255
    if wild:
        knots = np.sort(rng.uniform(0, 1, 6))
        knots[0], knots[-1] = 0, 1
        plane = np.interp(plane, knots, rng.uniform(0, 1, 6)).astype(np.float32)
    plane = plane ** np.float32(np.exp(rng.uniform(-0.6, 0.6)))
    if rng.random() < 0.5:
        plane = cv2.GaussianBlur(plane, (0, 0), rng.uniform(0.3, 1.6))
    plane = (plane - 0.5) * np.float32(np.exp(rng.uniform(-0.9, 0.2))) + 0.5 + np.float32(rng.uniform(-0.1, 0.1))
    noise = np.float32(rng.choice([0.0, 0.02, 0.06], p=[0.4, 0.45, 0.15]) * rng.random())
    return np.clip(plane + rng.normal(0, 1, plane.shape).astype(np.float32) * noise, 0, 1).astype(np.float32)


def spoilt(plane: np.ndarray, other: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """What only one sensor shows: light that falls off, and places that are dark, or that show something else."""
    if rng.random() < 0.3:
        coarse = rng.uniform(0.05, 1.0, (3, 3)).astype(np.float32)
        plane = plane * cv2.resize(coarse, plane.shape[::-1], interpolation=cv2.INTER_CUBIC).clip(0.02, 1.0)
    if rng.random() < 0.3:
        sides = rng.integers(16, 64, 2)
        y, x = (rng.integers(0, side - length) for side, length in zip(plane.shape, sides, strict=True))
        v, u = (rng.integers(0, side - length) for side, length in zip(plane.shape, sides, strict=True))
        plane = plane.copy()
        patch = other[v : v + sides[0], u : u + sides[1]]
        plane[y : y + sides[0], x : x + sides[1]] = patch if rng.random() < 0.5 else patch.mean()
    return plane


def sample(sets: dict[str, list[Planes]], rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """Two crops, the displacement of each patch (4×2, pixels of the features), and how inexact the pair is.

    Scale ±5 %, turn ±4° and shift ±16 px between the two, at sizes of 350 to 860 px of the whole picture.
    """
    name = str(rng.choice(list(SHARES), p=np.array(list(SHARES.values())) / sum(SHARES.values())))
    a, b = sets[name][rng.integers(len(sets[name]))]
    height, width = a.shape
    for _ in range(6):
        zoom = 640 / max(height, width) * np.exp(rng.uniform(-0.6, 0.3))
        if name == "stills":
            zoom = max(zoom, 0.7)
        if CROP / zoom * 1.15 < min(height, width):
            break
    zoom = max(zoom, CROP * 1.2 / min(height, width))
    margin = CROP / zoom / 2 * 1.12
    sides = (width, height)
    centre = np.array([rng.uniform(margin, side - margin) if side > 2 * margin else side / 2 for side in sides])
    flip, base = rng.choice([-1.0, 1.0]), rng.uniform(-0.5, 0.5) * (rng.random() < 0.5)
    scale, turn, shift = np.exp(rng.uniform(-0.05, 0.05)), np.deg2rad(rng.uniform(-4, 4)), rng.uniform(-16, 16, 2)
    middle = (CROP - 1) / 2

    def linear(angle: float, size: float) -> np.ndarray:
        c, s = np.cos(angle) * size, np.sin(angle) * size
        return np.asarray(np.array([[c, -s], [s, c]]) @ np.diag([flip, 1.0]))

    def crop(plane: np.ndarray, turned: np.ndarray, offset: np.ndarray | float) -> np.ndarray:
        if zoom < 1:
            plane = cv2.GaussianBlur(plane, (0, 0), 0.5 * np.sqrt(max(1 / zoom / zoom - 1, 1e-3)) + 1e-3)
        matrix = np.hstack([turned, (middle + offset - turned @ centre)[:, None]])
        return np.asarray(
            cv2.warpAffine(plane, matrix, (CROP, CROP), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
        )

    one, two = linear(base, zoom), linear(base + turn, zoom * scale)
    wild = name == "stills" or rng.random() < WILD
    plain = crop(a, one, 0.0), crop(b, two, shift)
    first, second = (
        toned(spoilt(own, other, rng), rng, wild=unlike)
        for own, other, unlike in zip(plain, reversed(plain), (False, wild), strict=True)
    )
    between = two @ np.linalg.inv(one)
    at = np.array(CENTRES) * 2 - 0.5
    moved = (at - middle) @ between.T + middle + shift
    if rng.random() < 0.5:
        first, second = second, first
        moved = (at - middle - shift) @ np.linalg.inv(between).T + middle
    return first, second, (moved - at) / 2, INEXACT.get(name, INEXACT_ELSE)


def batch(sets: dict[str, list[Planes]], rng: np.random.Generator, count: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    samples = [sample(sets, rng) for _ in range(count)]
    first, second, moved = (torch.from_numpy(np.stack([one[k] for one in samples])) for k in range(3))
    return first[:, None], second[:, None], moved.float(), torch.tensor([one[3] for one in samples])


# -- loss -----------------------------------------------------------------------------------------------------------


def correlations(one: Tensor, two: Tensor, half: int) -> Tensor:
    """Normalised correlation of the patches of ``one`` in ``two`` at every displacement: B×4×25×25."""
    side, count = 2 * (half + REACH), 2 * REACH + 1
    inner = torch.stack([one[:, :, y - half : y + half, x - half : x + half] for x, y in CENTRES], 1)
    reach = half + REACH
    outer = torch.stack([two[:, :, y - reach : y + reach, x - reach : x + reach] for x, y in CENTRES], 1)
    inner = inner - inner.mean((3, 4), keepdim=True)
    spectrum = (torch.fft.rfft2(inner, s=(side, side)).conj() * torch.fft.rfft2(outer)).sum(2)
    products = torch.fft.irfft2(spectrum, s=(side, side))[..., :count, :count]
    shape = outer.shape

    def mean(planes: Tensor) -> Tensor:
        for axis in (-1, -2):
            sums = F.pad(planes.cumsum(axis), (1, 0) if axis == -1 else (0, 0, 1, 0))
            planes = sums.narrow(axis, 2 * half, count) - sums.narrow(axis, 0, count)
        return planes / (4 * half * half)

    means = mean(outer.reshape(-1, 1, side, side)).reshape(*shape[:3], count, count)
    squares = mean((outer * outer).sum(2).reshape(-1, 1, side, side)).reshape(*shape[:2], count, count)
    energy = (squares - (means * means).sum(2)) * 4 * half * half
    own = (inner * inner).sum((2, 3, 4))[..., None, None]
    return products / (own * energy.clamp_min(0) + 1e-6).sqrt()


def loss_of(found: Tensor, scale: Tensor, moved: Tensor, inexact: Tensor) -> Tensor:
    """Cross-entropy of the true displacements, a common error of the pair marginalised: B."""
    count, cells = found.shape[0] * found.shape[1], (2 * REACH + 1) ** 2
    chances = torch.softmax((found * scale).reshape(count, -1), -1).reshape(count, 1, *found.shape[2:])
    chances = (1 - OUTLIERS) * chances + OUTLIERS / cells
    at = (moved[:, :, None] + GRID) / REACH
    values = F.grid_sample(chances, at.reshape(count, -1, 1, 2), mode="bilinear", align_corners=True)
    values = values.reshape(*found.shape[:2], -1)
    inside = (at.abs().amax(-1) <= 1).float()
    logs = (torch.log(values.clamp_min(1e-8)) * inside + (1 - inside) * math.log(1 / cells)).sum(1)
    prior = torch.log_softmax(-0.5 * (GRID**2).sum(-1)[None] / inexact[:, None] ** 2, 1)
    return -(logs + prior).logsumexp(1) / found.shape[1]


def matched(found: Tensor, moved: Tensor) -> float:
    """The share of patches whose best displacement is within 4 px of the truth."""
    side = 2 * REACH + 1
    best = found.reshape(*found.shape[:2], -1).argmax(-1)
    error = (torch.stack([best % side - REACH, best // side - REACH], -1) - moved).norm(dim=-1)
    return float((error[moved.abs().amax(-1) < REACH - 1.5] < 2.0).float().mean())


# -- training -------------------------------------------------------------------------------------------------------


def averaged(net: Features, elapsed: float, workers: int) -> float:
    """Average the gradients over the workers; returns the mean of their times, the same for all."""
    if workers == 1:
        return elapsed
    grads = [p.grad for p in net.parameters() if p.grad is not None]
    flat = torch.cat([*(g.reshape(-1) for g in grads), torch.tensor([elapsed])])
    dist.all_reduce(flat)
    flat /= workers
    for grad, values in zip(grads, flat[:-1].split([g.numel() for g in grads]), strict=True):
        grad.copy_(values.view_as(grad))
    return float(flat[-1])


def train(rank: int, args: argparse.Namespace) -> None:
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    if args.workers > 1:
        address = f"tcp://127.0.0.1:{args.port}"
        dist.init_process_group("gloo", init_method=address, rank=rank, world_size=args.workers)
    sets = load(args.data)
    held = batch({k: v[::10] for k, v in sets.items()}, np.random.default_rng(7), 144)
    sets = {k: [one for i, one in enumerate(v) if i % 10] for k, v in sets.items()}
    torch.manual_seed(0)
    net, rng = Features(), np.random.default_rng([args.seed, rank])
    if args.resume:
        net.load_state_dict(weights_of(args.resume))
    optimizer = torch.optim.AdamW(net.parameters(), lr=RATE, weight_decay=1e-4)
    began, elapsed, step, seen = time.time(), 0.0, 0, []
    while elapsed < 60 * args.minutes:
        fraction = elapsed / 60 / args.minutes
        rate = RATE * args.rate * min(1, (step + 1) / 50) * (0.02 + 0.49 * (1 + math.cos(math.pi * fraction)))
        for group in optimizer.param_groups:
            group["lr"] = rate
        first, second, moved, inexact = batch(sets, rng, BATCH)
        one, two = net(torch.cat([first, second])).chunk(2)
        found = correlations(one, two, int(rng.choice(HALVES, p=HALF_SHARES)))
        loss = loss_of(found, net.scale.exp(), moved, inexact).mean()
        optimizer.zero_grad()
        loss.backward()
        elapsed = averaged(net, time.time() - began, args.workers)
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        seen.append((float(loss), matched(found.detach(), moved)))
        step += 1
        if rank == 0 and step % 100 == 0:
            report(net, held, step, elapsed, seen, args.out)
            seen = []
    if rank == 0:
        torch.save(net.state_dict(), args.out)


def report(
    net: Features, held: tuple[Tensor, ...], step: int, elapsed: float, seen: list[tuple[float, float]], out: Path
) -> None:
    first, second, moved, inexact = held
    with torch.no_grad():
        one, two = net(torch.cat([first, second])).chunk(2)
        found = correlations(one, two, HALVES[0])
        line = {
            "step": step, "seconds": round(elapsed), "cpu_seconds": round(time.process_time()),
            "loss": round(float(np.mean(seen, 0)[0]), 3), "matched": round(float(np.mean(seen, 0)[1]), 3),
            "held_loss": round(float(loss_of(found, net.scale.exp(), moved, inexact).mean()), 3),
            "held_matched": round(matched(found, moved), 3), "scale": round(float(net.scale.exp()), 1),
        }  # fmt: skip
    print(json.dumps(line), flush=True)
    torch.save(net.state_dict(), out)


def export(weights: Path) -> None:
    """Write the ONNX file, float32, any even size; the scale of the softmax is in its metadata."""
    import onnx

    net = Features().eval()
    net.load_state_dict(torch.load(weights, weights_only=True))
    with torch.no_grad():  # what does not depend on the picture
        net.filters.weight -= net.filters.weight.mean((2, 3), keepdim=True)
    stream = io.BytesIO()
    torch.onnx.export(
        net, (torch.zeros(1, 1, 320, 256),), stream, dynamo=False, opset_version=20, input_names=["plane"],
        output_names=["features"], dynamic_axes={"plane": {2: "height", 3: "width"}},
    )  # fmt: skip
    model = onnx.load_model_from_string(stream.getvalue())
    sharpness, epsilon = math.exp(float(net.scale.detach())), float(net.epsilon.detach())
    onnx.helper.set_model_props(model, {"sharpness": f"{sharpness:.3f}", "epsilon": f"{epsilon:.5f}"})
    ONNX.write_bytes(model.SerializeToString())
    check(net)


def weights_of(path: Path) -> dict[str, Tensor]:
    """The weights in a file of this script's, or in what it exported."""
    if path.suffix != ".onnx":
        loaded: dict[str, Tensor] = torch.load(path, weights_only=True)
        return loaded
    import onnx

    model = onnx.load(path)
    stored = {one.name: torch.from_numpy(onnx.numpy_helper.to_array(one).copy()) for one in model.graph.initializer}
    known = {one.key: float(one.value) for one in model.metadata_props}
    state = Features().state_dict()
    first = next(weight for weight in stored.values() if weight.shape == state["filters.weight"].shape)
    scalars = {"scale": math.log(known["sharpness"]), "epsilon": known["epsilon"]}
    return {
        name: first if name == "filters.weight" else torch.tensor(scalars[name]) if name in scalars else stored[name]
        for name in state
    }


def check(net: Features) -> None:
    import onnxruntime

    session = onnxruntime.InferenceSession(str(ONNX), providers=["CPUExecutionProvider"])
    for height, width in ((96, 130), (240, 322), (480, 640)):
        plane = np.random.default_rng(0).random((1, 1, height, width), dtype=np.float32)
        with torch.no_grad():
            wanted = net(torch.from_numpy(plane)).numpy()
        difference = np.abs(session.run(None, {"plane": plane})[0] - wanted).max()
        print(f"{width}×{height}: largest difference {difference:.1e}")
    print(f"{ONNX}: {ONNX.stat().st_size / 1e3:.0f} kB, {sum(p.numel() for p in net.parameters())} parameters")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--out", type=Path, default=Path("align-features.pt"))
    parser.add_argument("--minutes", type=float, default=45)
    parser.add_argument("--workers", type=int, default=1, help="processes, each with its own batches")
    parser.add_argument("--port", type=int, default=29733, help="of this machine, between the workers")
    parser.add_argument("--resume", type=Path, help="weights to go on from, also features.onnx")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rate", type=float, default=1.0, help="factor on the learning rate")
    parser.add_argument("--export", type=Path, metavar="WEIGHTS")
    args = parser.parse_args()
    if args.export:
        export(args.export)
    elif args.workers > 1:
        mp.spawn(train, (args,), nprocs=args.workers)
    else:
        train(0, args)


if __name__ == "__main__":
    os.nice(19)
    main()

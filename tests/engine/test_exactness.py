"""Whole, blocked and tiled are one picture: at any size, with any tile, for both variants."""

from __future__ import annotations

import threading
import weakref
from functools import cache
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tita_cli.engine.afar import STRIP, tones
from tita_cli.engine.blocked import Blocked
from tita_cli.engine.detail import blend, contrast, darkest, detail, enlarged, outcome, votes
from tita_cli.engine.engine import Engine
from tita_cli.engine.geometry import Geometry
from tita_cli.engine.salience import ROWS, lift_salient
from tita_cli.engine.tiles import SMALLEST, Halves, largest_tile, run
from tita_cli.engine.torch_halves import TorchHalves
from tita_cli.engine.torch_kernels import TorchKernels
from tita_cli.errors import UsageError
from tita_cli.network import NetworkConfig, build_network
from tita_cli.network.layout import tones as network_tones
from tita_cli.network.lite import TitaLite
from tita_cli.network.salience import lift, salience
from tita_cli.network.tita import Tita

VARIANTS = ("tita", "tita-lite")
CLOSE = 1e-5
"""Of 1: 1/255 is what is promised."""


@cache
def network(variant: str) -> Tita | TitaLite:
    """Few channels, several shifted blocks in every stage, and weights that make every path count."""
    torch.manual_seed(3)
    net = build_network(NetworkConfig.from_name(variant, dim=8, heads=2, extract=2, fuse=(2, 2), reconstruct=2))
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
    return net.eval()


@cache
def halves(variant: str, kind: str) -> Halves:
    net = network(variant)
    if kind == "eager":
        return TorchHalves(net, torch.device("cpu"))
    return Blocked(TorchKernels(net), Geometry.of(net), threads=2)


def pair(h: int, w: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    a, b = np.random.default_rng(seed).random((2, h, w), dtype=np.float32)
    return a, b


@pytest.mark.parametrize(("shape", "block"), [((577, 33), 2), ((7, 130), 8), ((31, 64), 32), ((1, 1), 32)])
def test_the_engine_sees_from_afar_what_the_network_sees(shape: tuple[int, int], block: int) -> None:
    a, b = pair(*shape)
    assert shape[0] != 577 or shape[0] > STRIP, "the first is to be higher than what is averaged at a time"
    b = (0.3 + 0.5 * b).astype(np.float32)
    seen = network_tones(*(torch.from_numpy(i)[None, None] for i in (a, b)), block)[0].numpy()
    np.testing.assert_allclose(tones(a, b, block), seen, atol=1e-6)


@pytest.mark.parametrize("shape", [(1, 1), (7, 130), (75, 64), (8 * ROWS + 45, 40), (24 * ROWS, 20)])
@pytest.mark.parametrize("heed", [0.0, 0.6, 1.0])
def test_what_is_salient_is_lifted_as_the_network_does(shape: tuple[int, int], heed: float) -> None:
    """In strips, of which the second and third are higher than one."""
    a, b = (cv2.resize(image, shape[::-1]) for image in pair(9, 7))  # smooth, so that blocks stand out
    images = [torch.from_numpy(image)[None, None] for image in (a, b)]
    salient = salience(*images)
    assert max(shape) < 70 or salient.max() > 0.7
    gate = torch.rand(1, 1, *shape, generator=torch.Generator().manual_seed(1))
    lifted = lift(gate, salient, torch.full((1, 1, 1, 1), heed))
    fused, own = np.zeros(shape, np.float32), gate[0, 0].numpy().copy()
    lift_salient(a, b, fused, own, heed)
    np.testing.assert_allclose(own, lifted[0, 0].numpy(), atol=CLOSE)
    np.testing.assert_allclose(fused, ((lifted - gate) * (images[0] - images[1]))[0, 0].numpy(), atol=CLOSE)


def expected(variant: str, a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """The network itself, in fp64."""
    net = network(variant).double()
    with torch.inference_mode():
        out = net(*(torch.from_numpy(i).double()[None, None] for i in (a, b)))
    net.float()
    return out.fused[0, 0].numpy(), out.weights[0].numpy(), None if out.gate is None else out.gate[0, 0].numpy()


@pytest.mark.parametrize("kind", ["eager", "blocked"])
@pytest.mark.parametrize("variant", VARIANTS)
@settings(max_examples=8, deadline=None)
@given(data=st.data())
def test_any_size_in_any_tiles(variant: str, kind: str, data: st.DataObject) -> None:
    runner = halves(variant, kind)
    step = runner.geometry.multiple
    sides = st.integers(1, 14 * step)
    h, w = data.draw(st.tuples(sides, sides).filter(lambda s: s[0] * s[1] < 40 * step**2))
    side = data.draw(st.one_of(st.none(), st.integers(2, 6)), label="windows to a tile's side")
    a, b = pair(h, w, h + w)
    planes = run(runner, a, b, side)
    fused, weights, gate = expected(variant, a, b)
    assert planes.fused.shape == (h, w)
    np.testing.assert_allclose(planes.fused, fused, atol=CLOSE)
    np.testing.assert_allclose(planes.weights, weights, atol=1e-6)
    assert (planes.gate is None) == (gate is None)
    if planes.gate is not None:
        np.testing.assert_allclose(planes.gate, gate, atol=CLOSE)


@pytest.mark.parametrize("variant", VARIANTS)
def test_tiles_so_small_that_their_surroundings_do_not_reach_the_border(variant: str) -> None:
    """Larger than a tile with all that it sees: no tile sees the whole image, as in a photograph."""
    runner = halves(variant, "blocked")
    g = runner.geometry
    length = (2 * (g.encode_halo + g.decode_halo) + 5) * g.multiple
    a, b = pair(length, 2 * g.multiple)
    whole, tiled = run(runner, a, b, None), run(runner, a, b, 2)
    np.testing.assert_allclose(tiled.fused, whole.fused, atol=CLOSE)


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_change_is_felt_as_far_as_the_geometry_says_and_no_further(variant: str) -> None:
    """The halos are as large as they have to be: a pixel's influence ends inside, but reaches the last window."""
    net, g = network(variant), Geometry.of(network(variant))
    rows = g.encode_halo + g.decode_halo + 2
    a = torch.from_numpy(pair(g.multiple, rows * g.multiple)[0])[None, None]
    changed = a.clone()
    changed[..., -g.multiple :] = 1 - changed[..., -g.multiple :]
    guidance = torch.full((1, net.guidance), 1 / 6)
    with torch.inference_mode():
        first, second = (net.decode(i, i, *net.encode(i, i), guidance).fused for i in (a, changed))
        features, new = (net.encode(i, i)[0] for i in (a, changed))
    felt = (first - second).abs().amax((0, 1, 2)).reshape(rows, -1).amax(1) > 0
    assert not felt[: -(g.encode_halo + g.decode_halo + 1)].any()
    felt_features = (features - new).abs().amax((0, 1, 2)).reshape(rows, -1).amax(1) > 0
    assert not felt_features[: -(g.encode_halo + 1)].any()
    assert felt_features[-(g.encode_halo + 1)]


@pytest.mark.parametrize("layer", [".q.weight", "relation.fc2.weight"])
def test_scores_out_of_range_take_the_careful_way(layer: str) -> None:
    """Without its maximum subtracted, 2^score of such features would overflow. One block, for it is chaotic."""
    torch.manual_seed(1)
    net = build_network(NetworkConfig.from_name("tita", dim=8, heads=2, extract=1, fuse=(1,), reconstruct=1)).eval()
    with torch.no_grad():
        for name, parameter in net.named_parameters():
            parameter.mul_(2000 if layer in name and "cross" in name else 1)
    a, b = pair(24, 40)
    planes = run(Blocked(TorchKernels(net), Geometry.of(net), threads=1), a, b, None)
    with torch.inference_mode():
        out = net.double()(*(torch.from_numpy(i).double()[None, None] for i in (a, b)))
    np.testing.assert_allclose(planes.fused, out.fused[0, 0].numpy(), atol=1e-3)


@pytest.mark.parametrize("threads", [1, 3])
def test_threads_change_nothing(threads: int) -> None:
    net, (a, b) = network("tita-lite"), pair(300, 200)
    one = run(halves("tita-lite", "blocked"), a, b, None)
    other = run(Blocked(TorchKernels(net), Geometry.of(net), threads), a, b, None)
    np.testing.assert_allclose(other.fused, one.fused, atol=CLOSE)


def test_many_cores_with_little_memory_take_turns_instead_of_cutting_a_small_image(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    net = network("tita-lite")
    runner = Blocked(TorchKernels(net), Geometry.of(net), threads=16)
    runner.keep_within(800 << 20)
    assert largest_tile(runner, (480, 640), 800 << 20) is None
    a, b = pair(300, 200)
    working, most, lock, merge = 0, 0, threading.Lock(), runner._kernels.merge

    def counted(*features: Any) -> Any:
        nonlocal working, most
        with lock:
            working += 1
            most = max(most, working)
        try:
            return merge(*features)
        finally:
            with lock:
                working -= 1

    monkeypatch.setattr(runner._kernels, "merge", counted)
    tight = run(runner, a, b, None)
    assert most == 1
    roomy = run(halves("tita-lite", "blocked"), a, b, None)
    np.testing.assert_allclose(tight.fused, roomy.fused, atol=CLOSE)


def test_200_megapixels_stay_within_any_sensible_budget() -> None:
    """By arithmetic: the tile that is chosen needs no more than the budget, with all that lies around it."""
    net = build_network(NetworkConfig.from_name("tita-lite"))
    runner = Blocked(TorchKernels(net.eval()), Geometry.of(net), threads=2)
    g, shape = runner.geometry, (12_000, 16_800)
    around = 2 * (g.encode_halo + g.decode_halo)
    sides = []
    for budget in (1 << 30, 2 << 30, 4 << 30):
        side = largest_tile(runner, shape, budget)
        assert side is not None
        assert runner.bytes_for(((side + around) * g.multiple) ** 2) <= budget
        sides.append(side)
    assert sides == sorted(sides)
    assert sides[0] * g.multiple >= 1000
    assert largest_tile(runner, shape, 64 << 30) is None
    assert largest_tile(runner, shape, 1) == SMALLEST


def test_an_engine_cuts_to_the_memory_it_may_take_and_says_so() -> None:
    runner = halves("tita-lite", "blocked")
    a, b = pair(60, 1600)
    roomy, tight = Engine(runner), Engine(runner, memory=runner.bytes_for(64 * 30 * 32))
    np.testing.assert_allclose(tight.fuse(a, b).fused, roomy.fuse(a, b).fused, atol=CLOSE)
    assert roomy.describe()["mode"] == "whole"
    assert tight.describe()["mode"] == "tiled"
    around = 2 * (runner.geometry.encode_halo + runner.geometry.decode_halo)
    assert tight.describe()["tile"] == (30 - around) * 32


def test_out_of_memory_halves_the_tiles_and_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """As CUDA says it; not run on a GPU."""
    runner = TorchHalves(network("tita-lite"), torch.device("cpu"))
    encode, sizes = network("tita-lite").encode, []

    def tight(a: torch.Tensor, b: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        sizes.append(a.numel())
        if a.numel() > 250_000:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory")
        return encode(a, b)

    monkeypatch.setattr(network("tita-lite"), "encode", tight)
    a, b = pair(210, 1600)
    engine = Engine(runner)
    fused = engine.fuse(a, b).fused
    monkeypatch.undo()
    np.testing.assert_allclose(fused, np.clip(expected("tita-lite", a, b)[0], 0, 1), atol=CLOSE)
    assert sizes[0] == 224 * 1600 > max(sizes[1:])
    assert engine.describe()["out_of_memory"] >= 1


def test_a_budget_of_nothing_is_refused() -> None:
    with pytest.raises(UsageError):
        Engine(halves("tita", "blocked"), memory=0)


@pytest.mark.parametrize("size", [(4, 4), (36, 80), (200, 12)])
def test_detail_is_what_the_network_sees(size: tuple[int, int]) -> None:
    """OpenCV's filters and the network's convolutions, borders included."""
    a, b = pair(*size)
    images = [torch.from_numpy(image)[None, None] for image in (a, b)]
    bands = [network("tita-lite").bands(image) for image in images]
    activity = network("tita-lite").bands.activity(*bands)
    found = detail(a, b)
    np.testing.assert_allclose(found.bands, torch.cat(bands, 1)[0].numpy(), atol=1e-6)
    np.testing.assert_allclose(found.activity, activity[0].numpy(), atol=1e-4)
    logits = (10 * images[0] - 5, 10 * images[1] - 5)
    region = network("tita-lite").region(logits[0])
    counted = enlarged(outcome(votes(logits[0][0, 0].numpy())))
    np.testing.assert_allclose(counted, region[0, 0].numpy(), atol=1e-5)
    guidance = torch.zeros(1, network("tita-lite").guidance)
    guidance[0, -2] = 0.7
    out = network("tita-lite").blend(*images, *logits, region, guidance)
    planes = blend(a, b, *(x[0, 0].numpy() for x in logits), counted, 0.7, darkest(a, b))
    for made, plane in zip((out.fused, out.gate), planes, strict=True):
        assert made is not None
        np.testing.assert_allclose(plane, made[0, 0].numpy(), atol=1e-5)
    seen = network("tita-lite").bands.contrast(images[0])
    np.testing.assert_allclose(contrast(a), seen[0].numpy(), atol=1e-4)


class _Features(list[Any]):
    """A list that can be watched."""


@pytest.mark.parametrize("kind", ["eager", "blocked"])
@pytest.mark.parametrize("variant", VARIANTS)
def test_a_tiles_features_are_gone_when_the_next_tiles_are_made(
    variant: str, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are most of the memory, and the budget counts those of one tile."""
    runner, made = halves(variant, kind), list[weakref.ref[Any]]()
    encode = runner.encode

    def watched(*seen: Any) -> _Features:
        assert not any(features() for features in made)
        features = _Features(encode(*seen))
        made.append(weakref.ref(features))
        return features

    monkeypatch.setattr(runner, "encode", watched)
    step = runner.geometry.multiple
    run(runner, *pair(4 * step, 4 * step), 2)
    assert len(made) == 8, "four tiles, twice"

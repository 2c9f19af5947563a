"""Step by step, whole and in tiles it is one result: at any size, with any tile."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tita_cli.errors import UsageError
from tita_cli.network import NetworkConfig, build_network
from tita_cli.network.spec import WEIGHTS
from tita_cli.network.tita import Tita
from tita_cli.runtime.engine import Engine
from tita_cli.runtime.onnx_cpu import CpuRunner
from tita_cli.runtime.tiles import SMALLEST, Runner, largest_tile, run
from tita_cli.runtime.torch_runner import TorchRunner

CLOSE = 1e-5
"""Of 1: 1/255 is what is promised."""


@cache
def network() -> Tita:
    """Few channels, several shifted blocks in every stage, and weights that make every path count."""
    torch.manual_seed(3)
    net = Tita(NetworkConfig(dim=8, heads=2, extract=2, fuse=(2, 2), reconstruct=2))
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
    return net.eval()


Runners = Callable[..., Runner]


@pytest.fixture(scope="module")
def runner(torch_steps: Any) -> Runners:
    @cache
    def make(kind: str = "steps", threads: int = 2) -> Runner:
        net = network()
        if kind == "whole maps":
            return TorchRunner(net, torch.device("cpu"))
        return CpuRunner(torch_steps(net), net.spec, threads)

    return make


def pair(h: int, w: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    a, b = np.random.default_rng(seed).random((2, h, w), dtype=np.float32)
    return a, b


def expected(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The network itself, in fp64."""
    net = network().double()
    with torch.inference_mode():
        out = net(*(torch.from_numpy(i).double()[None, None] for i in (a, b)))
    net.float()
    return out.fused[0, 0].numpy(), out.weights[0].numpy()


@pytest.mark.parametrize("kind", ["steps", "whole maps"])
def test_any_size_in_any_tiles(kind: str, runner: Runners) -> None:
    own = runner(kind)
    step = own.spec.multiple

    @settings(max_examples=8, deadline=None)
    @given(data=st.data())
    def check(data: st.DataObject) -> None:
        sides = st.integers(1, 14 * step)
        h, w = data.draw(st.tuples(sides, sides).filter(lambda s: s[0] * s[1] < 40 * step**2))
        side = data.draw(st.one_of(st.none(), st.integers(2, 6)), label="windows to a tile's side")
        a, b = pair(h, w, h + w)
        luminance, weights = run(own, [a, b], side)
        fused, all_weights = expected(a, b)
        assert luminance.shape == (h, w)
        np.testing.assert_allclose(luminance, fused, atol=CLOSE)
        np.testing.assert_allclose(weights, all_weights, atol=1e-6)

    check()


def test_tiles_so_small_that_their_halos_do_not_reach_the_border(runner: Runners) -> None:
    """Larger than a tile with all that it sees: no tile sees the whole image, as in a photograph."""
    own = runner()
    spec = own.spec
    length = (2 * (spec.encode_halo + spec.decode_halo) + 5) * spec.multiple
    images = pair(length, 2 * spec.multiple)
    whole, tiled = run(own, images, None), run(own, images, 2)
    np.testing.assert_allclose(tiled.luminance, whole.luminance, atol=CLOSE)


def test_a_change_is_felt_as_far_as_the_spec_says_and_no_further() -> None:
    """The halos are as large as they have to be: a pixel's influence ends inside, but reaches the last window."""
    net = network()
    spec = net.spec
    rows = spec.encode_halo + spec.decode_halo + 2
    a = torch.from_numpy(pair(spec.multiple, rows * spec.multiple)[0])[None, None]
    changed = a.clone()
    changed[..., -spec.multiple :] = 1 - changed[..., -spec.multiple :]
    weights = torch.full((1, WEIGHTS), 1 / 6)
    with torch.inference_mode():
        first, second = (net.decode(*net.encode(i, i), weights) for i in (a, changed))
        features, new = (net.encode(i, i)[0] for i in (a, changed))
    felt = (first - second).abs().amax((0, 1, 2)).reshape(rows, -1).amax(1) > 0
    assert not felt[: -(spec.encode_halo + spec.decode_halo + 1)].any()
    felt_features = (features - new).abs().amax((0, 1, 2)).reshape(rows, -1).amax(1) > 0
    assert not felt_features[: -(spec.encode_halo + 1)].any()
    assert felt_features[-(spec.encode_halo + 1)]


@pytest.mark.parametrize("threads", [1, 3])
def test_threads_change_nothing(threads: int, runner: Runners) -> None:
    images = pair(300, 200)
    one, other = run(runner(), images, None), run(runner("steps", threads), images, None)
    np.testing.assert_allclose(other.luminance, one.luminance, atol=CLOSE)


def test_many_cores_with_little_memory_take_turns_instead_of_cutting_a_small_image(
    torch_steps: Any, runner: Runners, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = torch_steps(network())
    own = CpuRunner(steps, network().spec, threads=16)
    own.keep_within(800 << 20)
    assert largest_tile(own, (480, 640), 800 << 20) is None
    images = pair(300, 200)
    working, most, lock, whole = 0, 0, threading.Lock(), steps.run

    def counted(name: str, *inputs: Any) -> Any:
        nonlocal working, most
        if name != "merge":
            return whole(name, *inputs)
        with lock:
            working += 1
            most = max(most, working)
        try:
            return whole(name, *inputs)
        finally:
            with lock:
                working -= 1

    monkeypatch.setattr(steps, "run", counted)
    tight = run(own, images, None)
    assert most == 1
    roomy = run(runner(), images, None)
    np.testing.assert_allclose(tight.luminance, roomy.luminance, atol=CLOSE)


def test_200_megapixels_stay_within_any_sensible_budget(torch_steps: Any) -> None:
    """By arithmetic: the tile that is chosen needs no more than the budget, with all that lies around it."""
    net = build_network(NetworkConfig())
    own = CpuRunner(torch_steps(net.eval()), net.spec, threads=2)
    spec, shape = own.spec, (12_000, 16_800)
    halo = 2 * (spec.encode_halo + spec.decode_halo)
    sides = []
    for budget in (1 << 30, 2 << 30, 4 << 30):
        side = largest_tile(own, shape, budget)
        assert side is not None
        assert own.bytes_for(((side + halo) * spec.multiple) ** 2) <= budget
        sides.append(side)
    assert sides == sorted(sides)
    assert sides[0] * spec.multiple >= 500
    assert largest_tile(own, shape, 256 << 30) is None
    assert largest_tile(own, shape, 1) == SMALLEST


def test_an_engine_cuts_to_the_memory_it_may_take_and_says_so(runner: Runners) -> None:
    own = runner()
    a, b = pair(60, 1600)
    roomy, tight = Engine(own), Engine(own, memory=own.bytes_for(64 * 30 * own.spec.multiple))
    np.testing.assert_allclose(tight.fuse(a, b).fused, roomy.fuse(a, b).fused, atol=CLOSE)
    assert roomy.describe()["mode"] == "whole"
    assert tight.describe()["mode"] == "tiled"
    halo = 2 * (own.spec.encode_halo + own.spec.decode_halo)
    assert tight.describe()["tile"] == (30 - halo) * own.spec.multiple
    assert "needs" not in tight.describe()
    short = Engine(own, memory=1 << 20)
    short.fuse(a[:, :60], b[:, :60])  # a tile and its halo would be the whole of it
    assert short.describe()["mode"] == "whole"
    assert short.describe()["needs"] > 1 << 20
    (note,) = short.describe()["notes"]
    assert note.endswith("more than `memory` allows (1 MiB)")


def test_out_of_memory_halves_the_tiles_and_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """As CUDA says it; not run on a GPU."""
    own = TorchRunner(network(), torch.device("cpu"))
    encode, sizes = network().encode, []

    def tight(a: torch.Tensor, b: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        sizes.append(a.numel())
        if a.numel() > 250_000:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory")
        return encode(a, b)

    monkeypatch.setattr(network(), "encode", tight)
    a, b = pair(210, 1600)
    engine = Engine(own)
    fused = engine.fuse(a, b).fused
    monkeypatch.undo()
    np.testing.assert_allclose(fused, np.clip(expected(a, b)[0], 0, 1), atol=CLOSE)
    assert sizes[0] == 216 * 1600 > max(sizes[1:])
    assert engine.describe()["out_of_memory"] >= 1


def test_an_engine_refuses_no_budget_and_other_numbers_of_images(runner: Runners) -> None:
    with pytest.raises(UsageError):
        Engine(runner(), memory=0)
    for images in (pair(4, 4)[:1], (*pair(4, 4), pair(4, 4)[0])):
        with pytest.raises(UsageError, match="fuses 2 luminances"):
            Engine(runner()).fuse(*images)


class _Features(list[Any]):
    """A list that can be watched."""


@pytest.mark.parametrize("kind", ["steps", "whole maps"])
def test_a_tiles_features_are_gone_when_the_next_tiles_are_made(
    kind: str, runner: Runners, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are most of the memory, and the budget counts those of one tile."""
    own, made = runner(kind), list[weakref.ref[Any]]()
    encode = own.encode

    def watched(*seen: Any) -> _Features:
        assert not any(features() for features in made)
        features = _Features(encode(*seen))
        made.append(weakref.ref(features))
        return features

    monkeypatch.setattr(own, "encode", watched)
    step = own.spec.multiple
    run(own, pair(4 * step, 4 * step), 2)
    assert len(made) == 8, "four tiles, twice"

"""The network for sets: what it makes of two sources is the paper's, and the order of sources means nothing."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tita_cli.network import NetworkConfig, build_network
from tita_cli.network.oaf import OAF
from tita_cli.network.shares import sparsemax
from tita_cli.network.summary import Summary
from tita_cli.network.tita_lite import LEVELS, MULTIPLE, STEM_DIM, SetCrossBlock, TitaLite, blend, unshuffled

TINY = {"dim": 8, "heads": 2, "extract": 1, "fuse": (2,), "reconstruct": 1}


def _network(seed: int = 0) -> TitaLite:
    torch.manual_seed(seed)
    network = build_network(NetworkConfig.from_name("tita-lite", **TINY)).eval()
    assert isinstance(network, TitaLite)
    for parameter in network.parameters():  # also those that start at 0, so that nothing is equal by chance
        parameter.data += 0.05 * torch.randn_like(parameter)
    return network


@settings(max_examples=8, deadline=None)
@given(data=st.data(), count=st.integers(2, 5), seed=st.integers(0, 2**31))
def test_exchanging_sources_exchanges_the_outputs(data: st.DataObject, count: int, seed: int) -> None:
    network = _network()
    order = data.draw(st.permutations(range(count)))
    images = torch.rand(1, count, MULTIPLE, 2 * MULTIPLE, generator=torch.Generator().manual_seed(seed))
    role = torch.tensor([[-1.0, 1.0, 0.0, 0.0, 1.0]])[:, :count]
    with torch.inference_mode():
        one, other = network(images, None, role), network(images[:, order], None, role[:, order])
        assert len(one.shares) == LEVELS + 1
        for a, b in zip(
            (*one.shares, *one.gains, one.weights), (*other.shares, *other.gains, other.weights), strict=True
        ):
            torch.testing.assert_close(a[:, order], b, atol=1e-5, rtol=0)
        torch.testing.assert_close(one.direct, other.direct, atol=1e-5, rtol=0)
        torch.testing.assert_close(blend(images, one)[0], blend(images[:, order], other)[0], atol=1e-5, rtol=0)
        for share in one.shares:
            torch.testing.assert_close(share.sum(1), torch.ones_like(share[:, 0]))
        assert abs(float(one.weights.sum()) - 1) < 1e-5


@settings(max_examples=40, deadline=None)
@given(values=st.lists(st.floats(-5, 5), min_size=2, max_size=7))
def test_sparsemax_is_the_projection_onto_the_simplex(values: list[float]) -> None:
    z = torch.tensor(values, dtype=torch.float64)
    low, high = z.min() - 1, z.max()
    for _ in range(100):  # the threshold by bisection, as the definition of the projection has it
        middle = (low + high) / 2
        low, high = (middle, high) if (z - middle).clamp_min(0).sum() > 1 else (low, middle)
    expected = (z - low).clamp_min(0)
    torch.testing.assert_close(sparsemax(z[None, :, None, None])[0, :, 0, 0], expected, atol=1e-9, rtol=0)


@pytest.mark.parametrize(("count", "factor"), [(2, 1.0), (4, 1.0), (8, 0.5), (16, 0.25), (32, 0.125)])
def test_of_many_sources_each_adds_less(count: int, factor: float) -> None:
    network = _network()
    images = torch.rand(1, count, MULTIPLE, MULTIPLE, generator=torch.Generator().manual_seed(3))
    with torch.inference_mode():
        network.gain_fall.zero_()
        before = network(images)
        network.gain_fall.fill_(1.0)
        after = network(images)
    assert max(float(gain.abs().max()) for gain in before.gains) > 0.01
    for a, b in zip(before.gains, after.gains, strict=True):
        torch.testing.assert_close(factor * a, b, atol=1e-6, rtol=0)
    for a, b in zip(before.shares, after.shares, strict=True):
        assert torch.equal(a, b)


def test_of_two_sources_each_meets_the_other() -> None:
    torch.manual_seed(0)
    summary = Summary(6)
    x = torch.randn(1, 2, 3, 6)
    torch.testing.assert_close(summary(x), x.flip(1))
    # The rule for any number says the same: with three of which two are alike, those two are what the third meets.
    three = torch.stack((x[:, 0], x[:, 1], x[:, 1]), 1)
    torch.testing.assert_close(summary(three)[:, 0], x[:, 1])


def test_a_summary_of_maps_is_that_of_their_pixels() -> None:
    torch.manual_seed(0)
    summary = Summary(6)
    for count in (2, 4):
        maps = torch.randn(2, count, 6, 3, 5)
        pixels = summary(maps.permute(0, 1, 3, 4, 2)).permute(0, 1, 4, 2, 3)
        torch.testing.assert_close(summary.of_maps(maps), pixels)


def test_pixels_are_unshuffled_as_pytorch_does() -> None:
    x = torch.randn(3, 1, 24, 40)
    torch.testing.assert_close(unshuffled(x), torch.nn.functional.pixel_unshuffle(x, 4), rtol=0, atol=0)


def test_tokens_are_the_embedding_of_unshuffled_features() -> None:
    network = _network()
    stem = torch.randn(2, STEM_DIM, 6, 10)
    expected = network.embed(torch.nn.functional.pixel_unshuffle(stem, 2))
    torch.testing.assert_close(network.embedded(stem), expected)


def test_of_two_sources_ipa_is_the_papers() -> None:
    """The block's IPA against the literal one: two keys, two values, a softmax over both."""
    torch.manual_seed(0)
    block = SetCrossBlock(6, 2, 0, 0.0).double()
    own, partner = torch.randn(2, 5, 6, dtype=torch.float64)
    r = block.relation(torch.cat((own, partner), -1)).softmax(-1)
    keys = torch.stack((block.noise_k + own - own * r, block.noise_v + own + own * r), 1)
    values = torch.stack((own, partner), 1)
    attend = block.attend
    q = attend.q(own).reshape(5, 1, 2, 3)
    k, v = (layer(x).reshape(5, 2, 2, 3) for layer, x in ((attend.k, keys), (attend.v, values)))
    scores = ((q * k).sum(-1) / 3**0.5).softmax(1)
    literal = attend.out((scores[..., None] * v).sum(1).reshape(5, 6))
    torch.testing.assert_close(attend(own, partner, r, block.noise_k - block.noise_v), literal)


def test_of_two_sources_oaf_is_the_papers() -> None:
    """Merging as the network does it equals OAF with the same operations for both sources."""
    torch.manual_seed(0)
    network = _network()
    oaf = OAF(8)
    oaf.operations_a = oaf.operations_b = network.operations
    x, y = torch.randn(2, 1, 8, 8, 8)
    weights = torch.rand(1, 6).softmax(1)
    ours = torch.zeros_like(x)
    maps = torch.cat((x, y))
    for k, term in enumerate(network.operations(maps)):
        ours = ours + (weights.reshape(1, 2, 3)[:, :, k, None, None, None] * term.reshape(1, 2, 8, 8, 8)).sum(1)
    torch.testing.assert_close(ours, oaf.merge(x, y, weights))


def test_the_blend_is_nowhere_darker_than_all_sources() -> None:
    network = _network()
    images = torch.rand(1, 3, MULTIPLE, MULTIPLE, generator=torch.Generator().manual_seed(3))
    with torch.inference_mode():
        output = network(images)
        output = output._replace(gains=[gain - 1 for gain in output.gains], direct=torch.zeros_like(output.direct))
        fused, _ = blend(images, output)
    floor = -torch.nn.functional.max_pool2d(-images.amin(1, keepdim=True), 3, stride=1, padding=1)
    assert bool((fused >= floor).all())
    assert bool((fused == floor).any())


def test_what_is_known_of_a_source_counts() -> None:
    network = _network()
    images = torch.rand(1, 2, MULTIPLE, MULTIPLE, generator=torch.Generator().manual_seed(7))
    with torch.inference_mode():
        told, swapped, untold = (
            network(images, None, torch.tensor([role])).logits for role in ((1.0, -1.0), (-1.0, 1.0), (0.0, 0.0))
        )
        torch.testing.assert_close(untold[0], network(images).logits[0])
    assert not torch.equal(told[0], swapped[0])
    assert not torch.equal(told[0], untold[0])


def test_direct_takes_a_source_as_it_is() -> None:
    """Shares of 1 or 0 in halves of the picture: pixel by pixel these halves, and nothing of the other's bands."""
    images = torch.rand(1, 2, MULTIPLE, MULTIPLE, generator=torch.Generator().manual_seed(5))
    with torch.inference_mode():
        output = _network()(images)
        left = torch.zeros_like(output.shares[0])
        left[:, 0, :, : MULTIPLE // 2] = 1
        left[:, 1, :, MULTIPLE // 2 :] = 1
        output = output._replace(shares=[left, *output.shares[1:]], direct=torch.ones_like(output.direct))
        fused, added = blend(images, output)
    chosen = torch.cat((images[:, :1, :, : MULTIPLE // 2], images[:, 1:, :, MULTIPLE // 2 :]), -1)
    torch.testing.assert_close(fused, chosen, atol=1e-6, rtol=0)
    assert float(added.abs().max()) == 0

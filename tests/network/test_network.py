"""Both variants as whole networks: sizes, symmetry of windows, the blending head."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from tita_cli.errors import ModelError
from tita_cli.network import NetworkConfig, build_network, pair_variants
from tita_cli.network.attention import MASKED, from_windows, shift_mask, to_windows
from tita_cli.network.layout import pad_to_multiple, reflect_index
from tita_cli.network.pair import count_parameters
from tita_cli.network.saliency import lift, saliency
from tita_cli.network.statistics import STATISTICS, edge_agreement, image_statistics
from tita_cli.network.tita_lite import DetailBands, RegionVote, TitaLite, darkest
from tita_cli.network.tita_lite_filters import FLAT

NONE = -3.0
"""Logit of the saliency's weight that makes it 0."""

TINY = {
    variant: NetworkConfig.from_name(variant, dim=8, heads=2, extract=2, fuse=(2,), reconstruct=2)
    for variant in pair_variants()
}


def tiny_lite() -> TitaLite:
    network = build_network(TINY["tita-lite"]).eval()
    assert isinstance(network, TitaLite)
    return network


def test_paper_configuration_has_the_papers_size() -> None:
    """1,386,865 in the reference, less what it never uses: a pair of convolutions and the keys' biases in IPA."""
    never_used = 30 * 1 * 9 + 30 + 30 * 30 * 9 + 30 + 8 * 2 * 60
    unused_bias_difference = 1_386_865 - count_parameters(build_network(NetworkConfig.from_name("tita")))
    assert unused_bias_difference == never_used


@pytest.mark.parametrize("variant", pair_variants())
@pytest.mark.parametrize("size", [(1, 1), (1, 9), (2, 3), (8, 8), (33, 70)])
def test_any_size_works(variant: str, size: tuple[int, int]) -> None:
    torch.manual_seed(1)
    network = build_network(TINY[variant]).eval()
    with torch.inference_mode():
        out = network(torch.rand(2, 1, *size), torch.rand(2, 1, *size))
    assert out.fused.shape == (2, 1, *size)
    assert torch.isfinite(out.fused).all()
    torch.testing.assert_close(out.weights.sum(1), torch.ones(2))


@pytest.mark.parametrize("variant", pair_variants())
def test_samples_of_a_batch_do_not_see_each_other(variant: str) -> None:
    torch.manual_seed(2)
    network = build_network(TINY[variant]).eval()
    a, b = torch.rand(2, 3, 1, 40, 33)
    with torch.inference_mode():
        together = network(a, b).fused
        apart = torch.cat([network(a[i : i + 1], b[i : i + 1]).fused for i in range(3)])
    torch.testing.assert_close(together, apart, atol=1e-5, rtol=0)


def test_lite_is_a_blend_plus_residual() -> None:
    torch.manual_seed(3)
    network = tiny_lite()
    a, b = torch.rand(2, 1, 1, 37, 50)
    with torch.inference_mode():
        out = network(a, b)
    assert out.gate is not None
    assert out.residual is not None
    assert out.gate.min() >= 0
    assert out.gate.max() <= 1
    with torch.no_grad():
        network.saliency_mlp.fc2.bias.fill_(NONE)  # what is salient is lifted behind that
        out = network(a, b)
    assert out.gate is not None
    assert out.residual is not None
    blended = out.gate * a + (1 - out.gate) * b + out.residual
    torch.testing.assert_close(out.fused, blended.maximum(darkest(a, b)), atol=1e-6, rtol=0)


def street(warm: float) -> tuple[torch.Tensor, torch.Tensor]:
    """A lit street and what the infrared shows of it: a warm figure, 16×32 pixels, and a pole not quite as warm."""
    a = torch.full((1, 1, 200, 264), 0.5)
    b = torch.full_like(a, 0.2) + 0.02 * torch.randn(a.shape, generator=torch.Generator().manual_seed(0))
    b[..., 80:112, 160:176] = warm
    b[..., 40:104, 40:56] = 0.24
    return a, b


def test_what_is_salient_in_the_second_source_gets_its_share() -> None:
    a, b = street(0.8)
    salient = saliency(a, b)
    assert salient[..., 84:108, 164:172].min() > 0.95
    assert salient[..., 40:104, 40:56].max() < 0.01
    assert salient[..., 80:112, 160:176].min() > 0.3
    assert salient[..., 76:80, 160:176].max() == 0, "around the figure B is darker: no rim"
    assert salient[..., :60, :].max() < 0.01
    assert saliency(a + 0.4, b).max() < 0.01, "what A shows brighter needs no lift"
    dark = torch.where(b > 0.7, 0.5, 0.85)
    assert saliency(dark, b).max() < 0.01, "a dark figure on snow is not lifted into the snow"
    gate = torch.full_like(a, 0.9)
    one = torch.ones(1, 1, 1, 1)
    assert lift(gate, salient, one)[..., 84:108, 164:172].max() < 0.38
    torch.testing.assert_close(lift(gate, salient, 0 * one), gate)
    assert lift(0.2 * gate, salient, one).eq(0.2 * gate).all(), "what has its share already stays as it is"


def test_all_of_a_figure_is_salient_not_only_its_warmest_parts() -> None:
    shares = []
    for left in (160, 216):  # its legs below the figure, and far from it
        a, b = street(0.8)
        b[..., 112:120, left : left + 16] = 0.29
        shares.append(float(saliency(a - 0.45, b)[..., 113:118, left + 2 : left + 14].mean()))
    assert shares[0] > 0.3
    assert shares[1] < 0.8 * shares[0]


def test_the_picture_shows_what_is_salient_as_far_as_its_weight_says() -> None:
    network = tiny_lite()
    a, b = street(0.8)
    shown = []
    for logit in (NONE, 0.0, 9.0):
        with torch.no_grad():
            network.head2.weight.zero_()
            network.head2.bias.zero_()
            network.head2.bias[0] = 4.0  # nothing but A
            network.steer.fc2.weight[-2:] = 0
            network.steer.fc2.bias[-2:] = 0
            network.saliency_mlp.fc2.weight.zero_()
            network.saliency_mlp.fc2.bias.fill_(logit)
            shown.append(float(network(a, b).fused[..., 84:108, 164:172].mean()))
    assert shown == pytest.approx([0.5, 0.5975, 0.695], abs=0.005)


def test_nothing_is_darker_than_both_sources_around_it() -> None:
    network = tiny_lite()
    a, b = torch.full((2, 1, 1, 32, 32), 0.4)
    a[..., 16:, :] = 0.2
    a[..., 8, 8] = 0.1
    nothing = torch.zeros_like(a)
    guidance = torch.zeros(1, network.spec.guidance)
    fused = network.blend(a, b, nothing, nothing - 1, nothing, guidance).fused[0, 0]  # a residual that makes all black
    assert fused[7:10, 7:10].unique().tolist() == pytest.approx([0.1])  # a dark pixel may be sharpened by one
    assert fused[16:].unique().tolist() == pytest.approx([0.2])
    assert fused[:15, 20:].unique().tolist() == pytest.approx([0.4])


def test_pixels_that_cannot_tell_get_their_neighbours_outcome() -> None:
    region = RegionVote()
    logits = torch.full((1, 1, 96, 96), 9.0)
    logits[..., 48:] = -9.0  # A to the left, B to the right
    logits[..., 32:44, 12:24] = -0.1  # a patch that cannot tell, and leans the wrong way
    outcome = region(logits)[0, 0]
    assert outcome.shape == (96, 96)
    assert outcome[:, :36].min() > 0.8
    assert outcome[:, -36:].max() < -0.8
    assert region(torch.zeros(1, 1, 32, 32)).abs().max() == 0


def test_a_trusted_region_decides_the_gate() -> None:
    network = tiny_lite()
    a, b = torch.rand(2, 1, 1, 32, 32)
    region = torch.ones_like(a)
    region[..., 16:] = -1
    logits = torch.randn(1, 1, 32, 32)
    guidance = torch.zeros(1, network.spec.guidance)
    guidance[0, -2] = 2.0
    out = network.blend(a, b, logits, torch.zeros_like(a), region, guidance)
    torch.testing.assert_close(out.fused, torch.where(region > 0, a, b), atol=1e-6, rtol=0)
    guidance[0, -2] = 0.0
    torch.testing.assert_close(network.blend(a, b, logits, torch.zeros_like(a), region, guidance).logits, logits)


def test_saturated_gate_takes_a_source_outright() -> None:
    network = tiny_lite()
    with torch.no_grad():
        network.head2.weight.zero_()
        network.head2.bias.zero_()
        network.head2.bias[0] = 4.0
        network.steer.fc2.weight[-2] = 0  # no trust in a region
        network.steer.fc2.bias[-2] = 0
        network.saliency_mlp.fc2.bias.fill_(NONE)
    a, b = torch.rand(2, 1, 1, 32, 32)
    with torch.inference_mode():
        torch.testing.assert_close(network(a, b).fused, a, atol=1e-6, rtol=0)


def test_the_head_is_steered_by_the_statistics_of_the_whole_images() -> None:
    torch.manual_seed(6)
    network = tiny_lite()
    a, b = torch.rand(2, 1, 1, 32, 32)
    b = 0.5 * b
    spreads = a.std(correction=0), b.std(correction=0)
    balance = 1 / (1 + ((spreads[0] + FLAT) / (spreads[1] + FLAT)) ** 4)
    apart = (a.mean() - b.mean()).abs()
    share = apart / (apart + sum(spreads) / 2 + FLAT)
    seen = torch.stack((a.mean(), b.mean(), *spreads, balance, share, edge_agreement(a, b).flatten()[0]))
    torch.testing.assert_close(image_statistics(a, b, 32)[0], seen)
    pooled = torch.rand(1, 2 * network.config.dim)
    with torch.inference_mode():
        dark, bright = (
            network.weigh(torch.cat((pooled, level * torch.ones(1, STATISTICS)), 1)) for level in (0.1, 0.9)
        )
    assert dark.shape == (1, network.spec.guidance)
    torch.testing.assert_close(dark[:, :6], bright[:, :6])
    assert (dark[:, 6:] - bright[:, 6:]).abs().max() > 0.1


def test_focus_pairs_agree_from_afar_and_exposures_do_not() -> None:
    torch.manual_seed(7)
    scene = F.interpolate(torch.rand(1, 1, 12, 16), scale_factor=16.0, mode="bicubic").clamp(0, 1)
    scene = (scene + 0.1 * torch.randn_like(scene)).clamp(0, 1)
    blurred = F.avg_pool2d(F.pad(scene, (4, 4, 4, 4), mode="reflect"), 9, stride=1)
    assert image_statistics(scene, scene, 32)[0, 5] == 0
    assert image_statistics(scene, blurred, 32)[0, 5] < 0.1
    assert image_statistics(scene, scene.square(), 32)[0, 5] > 0.3
    flat = torch.full((1, 1, 5, 3), 0.5)
    assert image_statistics(flat, flat, 32)[0].isfinite().all()


def test_another_exposure_keeps_edges_and_another_spectrum_does_not() -> None:
    torch.manual_seed(8)
    scene, other = F.interpolate(torch.rand(2, 1, 12, 16), scale_factor=16.0, mode="bicubic").clamp(0, 1)[:, None]
    assert edge_agreement(scene, (1.5 * scene.sqrt()).clamp(max=1)).item() > 0.95
    assert 0.3 < edge_agreement(scene, other).item() < 0.7
    assert edge_agreement(scene, 1 - scene).item() < 0.01
    for flat in (torch.full((1, 1, 5, 3), 0.5), torch.rand(1, 1, 1, 1)):
        assert edge_agreement(flat, flat).item() == 1


def test_training_and_inference_agree_but_training_passes_gradients_through_the_limits() -> None:
    torch.manual_seed(4)
    network = tiny_lite().train()
    with torch.no_grad():
        network.head2.bias[0] = 9.0  # deep in saturation
    network.forget = 0.0
    a, b = torch.rand(2, 1, 1, 32, 32)
    trained = network.train()(a, b)
    trained.fused.sum().backward()
    assert network.head2.bias.grad is not None
    assert network.head2.bias.grad[0] != 0
    torch.testing.assert_close(trained.fused.detach(), network.eval()(a, b).fused.detach(), atol=1e-6, rtol=0)


@settings(max_examples=30, deadline=None)
@given(length=st.integers(1, 20), extra=st.integers(0, 60))
def test_reflection_agrees_with_numpy(length: int, extra: int) -> None:
    import numpy as np

    expected = np.pad(np.arange(length), (0, extra), mode="reflect")
    assert reflect_index(length, length + extra, torch.device("cpu")).tolist() == expected.tolist()


def test_padding_leaves_the_image_in_place() -> None:
    x = torch.rand(1, 1, 13, 22)
    padded = pad_to_multiple(x, 8)
    assert padded.shape[-2:] == (16, 24)
    assert torch.equal(padded[..., :13, :22], x)
    assert pad_to_multiple(padded, 8) is padded


@settings(max_examples=25, deadline=None)
@given(rows=st.integers(1, 4), cols=st.integers(1, 4), shift=st.sampled_from([0, 4]), batch=st.integers(1, 3))
def test_windows_are_undone(rows: int, cols: int, shift: int, batch: int) -> None:
    x = torch.rand(batch, rows * 8, cols * 8, 2)
    windows = to_windows(x, shift)
    assert windows.shape == (batch * rows * cols, 64, 2)
    assert torch.equal(from_windows(windows, rows * 8, cols * 8, shift), x)


def test_mask_parts_what_only_the_shift_brought_together() -> None:
    """Two tokens of a shifted window see each other exactly if they are within one window's side in the image."""
    h, w, shift = 24, 16, 4
    mask = shift_mask(h, w, shift, torch.device("cpu"))
    rows, cols = torch.meshgrid(torch.arange(h), torch.arange(w), indexing="ij")
    place = to_windows(torch.stack((rows, cols), -1)[None], shift)
    distance = (place[:, :, None] - place[:, None, :]).abs().amax(-1)
    assert torch.equal(mask[:, 0] == 0, distance < 8)
    assert mask.min() == MASKED
    assert torch.tensor(MASKED).exp() == 0  # not a denormal number, which is slow to calculate with


def test_detail_bands_sum_to_what_blurring_took() -> None:
    """The bands and the last blur add up to the image, and a flat image has no detail."""
    bands = DetailBands()
    assert bands(torch.full((1, 1, 9, 11), 0.3)).abs().max() < 1e-6
    x = torch.rand(1, 1, 40, 40)
    blurred = x - bands(x).sum(1, keepdim=True)
    assert blurred.std() < 0.25 * x.std()


@pytest.mark.parametrize(
    "values",
    [
        {"variant": "unet"}, {"dim": 60, "heads": 7}, {"dim": 10**6, "heads": 1}, {"dim": "60"}, {"fuse": []},
        {"fuse": ["4"]}, {"extract": 0}, {"colour": 3}, {"extract": 10**9}, {"ipa": 1},
    ],
)  # fmt: skip
def test_bad_configurations_are_refused(values: dict[str, object]) -> None:
    with pytest.raises(ModelError):
        NetworkConfig.from_dict(values)


def test_configuration_round_trip() -> None:
    for name in ("tita", "tita-lite"):
        config = NetworkConfig.from_name(name, ipa=False)
        assert NetworkConfig.from_dict(config.to_dict()) == config


def test_activity_says_whose_detail_is_stronger() -> None:
    bands = DetailBands()
    torch.manual_seed(5)
    sharp = torch.rand(1, 1, 48, 48)
    soft = torch.nn.functional.avg_pool2d(sharp, 7, 1, 3)
    share = bands.activity(bands(sharp), bands(soft))
    assert share[:, 0].min() > 0.5
    torch.testing.assert_close(bands.activity(bands(soft), bands(sharp)), -share)
    assert bands.activity(bands(soft), bands(soft)).abs().max() == 0

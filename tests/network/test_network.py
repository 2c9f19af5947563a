"""The published network as a whole: its size, windows and padding, and what a configuration may say."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tita_cli.errors import ModelError
from tita_cli.network import NetworkConfig, build_network, count_parameters
from tita_cli.network.attention import MASKED, from_windows, shift_mask, to_windows
from tita_cli.network.layout import pad_to_multiple, reflect_index

TINY = NetworkConfig(dim=8, heads=2, extract=2, fuse=(2,), reconstruct=2)


def test_paper_configuration_has_the_papers_size() -> None:
    """1,386,865 in the reference, less what it never uses: a pair of convolutions and the keys' biases in IPA."""
    never_used = 30 * 1 * 9 + 30 + 30 * 30 * 9 + 30 + 8 * 2 * 60
    unused_bias_difference = 1_386_865 - count_parameters(build_network(NetworkConfig.from_name("tita")))
    assert unused_bias_difference == never_used


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (2, 3), (8, 8), (33, 70)])
def test_any_size_works(size: tuple[int, int]) -> None:
    torch.manual_seed(1)
    network = build_network(TINY).eval()
    with torch.inference_mode():
        out = network(torch.rand(2, 1, *size), torch.rand(2, 1, *size))
    assert out.fused.shape == (2, 1, *size)
    assert torch.isfinite(out.fused).all()
    torch.testing.assert_close(out.weights.sum(1), torch.ones(2))


def test_samples_of_a_batch_do_not_see_each_other() -> None:
    torch.manual_seed(2)
    network = build_network(TINY).eval()
    a, b = torch.rand(2, 3, 1, 40, 33)
    with torch.inference_mode():
        together = network(a, b).fused
        apart = torch.cat([network(a[i : i + 1], b[i : i + 1]).fused for i in range(3)])
    torch.testing.assert_close(together, apart, atol=1e-5, rtol=0)


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

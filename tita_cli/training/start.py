"""A start for the published network: before its first step it paints the mean of its sources.

TITA paints its picture from features alone, without a way around its blocks, so that a random start must first learn to
copy. Here the layers are set so that luminance passes all of them, and training begins with what fusion adds. In the
spirit of initialisations by identity ("ZerO", Zhao et al., TMLR 2022).

How a picture passes a network of LayerNorms: two channels carry constants, one the other's negative, so large that they
alone are nearly all of a pixel's variance. Every LayerNorm then divides by next to the same number everywhere. Two
channels carry A's luminance and its negative, two B's, and the others are halved in the same way: one half shows A's
features and the other half B's when OAF adds the two maps. The blocks begin with weak branches, and see the constants
shrunk.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import torch
from torch import Tensor, nn

from tita_cli.network.cross import CrossStage
from tita_cli.network.oaf import Operations
from tita_cli.network.swin import SwinStage
from tita_cli.network.tita import SLOPE, Tita

WEAK = 0.05
"""Scale of the last layer of every residual branch."""
DETAIL, MIXED = 8.0, 3.0
"""Scales of the two shallow layers, whose gain on the detail of natural images is small."""
SEEN = 3.0
"""Scale of what the blocks see of a picture …"""
SHRUNK = 0.1
"""… and of the constants."""


@torch.no_grad()
def start_as_average(network: Tita) -> None:
    """Set a randomly initialised network's weights so that it paints (A + B) / 2, to within a tenth."""
    c = network.config.dim
    level = (c / 2) ** 0.5  # two channels of ±level and C − 2 of little: variance 1
    half = (c - 2) // 2
    slots_a, slots_b = torch.arange(0, half), torch.arange(half, 2 * half)
    plus, minus = c - 2, c - 1

    luminance = ((0, 1), (half, half + 1))
    _lift(network, luminance, (plus, minus), level)
    for stage in (network.extractor_a, network.extractor_b, network.reconstructor, *network.cross):
        for block in cast(SwinStage | CrossStage, stage).blocks:
            _soften(block, (plus, minus))
    for norm, hidden in ((network.crossed_norm_a, slots_b), (network.crossed_norm_b, slots_a)):
        norm.weight[hidden] = 0.0
    for operations in (network.oaf.operations_a, network.oaf.operations_b):
        _neutral(operations)
    network.oaf.weigh_mlp.fc2.weight.mul_(WEAK)
    network.oaf.weigh_mlp.fc2.bias.zero_()
    network.reconstructed_norm.weight[[plus, minus]] = SHRUNK
    _paint(network, luminance)


Pairs = tuple[tuple[int, int], tuple[int, int]]
"""Channels of A's luminance and of its negative, then B's."""


def _lift(network: Tita, luminance: Pairs, constants: tuple[int, int], level: float) -> None:
    """Shallow layers: luminance and its negative, twice, a constant and its negative, random detail elsewhere."""
    first, second = network.shallow1, network.shallow2
    first.weight.sub_(first.weight.mean((1, 2, 3), keepdim=True)).mul_(DETAIL)  # detail, not brightness
    second.weight.mul_(MIXED)
    _bias(first).zero_()
    _bias(second).zero_()
    _copy(first, 0, {0: 1.0})
    negative = -1.0 / SLOPE  # LeakyReLU leaves a fifth of it
    for plus, minus in luminance:
        _copy(second, plus, {0: 1.0})
        _copy(second, minus, {0: negative})
    for channel, sign in zip(constants, (1.0, negative), strict=True):
        _copy(second, channel, {})
        _bias(second)[channel] = sign * level


def _paint(network: Tita, luminance: Pairs) -> None:
    """Last layers: the mean of both luminances in one channel, and nothing yet of the others.

    A LayerNorm subtracts the mean of the channels; it is the same in a luminance and its negative.
    """
    (a, minus_a), (b, minus_b) = luminance
    _copy(network.last1, 0, {a: 0.5, minus_a: -0.5, b: 0.5, minus_b: -0.5})
    _copy(network.last2, 0, {0: 1.0})
    _copy(network.last3, 0, {0: 1.0})


def _copy(layer: nn.Conv2d, to: int, shares: Mapping[int, float]) -> None:
    """Let an output channel be a weighted sum of input channels, at the same pixel."""
    layer.weight[to] = 0.0
    for channel, share in shares.items():
        layer.weight[to, channel, 1, 1] = share
    _bias(layer)[to] = 0.0


def _soften(block: nn.Module, constants: tuple[int, int]) -> None:
    """Weak branches, and norms that show the picture rather than the constants."""
    for name, module in block.named_modules():
        leaf = name.rpartition(".")[2]
        if isinstance(module, nn.LayerNorm):
            module.weight.fill_(SEEN)
            module.weight[list(constants)] = SHRUNK
        elif isinstance(module, nn.Linear) and (leaf in ("proj", "out") or (name.startswith("mlp") and leaf == "fc2")):
            module.weight.mul_(WEAK)
            module.bias.zero_()


def _neutral(operations: Operations) -> None:
    """Addition adds little, multiplication multiplies by little other than 1."""
    for layer, bias in ((operations.addend, 0.0), (operations.factor, 1.0)):
        layer.weight.mul_(WEAK)
        _bias(layer).fill_(bias)


def _bias(layer: nn.Conv2d) -> Tensor:
    return cast(Tensor, layer.bias)

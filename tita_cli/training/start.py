"""Initial weights for the published network with which it outputs the mean of its sources.

TITA computes its result from features alone, without a skip connection from the sources, so a random start must first
learn to copy. Here the layers are set so that luminance passes all of them, and training starts with what fusion adds;
compare initialisation by identity ("ZerO", Zhao et al., TMLR 2022).

To pass LayerNorms, two channels carry constants, one the negative of the other, so large that they make up nearly all
of a pixel's variance: every LayerNorm then divides by nearly the same number everywhere. Two channels carry A's
luminance and its negative, two B's, and the others are split in the same way: one half shows A's features and the other
half B's when OAF adds the two maps. The residual branches of the blocks start weak and see the constants scaled down.
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
"""Scale of the picture in the norms of the blocks."""
SHRUNK = 0.1
"""Scale of the constants in those norms."""


@torch.no_grad()
def start_as_average(network: Tita) -> None:
    """Set the weights of a randomly initialised network so that it outputs (A + B) / 2, to within 0.1."""
    c = network.config.dim
    level = (c / 2) ** 0.5  # two channels of ±level, C − 2 near 0: variance 1
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
"""Channels of A's luminance and its negative, then of B's."""


def _lift(network: Tita, luminance: Pairs, constants: tuple[int, int], level: float) -> None:
    """Shallow layers: luminance and its negative twice, a constant and its negative, random detail elsewhere."""
    first, second = network.shallow1, network.shallow2
    first.weight.sub_(first.weight.mean((1, 2, 3), keepdim=True)).mul_(DETAIL)  # detail, not brightness
    second.weight.mul_(MIXED)
    _bias(first).zero_()
    _bias(second).zero_()
    _copy(first, 0, {0: 1.0})
    negative = -1.0 / SLOPE  # LeakyReLU scales it by SLOPE
    for plus, minus in luminance:
        _copy(second, plus, {0: 1.0})
        _copy(second, minus, {0: negative})
    for channel, sign in zip(constants, (1.0, negative), strict=True):
        _copy(second, channel, {})
        _bias(second)[channel] = sign * level


def _paint(network: Tita, luminance: Pairs) -> None:
    """Last layers: the mean of both luminances in one channel, and nothing of the others.

    A LayerNorm subtracts the mean of the channels, which cancels in the difference of a luminance and its negative.
    """
    (a, minus_a), (b, minus_b) = luminance
    _copy(network.last1, 0, {a: 0.5, minus_a: -0.5, b: 0.5, minus_b: -0.5})
    _copy(network.last2, 0, {0: 1.0})
    _copy(network.last3, 0, {0: 1.0})


def _copy(layer: nn.Conv2d, to: int, shares: Mapping[int, float]) -> None:
    """Make an output channel a weighted sum of input channels at the same pixel."""
    layer.weight[to] = 0.0
    for channel, share in shares.items():
        layer.weight[to, channel, 1, 1] = share
    _bias(layer)[to] = 0.0


def _soften(block: nn.Module, constants: tuple[int, int]) -> None:
    """Weak residual branches, and norms that scale the picture up and the constants down."""
    for name, module in block.named_modules():
        leaf = name.rpartition(".")[2]
        if isinstance(module, nn.LayerNorm):
            module.weight.fill_(SEEN)
            module.weight[list(constants)] = SHRUNK
        elif isinstance(module, nn.Linear) and (leaf in ("proj", "out") or (name.startswith("mlp") and leaf == "fc2")):
            module.weight.mul_(WEAK)
            module.bias.zero_()


def _neutral(operations: Operations) -> None:
    """Addition starts near 0 and multiplication near 1."""
    for layer, bias in ((operations.addend, 0.0), (operations.factor, 1.0)):
        layer.weight.mul_(WEAK)
        _bias(layer).fill_(bias)


def _bias(layer: nn.Conv2d) -> Tensor:
    return cast(Tensor, layer.bias)

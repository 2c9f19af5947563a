"""TITA (Hu et al., ICCV 2025, arXiv 2504.05164): the whole network on a page.

    a, b ──shallow──patch norm──extractor──┐                      one token a pixel, windows of 8×8
         (shared)    (shared)  (each own)  ├─patch norm─cross stages (IPA)─norm─┐
                                           ┘                                    OAF ─patch norm─reconstructor─ fused

It behaves as the authors' published implementation does, including what the paper's prose leaves out: one LayerNorm,
the patch norm, serves on entering every stage.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tita_cli.network.config import NetworkConfig
from tita_cli.network.cross import CrossStage
from tita_cli.network.layout import FusionOutput, pad_to_multiple, to_map, to_tokens, tones
from tita_cli.network.oaf import OAF
from tita_cli.network.swin import SwinStage

SLOPE = 0.2
"""Of every LeakyReLU, as in the reference."""


class Backbone(nn.Module):
    """What both variants share: extractors, cross stages, OAF and the Swin part of the reconstructor."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        c, heads, drop = config.dim, config.heads, config.drop_path
        self.config = config
        self.patch_norm = nn.LayerNorm(c)
        self.extractor_a = SwinStage(c, heads, config.extract, drop)
        self.extractor_b = SwinStage(c, heads, config.extract, drop)
        self.extracted_norm_a = nn.LayerNorm(c)
        self.extracted_norm_b = nn.LayerNorm(c)
        self.cross = nn.ModuleList(CrossStage(c, heads, depth, drop, ipa=config.ipa) for depth in config.fuse)
        self.crossed_norm_a = nn.LayerNorm(c)
        self.crossed_norm_b = nn.LayerNorm(c)
        self.oaf = OAF(c, weighted=config.oaf_weighted)
        self.reconstructor = SwinStage(c, heads, config.reconstruct, drop)
        self.reconstructed_norm = nn.LayerNorm(c)

    def interact(self, shallow_a: Tensor, shallow_b: Tensor) -> tuple[Tensor, Tensor]:
        """Shallow features B×C×H×W of both sources → features that OAF merges, same shape."""
        x = self.extracted_norm_a(self.extractor_a(self.patch_norm(to_tokens(shallow_a))))
        y = self.extracted_norm_b(self.extractor_b(self.patch_norm(to_tokens(shallow_b))))
        x, y = self.patch_norm(x), self.patch_norm(y)
        for stage in self.cross:
            x, y = stage(x, y)
        return to_map(self.crossed_norm_a(x)), to_map(self.crossed_norm_b(y))

    def weigh(self, pooled: Tensor) -> Tensor:
        """The mean of both maps' channels, B×2C, and behind them the sources' :func:`tones`, B×7 → guidance, B×K.

        Guidance is OAF's six weights, then what else a variant needs. This one does not look at the tones, which may be
        missing. It holds for the whole image: one that is worked on in tiles has one guidance.
        """
        return self.oaf.weigh(pooled[:, : 2 * self.config.dim])

    def reconstruct(self, x: Tensor, y: Tensor, guidance: Tensor) -> Tensor:
        """Merge by OAF with the given guidance, then the Swin blocks: B×C×H×W."""
        merged = to_tokens(self.oaf.merge(x, y, guidance))
        return to_map(self.reconstructed_norm(self.reconstructor(self.patch_norm(merged))))

    def finish(self, a: Tensor, b: Tensor, out: FusionOutput, guidance: Tensor) -> FusionOutput:
        """What is left to do with the whole picture, cropped to the sources' size: here, nothing."""
        return out


class Tita(Backbone):
    """TITA in any size; the paper's is ``NetworkConfig.from_name("tita")``."""

    multiple = 8
    """Sides are padded to a multiple of this: one window."""
    shallow_reach = 2
    paint_reach = head_reach = 3
    """Pixels that the layers before and behind the blocks see to each side."""
    lift_reach = 2
    blend_reach = 3
    """Of these, what the convolutions see."""
    guidance = 6
    """Numbers that :meth:`weigh` gives."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__(config)
        c = config.dim
        self.shallow1 = nn.Conv2d(1, c // 2, 3, padding=1)
        self.shallow2 = nn.Conv2d(c // 2, c, 3, padding=1)
        self.last1 = nn.Conv2d(c, c // 2, 3, padding=1)
        self.last2 = nn.Conv2d(c // 2, c // 4, 3, padding=1)
        self.last3 = nn.Conv2d(c // 4, 1, 3, padding=1)

    def shallow(self, image: Tensor) -> Tensor:
        """Luminance B×1×H×W → shallow features B×C×H×W."""
        x = F.leaky_relu(self.shallow1(image), SLOPE)
        return F.leaky_relu(self.shallow2(x), SLOPE)

    def encode(self, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
        """Padded luminance B×1×H×W of both sources → the features that OAF pools and merges, B×C×H×W."""
        return self.interact(self.shallow(a), self.shallow(b))

    def decode(self, a: Tensor, b: Tensor, x: Tensor, y: Tensor, guidance: Tensor) -> FusionOutput:
        """Sources, features and guidance → the picture."""
        return self.paint(a, b, self.reconstruct(x, y, guidance), guidance)

    def paint(self, a: Tensor, b: Tensor, z: Tensor, guidance: Tensor) -> FusionOutput:
        """The layers behind the reconstructor. ``a``, ``b`` are not looked at: TITA paints from features alone."""
        z = F.leaky_relu(self.last1(z), SLOPE)
        z = F.leaky_relu(self.last2(z), SLOPE)
        return FusionOutput(self.last3(z), guidance[:, :6])

    def forward(self, a: Tensor, b: Tensor) -> FusionOutput:
        """Luminance of both sources, B×1×H×W in 0..1, any H, W ≥ 1."""
        return fuse_padded(self, a, b)


def fuse_padded(network: Tita | nn.Module, a: Tensor, b: Tensor) -> FusionOutput:
    """Pad, encode, weigh, decode, crop, finish: the same for both variants."""
    net = cast(Tita, network)
    h, w = a.shape[-2:]
    padded = pad_to_multiple(a, net.multiple), pad_to_multiple(b, net.multiple)
    x, y = net.encode(*padded)
    guidance = net.weigh(torch.cat((net.oaf.pool(x, y), tones(a, b, net.multiple)), 1))
    out = net.decode(*padded, x, y, guidance)

    def crop(image: Tensor | None) -> Tensor | None:
        return None if image is None else image[..., :h, :w]

    fused, weights, *rest = out
    cropped = FusionOutput(fused[..., :h, :w], weights, *(crop(image) for image in rest))
    return net.finish(a, b, cropped, guidance)


def count_parameters(network: nn.Module) -> int:
    """Learned numbers in a network."""
    return sum(p.numel() for p in network.parameters())

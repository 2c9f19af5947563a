"""TITA (Hu et al., ICCV 2025, arXiv 2504.05164), one token a pixel, for a pair of images.

    a, b ──shallow──patch norm──extractor──┐                            windows of 8×8 tokens
         (shared)    (shared)  (each own)  ├─patch norm─cross stages (IPA)─norm─┐
                                           ┘                                    OAF ─patch norm─reconstructor─last

It behaves as the authors' published implementation does, including what the paper's prose leaves out: one LayerNorm,
the patch norm, serves on entering every stage.
"""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tita_cli.network.config import NetworkConfig
from tita_cli.network.cross import CrossStage
from tita_cli.network.layout import pad_to_multiple, to_map, to_tokens
from tita_cli.network.oaf import OAF
from tita_cli.network.spec import WINDOW, Spec, Stage
from tita_cli.network.swin import SwinStage

SLOPE = 0.2
"""Of every LeakyReLU, as in TITA's reference."""


class FusionOutput(NamedTuple):
    """``fused``: B×1×H×W luminance, not clamped. ``weights``: B×6, OAF's, three for A and three for B."""

    fused: Tensor
    weights: Tensor


class Tita(nn.Module):
    """TITA in any size; the paper's is ``NetworkConfig.from_name("tita")``."""

    kind: ClassVar[str] = "pair"
    sizes: ClassVar[dict[str, Any]] = {}

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        c, heads, drop = config.dim, config.heads, config.drop_path
        self.config = config
        self.shallow1 = nn.Conv2d(1, c // 2, 3, padding=1)
        self.shallow2 = nn.Conv2d(c // 2, c, 3, padding=1)
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
        self.last1 = nn.Conv2d(c, c // 2, 3, padding=1)
        self.last2 = nn.Conv2d(c // 2, c // 4, 3, padding=1)
        self.last3 = nn.Conv2d(c // 4, 1, 3, padding=1)

    @property
    def spec(self) -> Spec:
        config = self.config
        cross = tuple(shift for depth in config.fuse for shift in Stage.of("cross", depth).shifts)
        return Spec(
            kind=self.kind,
            variant=config.variant,
            dim=config.dim,
            token=1,
            encoder=(Stage.of("extract", config.extract), Stage("cross", cross, joint=True)),
            decoder=(Stage.of("reconstruct", config.reconstruct),),
            shallow_reach=2,
            head_reach=3,
        )

    def shallow(self, image: Tensor) -> Tensor:
        """Luminance B×1×H×W → shallow features B×C×H×W."""
        x = F.leaky_relu(self.shallow1(image), SLOPE)
        return F.leaky_relu(self.shallow2(x), SLOPE)

    def head(self, z: Tensor) -> Tensor:
        """Decoded features B×C×H×W → luminance B×1×H×W."""
        z = F.leaky_relu(self.last1(z), SLOPE)
        z = F.leaky_relu(self.last2(z), SLOPE)
        return torch.as_tensor(self.last3(z))

    def encode(self, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
        """Padded luminances B×1×H×W → the features that OAF pools and merges, B×C×H×W."""
        x, y = (to_tokens(self.shallow(image)) for image in (a, b))
        x = self.extracted_norm_a(self.extractor_a(self.patch_norm(x)))
        y = self.extracted_norm_b(self.extractor_b(self.patch_norm(y)))
        x, y = self.patch_norm(x), self.patch_norm(y)
        for stage in self.cross:
            x, y = stage(x, y)
        return to_map(self.crossed_norm_a(x)), to_map(self.crossed_norm_b(y))

    def decode(self, x: Tensor, y: Tensor, weights: Tensor) -> Tensor:
        """Features and OAF's weights B×6 → luminance, still padded."""
        merged = to_tokens(self.oaf.merge(x, y, weights))
        return self.head(to_map(self.reconstructed_norm(self.reconstructor(self.patch_norm(merged)))))

    def forward(self, a: Tensor, b: Tensor) -> FusionOutput:
        """Luminance of both sources, B×1×H×W in 0..1, any H, W ≥ 1."""
        h, w = a.shape[-2:]
        x, y = self.encode(pad_to_multiple(a, WINDOW), pad_to_multiple(b, WINDOW))
        weights = self.oaf.weigh(self.oaf.pool(x, y))
        return FusionOutput(self.decode(x, y, weights)[..., :h, :w], weights)


NETWORK = Tita

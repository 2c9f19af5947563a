"""What all networks for a pair of images share: TITA's modules and the order in which they run.

a, b ──shallow──patch norm──extractor──┐                            windows of 8×8 tokens
     (shared)    (shared)  (each own)  ├─patch norm─cross stages (IPA)─norm─┐
                                       ┘                                    OAF ─patch norm─reconstructor─head
"""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from tita_cli.network.config import NetworkConfig
from tita_cli.network.cross import CrossStage
from tita_cli.network.layout import FusionOutput, pad_to_multiple, to_map, to_tokens
from tita_cli.network.oaf import OAF
from tita_cli.network.spec import WEIGHTS, WINDOW, Spec, Stage
from tita_cli.network.swin import SwinStage

SLOPE = 0.2
"""Of every LeakyReLU, as in TITA's reference."""


class PairNetwork(nn.Module):
    """TITA's modules between the first and the last convolutions, which a variant brings.

    ``sizes``: what its configuration has instead of :class:`NetworkConfig`'s defaults. ``token``: pixels to a token's
    side. ``declared``: the variant's part of its :class:`Spec`. ``paints``: the result comes from features alone.
    """

    sizes: ClassVar[dict[str, Any]] = {}
    token: ClassVar[int] = 1
    declared: ClassVar[dict[str, Any]] = {}
    paints: ClassVar[bool] = False

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

    @property
    def spec(self) -> Spec:
        config = self.config
        cross = tuple(shift for depth in config.fuse for shift in Stage.of("cross", depth).shifts)
        return Spec(
            kind="pair",
            variant=config.variant,
            dim=config.dim,
            token=self.token,
            encoder=(Stage.of("extract", config.extract), Stage("cross", cross, joint=True)),
            decoder=(Stage.of("reconstruct", config.reconstruct),),
            **self.declared,
        )

    # What a variant brings. ``before``: what its filters made of the image, see ``network.filters``.

    def before_encoder(self, image: Tensor) -> tuple[Tensor, ...]:
        """Luminance B×1×H×W → what :meth:`shallow` takes beside it."""
        return ()

    def shallow(self, image: Tensor, *before: Tensor) -> Tensor:
        """Luminance B×1×H×W → shallow features B×C×h×w."""
        raise NotImplementedError

    def statistics(self, a: Tensor, b: Tensor) -> Tensor:
        """Statistics of both luminances before padding that :meth:`weigh` takes, B×K."""
        return a.new_empty((len(a), 0))

    def weigh(self, pooled: Tensor) -> Tensor:
        """The mean of both maps' channels, B×2C, and behind them the :meth:`statistics` → guidance, B×G.

        Guidance is OAF's six weights, then what else a variant needs. It holds for the whole image: one that is worked
        on in tiles has one guidance.
        """
        return self.oaf.weigh(pooled)

    def before_head(self, a: Tensor, b: Tensor) -> tuple[Tensor, ...]:
        """Luminances B×1×H×W → what :meth:`head` takes beside them."""
        return ()

    def head(self, a: Tensor, b: Tensor, before: tuple[Tensor, ...], z: Tensor, guidance: Tensor) -> tuple[Tensor, ...]:
        """Luminances and decoded features B×C×h×w → planes B×1×H×W."""
        raise NotImplementedError

    def after_head(self, a: Tensor, b: Tensor, planes: tuple[Tensor, ...], guidance: Tensor) -> FusionOutput:
        """The head's planes → the result: here, the fused image itself."""
        return FusionOutput(planes[0], guidance[:, :WEIGHTS])

    def finish(self, a: Tensor, b: Tensor, out: FusionOutput, guidance: Tensor) -> FusionOutput:
        """What is left to do with the whole image, cropped to the sources' size: here, nothing."""
        return out

    # The order in which it runs.

    def encode(self, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
        """Padded luminances B×1×H×W → the features that OAF pools and merges, B×C×h×w."""
        x, y = (to_tokens(self.shallow(image, *self.before_encoder(image))) for image in (a, b))
        x = self.extracted_norm_a(self.extractor_a(self.patch_norm(x)))
        y = self.extracted_norm_b(self.extractor_b(self.patch_norm(y)))
        x, y = self.patch_norm(x), self.patch_norm(y)
        for stage in self.cross:
            x, y = stage(x, y)
        return to_map(self.crossed_norm_a(x)), to_map(self.crossed_norm_b(y))

    def decode(self, a: Tensor, b: Tensor, x: Tensor, y: Tensor, guidance: Tensor) -> FusionOutput:
        """Padded luminances, features and guidance → the result, still padded and not finished."""
        merged = to_tokens(self.oaf.merge(x, y, guidance))
        z = to_map(self.reconstructed_norm(self.reconstructor(self.patch_norm(merged))))
        return self.after_head(a, b, self.head(a, b, self.before_head(a, b), z, guidance), guidance)

    def forward(self, a: Tensor, b: Tensor) -> FusionOutput:
        """Luminance of both sources, B×1×H×W in 0..1, any H, W ≥ 1."""
        padded = pad_to_multiple(a, self.token * WINDOW), pad_to_multiple(b, self.token * WINDOW)
        x, y = self.encode(*padded)
        guidance = self.weigh(torch.cat((self.oaf.pool(x, y), self.statistics(a, b)), 1))
        out = self.decode(*padded, x, y, guidance).cropped(*a.shape[-2:])
        return self.finish(a, b, out, guidance)


def count_parameters(network: nn.Module) -> int:
    """Learned numbers in a network."""
    return sum(p.numel() for p in network.parameters())

"""A network taken apart into the steps that the engine runs one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from torch import nn

from tita_cli.engine.folded import FoldedCross, FoldedSwin
from tita_cli.engine.merge import FoldedMerge
from tita_cli.network.cross import CrossBlock, CrossStage
from tita_cli.network.swin import SwinBlock, SwinStage
from tita_cli.network.tita import Backbone


class Stages(nn.Module):
    """The blocks of a network, folded: two extractors, the cross stages in one row, OAF's merging, the reconstructor.

    Every norm between two stages belongs to the block before or behind it, so that a map is touched by blocks only.
    """

    def __init__(self, network: Backbone) -> None:
        super().__init__()
        first, patch = network.patch_norm, network.patch_norm
        self.extract_a = _swin(network.extractor_a, [first], [])
        self.extract_b = _swin(network.extractor_b, [first], [])
        enter = ([network.extracted_norm_a, patch], [network.extracted_norm_b, patch])
        leave = ([network.crossed_norm_a], [network.crossed_norm_b])
        self.cross = _cross(network, enter, leave)
        self.merge = FoldedMerge(network.oaf)
        self.reconstruct = _swin(network.reconstructor, [patch], [network.reconstructed_norm])


def _swin(stage: SwinStage, enter: list[nn.LayerNorm], leave: list[nn.LayerNorm]) -> nn.ModuleList:
    blocks = [cast(SwinBlock, block) for block in stage.blocks]
    last = len(blocks) - 1
    return nn.ModuleList(
        FoldedSwin(block, enter if i == 0 else (), leave if i == last else ()) for i, block in enumerate(blocks)
    )


def _cross(
    network: Backbone, enter: Sequence[Sequence[nn.LayerNorm]], leave: Sequence[Sequence[nn.LayerNorm]]
) -> nn.ModuleList:
    blocks = [cast(CrossBlock, block) for stage in network.cross for block in cast(CrossStage, stage).blocks]
    none: Sequence[Sequence[nn.LayerNorm]] = ((), ())
    last = len(blocks) - 1
    return nn.ModuleList(
        FoldedCross(block, enter if i == 0 else none, leave if i == last else none) for i, block in enumerate(blocks)
    )

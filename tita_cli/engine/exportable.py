"""A whole network as one graph of operations that ONNX knows, made of the folded blocks.

The tensors between its steps, its *seams*, are results too where asked for: exported under their names, they are where
``tita_cli.engine.onnx_file`` cuts the file into the steps that ``tita_cli.engine.blocked`` runs one by one.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from tita_cli.engine.folded import FoldedCross, FoldedSwin
from tita_cli.engine.stages import Stages
from tita_cli.engine.windows import CORNER, TEAR, TOKENS, WINDOW, bands
from tita_cli.network.layout import FusionOutput, pad_to_multiple, tones
from tita_cli.network.lite import TitaLite
from tita_cli.network.tita import Tita

_HALF = WINDOW // 2
QUADRANT = _HALF * _HALF
_MOVES = ((0, 1), (1, 0), (1, 1))


class Exportable(nn.Module):
    """Luminance N×1×H×W of both sources → fused, OAF's weights, and the gate where there is one. Any H, W ≥ 1.

    ``seams``: after a call, names and tensors between the steps, in order.
    """

    def __init__(self, network: Tita | TitaLite) -> None:
        super().__init__()
        self.network = network
        self.stages = Stages(network)
        self.seams: dict[str, Tensor] = {}

    def forward(self, a: Tensor, b: Tensor) -> tuple[Tensor, ...]:
        net, (h, w) = self.network, a.shape[-2:]
        self.seams = {}
        sources = a, b
        a = self._seam("padded_a", pad_to_multiple(a, net.multiple))
        b = self._seam("padded_b", pad_to_multiple(b, net.multiple))
        shallow_a, shallow_b = self._seam("shallow_a", self._shallow(a)), net.shallow(b)
        grid = _Grid(shallow_a)
        grid.tears = self._seam("tears", grid.tears)
        x, y = grid.to_windows(shallow_a), grid.to_windows(shallow_b)
        for i in range(len(self.stages.extract_a)):
            x = self._swin(f"extract_a.{i}", self.stages.extract_a[i], x, grid)
            y = self._swin(f"extract_b.{i}", self.stages.extract_b[i], y, grid)
        for i, block in enumerate(self.stages.cross):
            x, y = self._cross(f"cross.{i}", block, x, y, grid)
        x, y = self._seam("x", grid.to_map(x)), self._seam("y", grid.to_map(y))
        pooled = net.oaf.pool(x, y)
        if isinstance(net, TitaLite):  # the other one does not look at them
            pooled = torch.cat((pooled, tones(*sources, net.multiple)), 1)
        guidance = self._seam("guidance", net.weigh(self._seam("pooled", pooled)))
        z = grid.to_windows(self._seam("merged", self.stages.merge(x, y, guidance)))
        for i, block in enumerate(self.stages.reconstruct):
            z = self._swin(f"reconstruct.{i}", block, z, grid)
        out = self._paint(a, b, self._seam("z", grid.to_map(z)), guidance)
        fused = self._seam("painted", out.fused)[..., :h, :w]
        gate = None if out.gate is None else self._seam("painted_gate", out.gate)[..., :h, :w]
        out = net.finish(*sources, FusionOutput(fused, out.weights, gate), guidance)
        return (out.fused, out.weights, *([] if out.gate is None else [out.gate]))

    def _seam(self, name: str, x: Tensor) -> Tensor:
        if not any(x is known for known in self.seams.values()):
            self.seams[name] = x
        return x

    def _shallow(self, image: Tensor) -> Tensor:
        net = self.network
        if isinstance(net, TitaLite):
            return net.lift(image, self._seam("contrast_a", net.bands.contrast(image)))
        return net.shallow(image)

    def _paint(self, a: Tensor, b: Tensor, z: Tensor, guidance: Tensor) -> FusionOutput:
        net = self.network
        if not isinstance(net, TitaLite):
            return net.paint(a, b, z, guidance)
        bands = net.bands(a), net.bands(b)
        activity = self._seam("activity", net.bands.activity(*bands))
        logits, residual = net.head(a, b, z, self._seam("bands", torch.cat(bands, 1)), activity, guidance)
        logits, residual = self._seam("logits", logits), self._seam("residual", residual)
        return net.blend(a, b, logits, residual, net.region(logits), guidance)

    def _swin(self, name: str, block: nn.Module, x: Tensor, grid: _Grid) -> Tensor:
        shift = cast(FoldedSwin, block).shift
        tears = grid.tears if shift else None
        x = self._seam(f"{name}.in", grid.shifted(x) if shift else x)
        x = self._seam(f"{name}.out", block(x, tears))
        return grid.shifted_back(x) if shift else x

    def _cross(self, name: str, block: nn.Module, x: Tensor, y: Tensor, grid: _Grid) -> tuple[Tensor, Tensor]:
        shift = cast(FoldedCross, block).shift
        tears = grid.tears if shift else None
        x = self._seam(f"{name}.in_a", grid.shifted(x) if shift else x)
        y = self._seam(f"{name}.in_b", grid.shifted(y) if shift else y)
        x, y = block(x, y, tears)
        x, y = self._seam(f"{name}.out_a", x), self._seam(f"{name}.out_b", y)
        return (grid.shifted_back(x), grid.shifted_back(y)) if shift else (x, y)


class _Grid:
    """The windows of a batch of maps B×C×H×W: N×C×64, batch first, then row by row."""

    def __init__(self, features: Tensor) -> None:
        self._b, self._c, self._h, self._w = features.shape
        self._rows, self._cols = self._h // WINDOW, self._w // WINDOW
        self.tears = self._make_tears(features.device)
        numbers = torch.arange(self._b * self._rows * self._cols, device=features.device)
        numbers = numbers.reshape(self._b, self._rows, self._cols)
        # For each quadrant but the first: whose window it comes from.
        self._ahead = [_rolled(numbers, row, col).flatten() for row, col in _MOVES]
        self._behind = [_rolled(numbers, -row, -col).flatten() for row, col in _MOVES]

    def to_windows(self, x: Tensor) -> Tensor:
        x = x.reshape(self._b, self._c, self._rows, 2, _HALF, self._cols, 2, _HALF)
        return x.permute(0, 2, 5, 1, 3, 6, 4, 7).reshape(-1, self._c, TOKENS)

    def to_map(self, x: Tensor) -> Tensor:
        x = x.reshape(self._b, self._rows, self._cols, self._c, 2, 2, _HALF, _HALF)
        return x.permute(0, 3, 1, 4, 6, 2, 5, 7).reshape(self._b, self._c, self._h, self._w)

    def shifted(self, x: Tensor) -> Tensor:
        """The windows that lie half a window further down and right, cyclic."""
        first, *others = reversed(self._quadrants(x))
        moved = [quadrant.index_select(0, source) for quadrant, source in zip(others, self._ahead, strict=True)]
        return torch.cat((first, *moved), 2)

    def shifted_back(self, x: Tensor) -> Tensor:
        last, *others = self._quadrants(x)
        moved = [quadrant.index_select(0, source) for quadrant, source in zip(others, self._behind, strict=True)]
        return torch.cat((*reversed(moved), last), 2)

    def _quadrants(self, x: Tensor) -> list[Tensor]:
        """Four times N×C×16."""
        return [x[:, :, i * QUADRANT : (i + 1) * QUADRANT] for i in range(4)]

    def _make_tears(self, device: torch.device) -> Tensor:
        """N×2×64: see :class:`tita_cli.engine.folded.FoldedAttention`."""
        torn = torch.from_numpy(bands()[CORNER]).to(device)
        last_row = (torch.arange(self._rows, device=device) == self._rows - 1)[:, None, None]
        last_col = (torch.arange(self._cols, device=device) == self._cols - 1)[None, :, None]
        sides = (torch.where(last, side, 1.0) for last, side in ((last_row, torn[0]), (last_col, torn[1])))
        whole = [side.expand(self._b, self._rows, self._cols, TOKENS) for side in sides]
        return TEAR * torch.stack(whole, 3).reshape(-1, 2, TOKENS)


def _rolled(numbers: Tensor, down: int, right: int) -> Tensor:
    """The numbers of the windows that lie so far down and right, cyclic."""
    if down:
        numbers = torch.cat((numbers[:, down:], numbers[:, :down]), 1)
    if right:
        numbers = torch.cat((numbers[:, :, right:], numbers[:, :, :right]), 2)
    return numbers

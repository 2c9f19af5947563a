"""A whole network as one graph of operations that ONNX knows, made of the folded blocks.

The tensors between its steps are results too where asked for: exported under their names, they are where
``tita_cli.export.container`` cuts the network into the steps that the runtime runs one by one.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from tita_cli.export.folding import FoldedMerge, fold_stages
from tita_cli.network.layout import pad_to_multiple
from tita_cli.network.spec import WINDOW, Stage
from tita_cli.network.tita import Tita
from tita_cli.runtime.windows import CORNER, SIDE_SCORE, TOKENS, edge_sides

_HALF = WINDOW // 2
QUADRANT = _HALF * _HALF
_MOVES = ((0, 1), (1, 0), (1, 1))


class Graph(nn.Module):
    """Luminance N×1×H×W of both sources → fused, OAF's weights. Any H, W ≥ 1.

    ``cuts``: after a call, names and tensors between the steps, in order. ``steps``: for each step the names of its
    inputs and outputs among them.
    """

    def __init__(self, network: Tita) -> None:
        super().__init__()
        self.network = network
        self.blocks = fold_stages(network)
        self.merge = FoldedMerge(network.oaf)
        self.cuts: dict[str, Tensor] = {}
        self.steps: dict[str, tuple[list[str], list[str]]] = {}

    def forward(self, a: Tensor, b: Tensor) -> tuple[Tensor, ...]:
        net, spec, (h, w) = self.network, self.network.spec, a.shape[-2:]
        self.cuts, self.steps = {"a": a, "b": b}, {}
        a, b = (self._cut(f"padded_{s}", pad_to_multiple(x, spec.multiple)) for s, x in (("a", a), ("b", b)))
        shallow = self._step("shallow", [a], (net.shallow(a),))[0]
        maps = [shallow, net.shallow(b)]
        grid = _Grid(shallow)
        grid.sides = self._cut("sides", grid.sides)
        windows = [grid.to_windows(x) for x in maps]
        for stage in spec.encoder:
            windows = self._stage(stage, windows, grid)
        x, y = (self._cut(name, grid.to_map(f)) for name, f in zip("xy", windows, strict=True))
        pooled = self._cut("pooled", net.oaf.pool(x, y))
        (weights,) = self._step("weigh", [pooled], (net.oaf.weigh(pooled),))
        (merged,) = self._step("merge", [x, y, weights], (self.merge(x, y, weights),))
        windows = [grid.to_windows(merged)]
        for stage in spec.decoder:
            windows = self._stage(stage, windows, grid)
        z = self._cut("z", grid.to_map(windows[0]))
        (fused,) = self._step("head", [z], (net.head(z),))
        return fused[..., :h, :w], weights

    def _name(self, x: Tensor) -> str:
        return next(name for name, known in self.cuts.items() if known is x)

    def _cut(self, name: str, x: Tensor) -> Tensor:
        if not any(x is known for known in self.cuts.values()):
            self.cuts[name] = x
        return x

    def _step(self, name: str, inputs: list[Tensor], outputs: tuple[Tensor, ...]) -> list[Tensor]:
        named = [self._cut(f"{name}.{i}", x) for i, x in enumerate(outputs)]
        self.steps[name] = ([self._name(x) for x in inputs], [self._name(x) for x in named])
        return named

    def _stage(self, stage: Stage, windows: list[Tensor], grid: _Grid) -> list[Tensor]:
        """Blocks on N×C×64 windows of every map, each a step of its own."""
        for i, shift in enumerate(stage.shifts):
            if shift:
                windows = [grid.shifted(x) for x in windows]
            sides = [grid.sides] if shift else []
            if stage.joint:
                windows = self._block(f"{stage.name}.{i}", self._blocks(stage.name)[i], windows, sides)
            else:
                names = [f"{stage.name}{suffix}" for suffix in ("_a", "_b")[: len(windows)]]
                windows = [
                    self._block(f"{name}.{i}", self._blocks(name)[i], [x], sides)[0]
                    for name, x in zip(names, windows, strict=True)
                ]
            if shift:
                windows = [grid.shifted_back(x) for x in windows]
        return windows

    def _blocks(self, name: str) -> nn.ModuleList:
        return cast(nn.ModuleList, self.blocks[name])

    def _block(self, name: str, block: nn.Module, windows: list[Tensor], sides: list[Tensor]) -> list[Tensor]:
        inputs = [self._cut(f"{name}.in{i}", x) for i, x in enumerate(windows)]
        results = block(*inputs, sides[0] if sides else None)
        return self._step(name, [*inputs, *sides], results if isinstance(results, tuple) else (results,))


class _Grid:
    """The windows of a batch of maps B×C×H×W: N×C×64, batch first, then row by row."""

    def __init__(self, features: Tensor) -> None:
        self._b, self._c, self._h, self._w = features.shape
        self._rows, self._cols = self._h // WINDOW, self._w // WINDOW
        self.sides = self._edge_sides(features.device)
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

    def _edge_sides(self, device: torch.device) -> Tensor:
        """N×2×64: see :class:`tita_cli.export.folding.FoldedAttention`."""
        corner = torch.from_numpy(edge_sides()[CORNER]).to(device)
        last_row = (torch.arange(self._rows, device=device) == self._rows - 1)[:, None, None]
        last_col = (torch.arange(self._cols, device=device) == self._cols - 1)[None, :, None]
        sides = (torch.where(last, side, 1.0) for last, side in ((last_row, corner[0]), (last_col, corner[1])))
        expanded = [side.expand(self._b, self._rows, self._cols, TOKENS) for side in sides]
        return SIDE_SCORE * torch.stack(expanded, 3).reshape(-1, 2, TOKENS)


def _rolled(numbers: Tensor, down: int, right: int) -> Tensor:
    """The numbers of the windows that lie so far down and right, cyclic."""
    if down:
        numbers = torch.cat((numbers[:, down:], numbers[:, :down]), 1)
    if right:
        numbers = torch.cat((numbers[:, :, right:], numbers[:, :, :right]), 2)
    return numbers

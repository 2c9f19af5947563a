"""What is exported of each kind of network: a graph that ONNX can express, an example of its inputs, and its checks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, cast

import torch
from torch import Tensor, nn

from tita_cli.export.container import PREFIX, StepNames
from tita_cli.export.graph import Graph

if TYPE_CHECKING:
    from tita_cli.network.tita import Tita
    from tita_cli.network.tita_lite import TitaLite

PAIR_INPUTS = ("a", "b")
_PAIR_TRACED = (2, 70, 100)
_PAIR_CHECKED = ((1, 9, 33), (1, 136, 200), (3, 64, 96))
"""Batch, height and width: of the trace and of the check, smaller and larger, padded and not."""
_SET_TRACED = (3, 128, 192)
_SET_CHECKED = ((2, 64, 64), (5, 192, 128), (3, 256, 320))
"""Sources, height and width."""
_CELL = 4


class Subject(NamedTuple):
    """``inputs``, ``outputs``: names of the graph's. ``dynamic``: of each input the dimensions that may vary, and their
    names; none for the example's size only. ``steps``: see :func:`tita_cli.export.container.pack`. ``checked``: inputs
    on which the file must give what ``expected`` gives."""

    graph: nn.Module
    example: tuple[Tensor, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    dynamic: Mapping[str, dict[int, str]]
    steps: StepNames
    checked: Sequence[tuple[Tensor, ...]]
    expected: Callable[..., Sequence[Tensor]]


def pair_subject(network: Tita, size: tuple[int, int] | None) -> Subject:
    """A network for pairs: ``a`` and ``b`` B×1×H×W, of any size unless ``size``."""
    graph = Graph(network)
    example = _noise(2, 1, 1, *size) if size else _noise(2, _PAIR_TRACED[0], 1, *_PAIR_TRACED[1:])
    with torch.inference_mode():
        graph(*example)  # for the names of its cuts
    names, steps = cut_names(graph)
    open_dims = {0: "batch", 2: "height", 3: "width"}
    shapes = [(1, *size)] if size else _PAIR_CHECKED
    checked = [_noise(2, batch, 1, *sides) for batch, *sides in shapes]
    return Subject(
        _WithCuts(graph).eval(), example, PAIR_INPUTS, (*names, "fused", "weights"),
        {} if size else dict.fromkeys(PAIR_INPUTS, open_dims), steps, checked, network,
    )  # fmt: skip


def set_subject(network: TitaLite) -> Subject:
    """A network for sets: ``images`` N×H×W, sides multiples of a window, ``hidden`` N×2×H/4×W/4, ``role`` N."""
    graph = _OneSet(network).eval()
    dynamic = {
        "images": {0: "sources", 1: "height", 2: "width"},
        "hidden": {0: "sources", 2: "height/4", 3: "width/4"},
        "role": {0: "sources"},
    }
    example = _set(*_SET_TRACED)
    with torch.inference_mode():
        out = network(*(x[None] for x in example))
    names = [f"share{k}" for k in range(len(out.shares))] + [f"gain{k}" for k in range(len(out.gains))]
    return Subject(
        graph, example, tuple(dynamic), (*names, "direct", "weights"), dynamic, {},
        [_set(*shape) for shape in _SET_CHECKED], graph,
    )  # fmt: skip


def subject_of(network: nn.Module, kind: str, size: tuple[int, int] | None) -> Subject:
    """What to export of a network of this kind."""
    if kind == "set":
        return set_subject(cast("TitaLite", network))
    return pair_subject(cast("Tita", network), size)


def cut_names(graph: Graph) -> tuple[list[str], StepNames]:
    """After a call of ``graph``: the names of all its cuts, and of those that each step takes and gives."""
    named = {name: name if name in PAIR_INPUTS else PREFIX + name for name in graph.cuts}
    steps = {name: ([named[x] for x in a], [named[x] for x in b]) for name, (a, b) in graph.steps.items()}
    return [name for name in named.values() if name not in PAIR_INPUTS], steps


class _WithCuts(nn.Module):
    """The tensors between the steps as further results, so that the exporter gives them names.

    They come first: where one of them is a result of the whole network too, the next step has to take it as a cut.
    """

    def __init__(self, graph: Graph) -> None:
        super().__init__()
        self._whole = graph

    def forward(self, a: Tensor, b: Tensor) -> tuple[Tensor, ...]:
        results = self._whole(a, b)
        return (*(x for name, x in self._whole.cuts.items() if name not in PAIR_INPUTS), *results)


class _OneSet(nn.Module):
    """A network for sets without the batch, its results in a row."""

    def __init__(self, network: TitaLite) -> None:
        super().__init__()
        self._network = network

    def forward(self, images: Tensor, hidden: Tensor, role: Tensor) -> tuple[Tensor, ...]:
        out = self._network(images[None], hidden[None], role[None])
        return tuple(x[0] for x in (*out.shares, *out.gains, out.direct, out.weights))


def _noise(count: int, *shape: int) -> tuple[Tensor, ...]:
    generator = torch.Generator().manual_seed(shape[-1] * shape[-2])
    return torch.rand(count, *shape, generator=generator).unbind(0)


def _set(count: int, height: int, width: int) -> tuple[Tensor, ...]:
    (images,) = _noise(1, count, height, width)
    (hidden,) = _noise(1, count, 2, height // _CELL, width // _CELL)
    (role,) = _noise(1, count, 1)
    return images, hidden, role[:, 0].round()

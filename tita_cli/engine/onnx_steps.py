"""The steps that an exported file is cut into, by the names of the tensors between them."""

from __future__ import annotations

from collections.abc import Sequence

from tita_cli.engine.geometry import Geometry
from tita_cli.engine.onnx_file import SEAM, Step


def halves(geometry: Geometry) -> dict[str, Step]:
    """The network before and behind OAF's pooling."""
    # Without a gate the sources are not looked at again; the shapes are those of the first.
    sources = ("a", "b") if geometry.has_gate else ("a",)
    return {
        "encode": Step(("a", "b"), _seams("x", "y")),
        "weigh": _weigh(),
        "decode": Step((*sources, *_seams("x", "y", "guidance")), _painted(geometry)),
    }


def blocks(geometry: Geometry) -> dict[str, Step]:
    """Every block, and the layers before, between and behind them."""
    seen = ["contrast_a"] if geometry.has_gate else []
    found = {"shallow": Step(_seams("padded_a", *seen), _seams("shallow_a"))}
    for source in "ab":
        found.update(_stage(f"extract_{source}", geometry.extract, [""], None))
    last = len(geometry.extract) - 1
    before = None if geometry.extract[-1] else [f"extract_{source}.{last}.out" for source in "ab"]
    found.update(_stage("cross", geometry.fuse, ["_a", "_b"], before))
    found["weigh"] = _weigh()
    found["merge"] = Step(_seams("x", "y", "guidance"), _seams("merged"))
    found.update(_stage("reconstruct", geometry.reconstruct, [""], None))
    sources = ("padded_a", "padded_b", "bands", "activity") if geometry.has_gate else ()
    guidance = ("guidance",) if geometry.has_gate else ()
    painted = _seams("logits", "residual") if geometry.has_gate else _painted(geometry)
    found["paint"] = Step(_seams(*sources, "z", *guidance), painted)
    return found


def _stage(name: str, shifts: Sequence[int], sources: Sequence[str], before: list[str] | None) -> dict[str, Step]:
    """A stage's blocks. ``before``: what the stage begins with, if those tensors have a name already.

    A block's input has a name of its own, unless neither it nor the block before it is shifted: then nothing lies
    between them, and one tensor has one name.
    """
    found = {}
    for i, shift in enumerate(shifts):
        inputs = before if before and not shift else [f"{name}.{i}.in{source}" for source in sources]
        outputs = [f"{name}.{i}.out{source}" for source in sources]
        found[f"{name}.{i}"] = Step(_seams(*inputs, *(["tears"] if shift else [])), _seams(*outputs))
        before = None if shift else outputs
    return found


def _weigh() -> Step:
    return Step(_seams("pooled"), _seams("guidance"))


def _painted(geometry: Geometry) -> tuple[str, ...]:
    return _seams("painted", "painted_gate") if geometry.has_gate else _seams("painted")


def _seams(*names: str) -> tuple[str, ...]:
    return tuple(SEAM + name for name in names)

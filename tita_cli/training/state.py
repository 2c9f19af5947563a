"""The resumable state of a run: one file, written atomically, read without executing code."""

from __future__ import annotations

import io
import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from tita_cli.errors import OutputError, TrainingError, parsing

FORMAT = "tita-training-1"
LAST = "last.pt"
_MOMENTS = ("exp_avg", "exp_avg_sq")
_NEEDED = ("network", "tasks", "step", "seconds", "model", "ema", "optimizer", "balance")


def save_state(folder: Path, state: Mapping[str, Any], *, keep: int) -> None:
    """Write ``last.pt`` and a numbered copy, and delete numbered ones beyond the newest ``keep``."""
    from tita_cli.images.atomic import atomic_output

    content = _serialize(state)
    numbered = folder / f"state-{state['step']:08d}.pt"
    for path in (numbered, folder / LAST) if keep else (folder / LAST,):
        with atomic_output(path, overwrite=True) as stream:
            stream.write(content)
    for old in sorted(folder.glob("state-*.pt"))[: -keep or None]:
        old.unlink(missing_ok=True)


def load_state(path: Path) -> dict[str, Any]:
    """Read a state. Raises ``TrainingError`` if the file is missing, damaged, not a state, or holds more than data."""
    if path.is_file() and not zipfile.is_zipfile(path):
        raise TrainingError(f"{path}: not a training state, or damaged")
    if not path.exists():
        raise TrainingError(f"{path}: no such state", hint="omit `resume` to start a new run")
    if not path.is_file():
        raise TrainingError(f"{path}: not a training state, or damaged")
    with parsing(str(path), TrainingError):
        try:
            state = torch.load(path, map_location="cpu", weights_only=True)
        except pickle.UnpicklingError as error:
            raise TrainingError(f"{path}: refused, because it holds more than tensors and plain values") from error
    if not isinstance(state, dict) or state.get("format") != FORMAT or not _is_sound(state):
        raise TrainingError(f"{path}: not a training state of tita", hint=f"a run folder holds {LAST}")
    return _expanded(state) if state.pop("compact", False) else state


def _is_sound(state: Mapping[Any, Any]) -> bool:
    """Whether everything is there, of its type; whether tensors fit the network, the trainer finds out."""
    if any(key not in state for key in _NEEDED):
        return False
    moments = state["optimizer"].get("state") if isinstance(state["optimizer"], Mapping) else None
    return (
        all(isinstance(state[key], Mapping) for key in ("network", "model", "ema", "balance"))
        and isinstance(moments, Mapping)
        and all(isinstance(each, Mapping) for each in moments.values())
        and all(torch.is_tensor(each.get(name)) for each in moments.values() for name in _MOMENTS)
        and type(state["step"]) is int
        and isinstance(state["seconds"], int | float)
    )


def export_state(source: Path, target: Path, *, overwrite: bool) -> None:
    """Write a compact copy of a state, with half precision for what allows it: 10 instead of 16 bytes a parameter.

    bf16 holds the optimiser's moments, and the average as its difference from the weights, which is small. Training can
    resume from it; the next steps differ from the original's by the rounding of the moments.
    """
    from tita_cli.images.atomic import atomic_output, check_writable

    check_writable(target, overwrite, sources=[source])
    state = load_state(source)
    for moments in state["optimizer"]["state"].values():
        for name in _MOMENTS:
            moments[name] = moments[name].to(torch.bfloat16)
    state["ema"] = {
        name: (tensor - state["model"][_plain(name)]).to(torch.bfloat16) if _plain(name) in state["model"] else tensor
        for name, tensor in state["ema"].items()
    }
    state["compact"] = True
    with atomic_output(target, overwrite=overwrite) as stream:
        stream.write(_serialize(state))


def _expanded(state: dict[str, Any]) -> dict[str, Any]:
    """A compact state with its average again as weights."""
    average = {
        name: state["model"][_plain(name)] + tensor.float() if _plain(name) in state["model"] else tensor
        for name, tensor in state["ema"].items()
    }
    return {**state, "ema": average}


def _plain(name: str) -> str:
    """A parameter's name in the network, given its name in the average."""
    return name.removeprefix("module.")


def prepare_folder(folder: Path, *, resume: bool) -> None:
    """Create the run folder. Raises ``OutputError`` if it already holds a run and ``resume`` is False."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder}: cannot make the run folder: {error.strerror}") from error
    if not resume and (folder / LAST).exists():
        raise OutputError(
            f"{folder}: this folder already holds a run",
            hint="continue it with `resume`, or give another folder",
        )


def _serialize(state: Mapping[str, Any]) -> bytes:
    buffer = io.BytesIO()
    torch.save({"format": FORMAT, **state}, buffer)
    return buffer.getvalue()

"""The training configuration: a TOML file, read strictly.

Top-level keys set length, crops, seed and device; ``[network]``, ``[losses]``, ``[optimizer]``, ``[schedule]``,
``[checkpoint]`` and ``[log]`` hold the rest; ``[[data]]`` tables name the images (see ``manifest``). Paths are relative
to the folder of the file. ``docs/how-to/train.md`` explains every key.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from tita_cli.errors import InputError, ModelError, TrainingError
from tita_cli.files import read_toml
from tita_cli.network import NetworkConfig
from tita_cli.training.famo import FamoMode
from tita_cli.training.manifest import Manifest


@dataclass(frozen=True, slots=True)
class Optimizer:
    """``clip``: largest norm of the gradient over all parameters; 0 for no clipping.

    ``weight_decay`` applies to parameters of two dimensions or more, not to biases and norms. ``only``: train just the
    parameters whose names begin with this, and freeze the others; "" trains all.
    """

    name: Literal["adamw", "adam"] = "adamw"
    lr: float = 1e-3
    beta1: float = 0.9
    beta2: float = 0.999
    weight_decay: float = 0.0
    clip: float = 1.0
    only: str = ""


@dataclass(frozen=True, slots=True)
class Schedule:
    """Learning rate: ``warmup`` steps of linear increase, then a cosine down to ``final``·lr, or constant, or constant
    and over the last part ``decay`` of the run a line down to ``final``·lr."""

    kind: Literal["cosine", "constant", "decay"] = "cosine"
    warmup: int = 100
    final: float = 0.01
    decay: float = 0.3


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """``minutes`` between two saved states; ``keep``: how many numbered ones are kept beside ``last.pt``."""

    minutes: float = 10.0
    keep: int = 2


@dataclass(frozen=True, slots=True)
class Log:
    """``every``: steps per record of the log, which holds their means."""

    every: int = 20


@dataclass(frozen=True, slots=True)
class Losses:
    """``recipe``: the set of losses (see ``losses``), "" for "paper", and for a network for sets "truth"; every other
    key of ``[losses]`` sets weights of its terms."""

    recipe: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TrainingConfig:
    """A training run. ``steps`` and ``minutes``: its length, whichever ends first; 0 for no such limit.

    ``crop``: side of the square crops in pixels. ``batch``: pairs per step, for every task or by task. ``frames`` and
    ``counts``, for networks for sets: about how many sources there are to a task and step, for every task or by task,
    and how many to a sample; a count comes up as often as it is listed. ``workers``: processes that prepare batches
    for each training process.

    ``ema``: decay of the exponential moving average whose weights are the result. ``init``: a checkpoint to start from.
    ``start``, without one: random weights, or weights with which `tita` outputs the mean of its sources (see
    ``start``). ``teacher``: a checkpoint whose pictures the network is to come near, by a loss of ``teacher_weight``.
    ``compile``: the network runs through ``torch.compile``.
    """

    network: NetworkConfig
    manifest: Manifest
    steps: int = 0
    minutes: float = 0.0
    crop: int = 128
    batch: int | dict[str, int] = 3
    frames: int | dict[str, int] = 8
    counts: tuple[int, ...] = (2, 2, 2, 3, 3, 4, 5, 6, 8)
    workers: int = 1
    seed: int = 17
    famo: FamoMode = "same-batch"
    ema: float = 0.999
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    device: str = "auto"
    init: Path | None = None
    start: Literal["random", "average"] = "random"
    teacher: Path | None = None
    teacher_weight: float = 20.0
    compile: bool = False
    data_root: Path | None = None
    losses: Losses = field(default_factory=Losses)
    optimizer: Optimizer = field(default_factory=Optimizer)
    schedule: Schedule = field(default_factory=Schedule)
    checkpoint: Checkpoint = field(default_factory=Checkpoint)
    log: Log = field(default_factory=Log)


_RANGES: Mapping[str, tuple[float, float]] = {
    "steps": (0, 1e9),
    "minutes": (0, 1e6),
    "crop": (8, 4096),
    "batch": (1, 4096),
    "frames": (2, 65536),
    "counts": (2, 64),
    "workers": (0, 256),
    "teacher_weight": (0, 1e6),
    "seed": (0, 2**63 - 1),
    "ema": (0, 0.999999),
    "optimizer.lr": (1e-12, 10),
    "optimizer.beta1": (0, 0.999999),
    "optimizer.beta2": (0, 0.999999),
    "optimizer.weight_decay": (0, 10),
    "optimizer.clip": (0, 1e9),
    "schedule.warmup": (0, 1e9),
    "schedule.final": (0, 1),
    "schedule.decay": (0, 1),
    "checkpoint.minutes": (0, 1e6),
    "checkpoint.keep": (0, 1e6),
    "log.every": (1, 1e6),
}


def read_config(path: Path, *, data_root: Path | None = None) -> TrainingConfig:
    """Read a configuration file. ``data_root`` replaces the folder of the images that the file names.

    Raises ``TrainingError`` that names the file and the key.
    """
    try:
        document = read_toml(path)
    except InputError as error:
        raise TrainingError(error.message, hint=error.hint) from error
    try:
        return parse_config(document, folder=path.parent, data_root=data_root)
    except TrainingError as error:
        raise TrainingError(f"{path}: {error.message}", hint=error.hint) from error


def parse_config(document: Mapping[str, Any], *, folder: Path, data_root: Path | None = None) -> TrainingConfig:
    """Build the configuration from a parsed TOML document; relative paths are resolved against ``folder``."""
    values = dict(document)
    network = _network(values.pop("network", {}))
    losses = _losses(values.pop("losses", {}))
    tables = values.pop("data", None)
    read = _section(TrainingConfig, values, "", skip=("network", "manifest", "losses"))
    for key in ("init", "teacher", "data_root"):
        if read.get(key) is not None:
            read[key] = folder / read[key]
    if data_root is not None:
        read["data_root"] = data_root
    manifest = Manifest.from_tables(tables, root=read.get("data_root") or folder)
    config = TrainingConfig(network=network, losses=losses, manifest=manifest, **read)
    if not config.steps and not config.minutes:
        raise TrainingError("the run has no length", hint="set steps, minutes or both")
    return config


def _network(table: Any) -> NetworkConfig:
    if not isinstance(table, Mapping):
        raise TrainingError("network must be a table")
    overrides = dict(table)
    name = overrides.pop("name", "tita-lite")
    known = {f.name for f in fields(NetworkConfig)} - {"variant"}
    for key in overrides:
        if key not in known:
            raise TrainingError(f"unknown key network.{key}", hint=f"known: name, {', '.join(sorted(known))}")
    try:
        return NetworkConfig.from_dict(NetworkConfig.from_name(name).to_dict() | overrides)
    except ModelError as error:
        raise TrainingError(f"[network]: {error.message}", hint=error.hint) from error


def _losses(table: Any) -> Losses:
    if not isinstance(table, Mapping):
        raise TrainingError("losses must be a table")
    options = dict(table)
    recipe = options.pop("recipe", Losses().recipe)
    if not isinstance(recipe, str):
        raise TrainingError(f"losses.recipe must be a string, not {recipe!r}")
    return Losses(recipe, options)


def _section(cls: type, table: Mapping[str, Any], prefix: str, *, skip: tuple[str, ...] = ()) -> dict[str, Any]:
    """Check ``table`` against the fields of the dataclass ``cls`` and return its keyword arguments."""
    hints = {name: hint for name, hint in get_type_hints(cls).items() if name not in skip}
    values: dict[str, Any] = {}
    for key, value in table.items():
        name = f"{prefix}{key}"
        if key not in hints:
            raise TrainingError(f"unknown key {name}", hint=f"known here: {', '.join(hints)}")
        hint = hints[key]
        if isinstance(hint, type) and is_dataclass(hint):
            if not isinstance(value, Mapping):
                raise TrainingError(f"{name} must be a table")
            values[key] = hint(**_section(hint, value, f"{name}."))
        else:
            values[key] = _value(name, value, hint)
    return values


def _value(name: str, value: Any, hint: Any) -> Any:
    """``value``, checked against the type ``hint`` and the range of ``name``."""
    if get_origin(hint) is Literal:
        if value not in get_args(hint):
            choices = ", ".join(f'"{choice}"' for choice in get_args(hint))
            raise TrainingError(f"{name} is {value!r}; it is one of {choices}")
        return value
    kinds = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    if any(get_origin(kind) is dict for kind in kinds) and isinstance(value, Mapping):
        return {key: _value(name, number, int) for key, number in value.items()}
    if get_origin(hint) is tuple and isinstance(value, list) and value:
        return tuple(_value(name, number, int) for number in value)
    if hint is bool and isinstance(value, bool):
        return value
    if isinstance(value, bool) or not isinstance(value, str if str in kinds or Path in kinds else (int, float)):
        raise TrainingError(f"{name} has a value of the wrong type: {value!r}")
    if int in kinds and not isinstance(value, int):
        raise TrainingError(f"{name} must be an integer, not {value!r}")
    low, high = _RANGES.get(name, (float("-inf"), float("inf")))
    if not isinstance(value, str) and not low <= value <= high:
        raise TrainingError(f"{name} must lie between {low:g} and {high:g}, not {value!r}")
    return value

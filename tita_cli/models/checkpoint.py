"""Checkpoints: ours (safetensors, the configuration in the header) and the authors' ``.pth``.

A model file is untrusted. Ours holds tensors and text only; a ``.pth`` is unpickled with ``weights_only=True``, which
executes nothing. Keys and shapes must match exactly, values must be numbers.
"""

from __future__ import annotations

import json
import os
import pickle
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor

from tita_cli.errors import ModelError, parsing
from tita_cli.files import open_input, parse_json
from tita_cli.models.authors import config_from_authors, rename_authors
from tita_cli.network import NetworkConfig, build_network

FORMAT = "tita-1"
HINT = "tita reads its own .safetensors, exported .onnx files and the TITA authors' .pth checkpoints"


class Checkpoint(NamedTuple):
    """A loaded network (eval mode, fp32, CPU), its sizes, and what its header says of its making."""

    network: Any
    config: NetworkConfig
    info: dict[str, str]


def save_network(
    path: str | os.PathLike[str],
    state: Mapping[str, Tensor],
    config: NetworkConfig,
    info: Mapping[str, str] | None = None,
) -> None:
    """Write ``state`` with its configuration and ``info`` (recipe, seed, commit …) to a safetensors file.

    The file appears whole or not at all. Raises ``OutputError``.
    """
    from tita_cli.images.atomic import atomic_output

    header = {"format": FORMAT, "config": json.dumps(config.to_dict(), sort_keys=True), **(info or {})}
    tensors = {name: t.detach().to("cpu", torch.float32).contiguous() for name, t in state.items()}
    with atomic_output(path, overwrite=True) as stream:
        stream.write(save(tensors, metadata=header))


def load_network(path: str | os.PathLike[str]) -> Checkpoint:
    """Load a network from our safetensors or the authors' ``.pth``, whichever the file is.

    Raises ``ModelError`` for a file that is missing, truncated, foreign, of the wrong shape, or that holds anything but
    tensors of finite numbers.
    """
    path = Path(path)
    if not path.is_file():
        raise ModelError(f"{path}: no such model file", hint="tita models lists what is there")
    try:
        with path.open("rb") as stream:
            magic = stream.read(16)
    except OSError as error:
        raise ModelError(f"{path}: cannot read the model: {error.strerror}") from error
    # A safetensors file starts with the length of its JSON header, whose first byte may be a pickle's 0x80.
    if magic[8:9] != b"{" and (magic[:2] == b"PK" or magic[:1] == b"\x80"):
        state, config, info = _read_authors(path)
    else:
        state, config, info = _read_ours(path)
    return Checkpoint(_assemble(path, state, config), config, info)


def _read_ours(path: Path) -> tuple[dict[str, Tensor], NetworkConfig, dict[str, str]]:
    with parsing(str(path), ModelError, hint=HINT), safe_open(path, framework="pt") as file:
        info = dict(file.metadata() or {})
        state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    if info.pop("format", None) != FORMAT or "config" not in info:
        raise ModelError(f"{path}: a safetensors file, but not one of tita's", hint=HINT)
    with parsing(f"{path}: the configuration in its header", ModelError):
        values = parse_json(info.pop("config"))
        if not isinstance(values, dict):
            raise ValueError("not an object")
    return state, NetworkConfig.from_dict(values), info


def _read_authors(path: Path) -> tuple[dict[str, Tensor], NetworkConfig, dict[str, str]]:
    with warnings.catch_warnings(), parsing(str(path), ModelError, hint=HINT):
        warnings.simplefilter("ignore")  # of unusual pickles, which are refused below with a line of our own
        try:
            with open_input(path) as file:  # which takes no memory for lengths that are only stated
                content: Any = torch.load(file, map_location="cpu", weights_only=True)
        except pickle.UnpicklingError as error:
            raise ModelError(
                f"{path}: refused, because it holds more than tensors and nothing in a model file is ever executed",
                hint=HINT,
            ) from error
        state = rename_authors(path, content)
        config = config_from_authors(path, state)
    return state, config, {"origin": "converted from the TITA authors' layout"}


def _check_plain(path: Path, state: Mapping[str, Tensor]) -> None:
    """Raise ``ModelError`` for tensors that are more, or less, than an array of numbers in memory."""
    for name, tensor in state.items():
        plain = tensor.layout is torch.strided and tensor.device.type == "cpu"
        if not plain or tensor.is_nested or tensor.is_quantized:
            raise ModelError(f"{path}: tensor {name} is no plain array of numbers", hint=HINT)


def _assemble(path: Path, state: Mapping[str, Tensor], config: NetworkConfig) -> Any:
    # Before anything is built that a header of a few bytes asks for. Not on PyTorch's "meta" device, which takes no
    # memory for tensors but 130 MB and most of a second for what it imports.
    _check_plain(path, state)
    blocks = 2 * config.extract + 2 * sum(config.fuse) + config.reconstruct
    # By what is stored, not by shapes: a tensor may repeat one number as often as it likes.
    stored = {storage.data_ptr(): storage.nbytes() for storage in (t.untyped_storage() for t in state.values())}
    if blocks * config.dim**2 > sum(stored.values()):
        raise ModelError(f"{path}: holds too few numbers for the network that its header describes", hint=HINT)
    network = build_network(config)
    expected = network.state_dict()
    missing, foreign = sorted(set(expected) - set(state)), sorted(set(state) - set(expected))
    if missing or foreign:
        name, what = (missing[0], "missing") if missing else (foreign[0], "unknown")
        raise ModelError(
            f"{path}: {len(missing)} tensors missing, {len(foreign)} unknown, the first: {name} ({what})", hint=HINT
        )
    for name, tensor in state.items():
        if tensor.shape != expected[name].shape:
            shapes = f"{tuple(tensor.shape)} instead of {tuple(expected[name].shape)}"
            raise ModelError(f"{path}: tensor {name} has shape {shapes}", hint=HINT)
        if not tensor.is_floating_point() or not bool(torch.isfinite(tensor).all()):
            raise ModelError(
                f"{path}: tensor {name} holds values that are no finite numbers", hint="the file is damaged"
            )
    network.load_state_dict({name: t.float() for name, t in state.items()}, strict=True)
    return network.eval()

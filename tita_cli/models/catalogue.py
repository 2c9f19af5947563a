"""The models on this machine, and what their files say of themselves. Loads neither torch nor ONNX Runtime."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any, Literal, TypeAlias

from tita_cli.errors import ModelError, parsing
from tita_cli.files import parse_json
from tita_cli.models.find import SUFFIXES, expected_hash, file_hash, shipped_models, user_folder

Origin: TypeAlias = Literal["shipped", "user", "cached"]


@dataclass(frozen=True, slots=True)
class ModelFile:
    """One file of a model.

    ``about``: provenance as its header states it (recipe, steps, seed, precision …); empty for formats that hold none.
    ``problem``: why it cannot be used, or None.
    """

    path: Path
    size: int
    sha256: str
    about: dict[str, Any] = field(default_factory=dict)
    problem: str | None = None

    def describe(self) -> dict[str, Any]:
        """Fit for JSON."""
        values = asdict(self)
        return {"path": str(values.pop("path")), "bytes": values.pop("size"), **values}


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """A model by the name that ``--model`` takes, where it comes from, and its files in the order of preference.

    What is cached (engines that a provider built for one GPU) has a name but is chosen by tita, not by ``--model``.
    """

    name: str
    origin: Origin
    files: tuple[ModelFile, ...]

    def describe(self) -> dict[str, Any]:
        """Fit for JSON."""
        return {"name": self.name, "origin": self.origin, "files": [file.describe() for file in self.files]}


def list_models() -> list[ModelEntry]:
    """All models that can be named, the shipped ones first, and then what is cached."""
    shipped = [_entry(name, "shipped", model.files) for name, model in shipped_models().items()]
    return [*shipped, *_users(), *_cached()]


def _users() -> Iterator[ModelEntry]:
    folder = user_folder()
    paths = [path for path in folder.iterdir() if path.suffix in SUFFIXES and path.is_file()] if folder.is_dir() else []
    for name, files in groupby(sorted(paths, key=lambda p: (p.stem, SUFFIXES.index(p.suffix))), lambda p: p.stem):
        yield _entry(name, "user", files)


def _cached() -> Iterator[ModelEntry]:
    import platformdirs

    folder = Path(platformdirs.user_cache_dir("tita"))
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        yield _entry(str(path.relative_to(folder)), "cached", [path])


def _entry(name: str, origin: Origin, paths: Iterable[Path]) -> ModelEntry:
    return ModelEntry(name, origin, tuple(_examined(path) for path in paths))


def _examined(path: Path) -> ModelFile:
    try:
        size, digest = path.stat().st_size, file_hash(path)
    except OSError as error:
        return ModelFile(path, 0, "", problem=f"cannot be read: {error.strerror}")
    if expected_hash(path) not in (None, digest):
        return ModelFile(path, size, digest, problem="damaged: its SHA-256 is not the one in SHA256SUMS")
    try:
        return ModelFile(path, size, digest, about=_about(path))
    except ModelError as error:
        return ModelFile(path, size, digest, problem=error.message)


def _about(path: Path) -> dict[str, Any]:
    if path.suffix == ".onnx":
        from tita_cli.models.onnx_file import OnnxFile

        return {key: _plain(value) for key, value in OnnxFile(path).about.items()}
    if path.suffix == ".safetensors":
        from safetensors import safe_open

        with parsing("its header", ModelError), safe_open(path, framework="np") as file:
            found = file.metadata() or {}
        return {key: _plain(value) for key, value in found.items()}
    return {}


def _plain(text: str) -> Any:
    """Headers hold strings only; a configuration among them is JSON."""
    try:
        return parse_json(text) if text.startswith("{") else text
    except ValueError:
        return text

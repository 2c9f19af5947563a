"""Where models come from: a shipped name or a file. Nothing is ever fetched."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tita_cli.errors import ModelError

SUFFIXES = (".onnx", ".safetensors", ".pth")
"""Model files that tita reads; of a shipped name's files the first is what the CPU runs by default."""
SUMS = "SHA256SUMS"


@dataclass(frozen=True, slots=True)
class ShippedModel:
    """A model of the package: its name and its files, one a format."""

    name: str
    files: tuple[Path, ...]

    def file(self, suffix: str) -> Path | None:
        """The file in one format (".onnx", ".safetensors"), if the package has it."""
        return next((path for path in self.files if path.suffix == suffix), None)


def weights_folder() -> Path | None:
    """Where the shipped weights lie: inside the installed package, or ``weights/`` of a checkout."""
    package = Path(__file__).resolve().parents[1]
    return next((p for p in (package / "weights", package.parent / "weights") if (p / SUMS).is_file()), None)


def shipped_models() -> dict[str, ShippedModel]:
    """The models that came with tita, by name. Empty where the package was built without weights."""
    folder = weights_folder()
    if folder is None:
        return {}
    names: dict[str, list[Path]] = {}
    for file in sorted(_sums(folder), key=lambda name: (SUFFIXES.index(Path(name).suffix), name)):
        names.setdefault(Path(file).stem, []).append(folder / file)
    return {name: ShippedModel(name, tuple(files)) for name, files in sorted(names.items())}


def user_folder() -> Path:
    """Where users keep models of their own, to call them by name."""
    import platformdirs

    return Path(platformdirs.user_data_dir("tita")) / "models"


def find_model(name: str | os.PathLike[str], *, suffix: str | None = None) -> Path:
    """The file of a model's name, shipped or in the user's folder, or of a path.

    ``suffix`` asks for one format of a named model, where it is there in several. A shipped file's hash is checked (a
    truncated download must not load as garbage). Raises ``ModelError`` for a name that is neither, or a damaged file.
    """
    shipped = shipped_models()
    if isinstance(name, str) and name in shipped:
        model = shipped[name]
        path = model.file(suffix) if suffix else model.files[0]
        if path is None:
            raise ModelError(
                f"{name} is not shipped as {suffix}", hint=f"there is {_listed(p.name for p in model.files)}"
            )
        _verify(path)
        return path
    path = Path(name)
    if path.is_file():
        return path
    if own := _own_file(str(name), suffix):
        return own
    hint = (
        f"shipped models: {_listed(shipped)}; tita models lists all"
        if shipped
        else "name a model file; this installation ships no weights"
    )
    if path.suffix or len(path.parts) > 1:
        raise ModelError(f"{path}: no such model file", hint=hint)
    raise ModelError(f"{path}: neither a known model nor a file", hint=hint)


def _own_file(name: str, suffix: str | None) -> Path | None:
    """A file in the user's folder."""
    if Path(name).name != name:
        return None
    suffixes = [suffix, *SUFFIXES] if suffix else SUFFIXES
    paths = (user_folder() / f"{name}{ending}" for ending in suffixes)
    return next((path for path in paths if path.is_file()), None)


def expected_hash(path: Path) -> str | None:
    """The SHA-256 that SHA256SUMS beside a file states for it, if any."""
    return _sums(path.parent).get(path.name) if (path.parent / SUMS).is_file() else None


def is_shipped(path: Path) -> bool:
    """Whether a file came with tita and is as it was made."""
    return path.parent == weights_folder() and file_hash(path) == expected_hash(path)


@cache
def file_hash(path: Path) -> str:
    """The SHA-256 of a file, read once a process."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _verify(path: Path) -> None:
    try:
        actual = file_hash(path)
    except OSError as error:
        raise ModelError(f"{path}: cannot read the model: {error.strerror}", hint="reinstall tita") from error
    if actual != expected_hash(path):
        raise ModelError(f"{path}: damaged: its SHA-256 is not the one in {SUMS}", hint="reinstall tita")


def _sums(folder: Path) -> dict[str, str]:
    """``SHA256SUMS`` as ``sha256sum`` writes it: {file: hash} of the model files in it."""
    try:
        lines = (folder / SUMS).read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(f"{folder / SUMS}: cannot be read", hint="reinstall tita") from error
    pairs = (words for line in lines if len(words := line.split(maxsplit=1)) == 2)
    return {name.strip().lstrip("*"): digest for digest, name in pairs if Path(name.strip()).suffix in SUFFIXES}


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)

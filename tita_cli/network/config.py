"""The sizes of a network, as they stand in the header of a checkpoint. Light: imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any

from tita_cli.errors import ModelError


@cache
def variants() -> tuple[str, ...]:
    """The variants that there are: a file ``tita….py`` in this folder each, ``tita_lite.py`` for "tita-lite"."""
    files = Path(__file__).parent.glob("tita*.py")
    return tuple(sorted(f.stem.replace("_", "-") for f in files))


@dataclass(frozen=True, slots=True)
class NetworkConfig:
    """Sizes of a TITA network; the defaults are the paper's.

    ``variant``: one of :func:`variants`.
    ``dim``: channels C. ``heads``: h. ``extract``, ``fuse``, ``reconstruct``: Swin or cross blocks a stage.
    ``drop_path``: stochastic depth while training. ``ipa``, ``oaf_weighted``: False only in ablations.
    """

    variant: str = "tita"
    dim: int = 60
    heads: int = 6
    extract: int = 4
    fuse: tuple[int, ...] = (4, 4)
    reconstruct: int = 4
    drop_path: float = 0.1
    ipa: bool = True
    oaf_weighted: bool = True

    def __post_init__(self) -> None:
        depths = (self.extract, *self.fuse, self.reconstruct)
        if self.variant not in variants():
            raise ModelError(f"unknown network variant {self.variant!r}", hint=f"known: {', '.join(variants())}")
        if self.dim < 4 or self.heads < 1 or self.dim % self.heads or self.dim % 4:
            raise ModelError(f"a network of {self.dim} channels and {self.heads} heads cannot be built")
        if self.dim > 1024 or not all(1 <= depth <= 64 for depth in depths) or not 1 <= len(self.fuse) <= 16:
            raise ModelError("the network's sizes in this checkpoint are out of all proportion")

    @classmethod
    def from_name(cls, name: str, **overrides: Any) -> NetworkConfig:
        """The shipped configuration of a variant, with some fields changed."""
        from tita_cli.network import network_class

        return cls(**{"variant": name, **network_class(name).sizes, **overrides})

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> NetworkConfig:
        """The inverse of :meth:`to_dict`; unknown or mistyped fields are a ``ModelError``."""
        known = {f.name: f for f in fields(cls)}
        unknown = sorted(set(values) - set(known))
        if unknown:
            raise ModelError(f"the checkpoint's configuration has unknown fields: {', '.join(unknown)}")
        clean = dict(values)
        if isinstance(clean.get("fuse"), list):
            clean["fuse"] = tuple(clean["fuse"])
        defaults = cls()
        for name, value in clean.items():
            expected = type(getattr(defaults, name))
            if type(value) is not expected and not (expected is float and type(value) is int):
                raise ModelError(f"the checkpoint's configuration has a bad value for {name}: {value!r}")
        if not all(type(depth) is int for depth in clean.get("fuse", ())):
            raise ModelError(f"the checkpoint's configuration has a bad value for fuse: {clean['fuse']!r}")
        return cls(**clean)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, fit for JSON and TOML."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}

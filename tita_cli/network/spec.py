"""What a network declares of itself, so that others can run it without knowing its variant. Light: imports no torch."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from typing import Any

from tita_cli.errors import ModelError, parsing
from tita_cli.files import parse_json

WINDOW = 8
"""Tokens to the side of an attention window."""
MERGE_REACH = 2
"""Tokens that OAF's operations see to each side: a 3×3 kernel that a 3×3 convolution predicts."""
WEIGHTS = 6
"""OAF's, for a pair."""
KINDS = ("pair", "set")
_LIMIT = 1024
"""Of any number: a file may claim anything."""


@dataclass(frozen=True, slots=True)
class Stage:
    """Transformer blocks that follow each other.

    ``shifts``: each block's cyclic shift of the windows, in tokens. ``joint``: a block works on the maps of all sources
    together; otherwise every map has blocks of its own.
    """

    name: str
    shifts: tuple[int, ...]
    joint: bool = False

    @classmethod
    def of(cls, name: str, depth: int, joint: bool = False) -> Stage:
        """``depth`` blocks, every second one shifted by half a window."""
        return cls(name, tuple((i % 2) * (WINDOW // 2) for i in range(depth)), joint)


@dataclass(frozen=True, slots=True)
class Spec:
    """What a network is made of.

    ``kind``: "pair" takes two images and merges their features with OAF, "set" any number of them and says what each
    gives to which level of a pyramid; it runs as one graph. ``dim``: channels. ``token``: pixels to a token's side.

    The steps of a pair: shallow convolutions · ``encoder`` stages · global pooling, of which OAF's weights are made ·
    merging · ``decoder`` stages · head. ``shallow_reach``, ``head_reach``: pixels that these convolutions see to each
    side.
    """

    kind: str
    variant: str
    dim: int
    token: int
    encoder: tuple[Stage, ...]
    decoder: tuple[Stage, ...]
    shallow_reach: int
    head_reach: int

    @classmethod
    def from_json(cls, text: str) -> Spec:
        """The inverse of :meth:`to_json`. Raises ``ModelError`` for anything that no network declares."""
        with parsing("the description of the network", ModelError, hint="export it again"):
            fields: dict[str, Any] = parse_json(text)
            for name in ("encoder", "decoder"):
                fields[name] = tuple(Stage(str(s["name"]), tuple(s["shifts"]), bool(s["joint"])) for s in fields[name])
            spec = cls(**fields)
            if not spec._is_sound():
                raise ValueError(text)
        return spec

    def to_json(self) -> str:
        return json.dumps(asdict(self), sort_keys=True)

    def _is_sound(self) -> bool:
        numbers = (self.dim, self.token, self.shallow_reach, self.head_reach)
        stages = self.encoder + self.decoder
        return (
            self.kind in KINDS
            and isinstance(self.variant, str)
            and all(type(number) is int and 0 <= number <= _LIMIT for number in numbers)
            and min(self.dim, self.token) > 0
            and 0 < len(self.encoder) <= _LIMIT
            and 0 < len(self.decoder) <= _LIMIT
            and not any(stage.joint for stage in self.decoder)
            and all(re.fullmatch(r"\w+", stage.name) for stage in stages)
            and all(0 < len(stage.shifts) <= _LIMIT for stage in stages)
            and all(shift in (0, WINDOW // 2) for stage in stages for shift in stage.shifts)
        )

    @property
    def sources(self) -> int:
        """The fewest images that the network takes at once: for a pair, the only number."""
        return 2

    @property
    def multiple(self) -> int:
        """Pixels to a window's side: images are padded to multiples of it."""
        return self.token * WINDOW

    @property
    def shallow_halo(self) -> int:
        """Tokens around a part that the shallow convolutions see."""
        return _ceil(self.shallow_reach, self.token)

    @property
    def head_halo(self) -> int:
        """Tokens around a part that the head sees."""
        return _ceil(self.head_reach, self.token)

    @property
    def encode_halo(self) -> int:
        """Windows around a tile within which its features come out exactly."""
        return _ceil(self.shallow_halo + _receptive_field(0, self.encoder), WINDOW)

    @property
    def decode_halo(self) -> int:
        """Windows of exact features around a tile within which its result comes out exactly."""
        return _ceil(MERGE_REACH + _receptive_field(self.head_halo, self.decoder), WINDOW)


def _receptive_field(tokens: int, stages: tuple[Stage, ...]) -> int:
    """How far stages see when what follows them sees ``tokens``: every block as far as the edge of its windows."""
    for stage in reversed(stages):
        for shift in reversed(stage.shifts):
            tokens += (shift - tokens) % WINDOW
    return tokens


def _ceil(length: int, step: int) -> int:
    return -(-length // step)

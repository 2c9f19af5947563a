"""What the engine has to know of a network's geometry to cut an image: steps, reaches, halos. Light: no torch."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from tita_cli.engine.windows import WINDOW
from tita_cli.errors import ModelError
from tita_cli.network.config import FIRST_TONES, TONES

if TYPE_CHECKING:
    from tita_cli.network.lite import TitaLite
    from tita_cli.network.tita import Tita

_MOST = 1024
"""Of anything: a file may say what it likes."""
MERGE_REACH = 2
"""Tokens that OAF's operations see: a 3×3 kernel that a 3×3 convolution predicts."""


@dataclass(frozen=True, slots=True)
class Geometry:
    """A network's geometry.

    ``variant``, ``dim``: name and channels. ``multiple``: pixels to a window's side; images are padded to it.
    ``has_gate``: the network blends its sources. ``extract``, ``fuse``, ``reconstruct``: each block's shift, in tokens.
    ``shallow_reach``, ``paint_reach``: pixels that the layers before and behind the blocks see to each side;
    ``head_reach``: of the latter, without the vote of the gate; ``lift_reach``, ``blend_reach``: what is left of the
    first and of the head's, given the sources' detail (``tita_cli.engine.detail``).
    ``guidance``: how many numbers the network's ``weigh`` gives, OAF's six first; ``tones``: how many of the sources'
    tones it sees, the first ones: a file may have been exported when there were fewer. ``heeds``: whether the
    third last of the guidance says how far what is salient is heeded; older files have nothing of the kind.
    """

    variant: str
    dim: int
    multiple: int
    has_gate: bool
    extract: tuple[int, ...]
    fuse: tuple[int, ...]
    reconstruct: tuple[int, ...]
    shallow_reach: int
    paint_reach: int
    head_reach: int
    lift_reach: int
    blend_reach: int
    guidance: int
    tones: int
    heeds: bool = False

    @classmethod
    def of(cls, network: Tita | TitaLite) -> Geometry:
        """The geometry of a network."""
        config = network.config
        return cls(
            variant=config.variant,
            dim=config.dim,
            multiple=network.multiple,
            has_gate=config.variant == "tita-lite",
            extract=_shifts(config.extract),
            fuse=tuple(shift for depth in config.fuse for shift in _shifts(depth)),
            reconstruct=_shifts(config.reconstruct),
            shallow_reach=network.shallow_reach,
            paint_reach=network.paint_reach,
            head_reach=network.head_reach,
            lift_reach=network.lift_reach,
            blend_reach=network.blend_reach,
            guidance=network.guidance,
            tones=TONES if config.variant == "tita-lite" else 0,
            heeds=config.variant == "tita-lite",
        )

    @classmethod
    def from_json(cls, text: str) -> Geometry:
        """The inverse of :meth:`to_json`. Raises ``ModelError``."""
        try:
            fields: dict[str, Any] = json.loads(text)
            for stage in ("extract", "fuse", "reconstruct"):
                fields[stage] = tuple(fields[stage])
            geometry = cls(**fields)
            geometry._check()
        except (ValueError, TypeError, KeyError) as error:
            raise ModelError("the model's geometry cannot be read", hint="export it again") from error
        return geometry

    def _check(self) -> None:
        """Raise ``ValueError`` where the numbers are none that a network has."""
        reaches = (self.shallow_reach, self.paint_reach, self.head_reach, self.lift_reach, self.blend_reach)
        sound = (
            isinstance(self.variant, str)
            and isinstance(self.has_gate, bool)
            and isinstance(self.heeds, bool)
            and self.heeds <= self.has_gate
            and all(type(number) is int for number in (self.dim, self.multiple, *reaches))
            and 0 < self.dim <= _MOST
            and 0 < self.multiple <= _MOST
            and self.multiple % WINDOW == 0
            and all(0 <= reach <= _MOST for reach in reaches)
            and type(self.guidance) is int
            and 6 <= self.guidance <= _MOST
            and self.tones in ((FIRST_TONES, TONES) if self.has_gate else (0,))
            and all(0 < len(stage) <= _MOST for stage in (self.extract, self.fuse, self.reconstruct))
            and all(shift in (0, WINDOW // 2) for shift in self.extract + self.fuse + self.reconstruct)
        )
        if not sound:
            raise ValueError

    def to_json(self) -> str:
        """For an exported file's metadata."""
        fields: dict[str, Any] = asdict(self)
        return json.dumps(fields, sort_keys=True)

    @property
    def patch(self) -> int:
        """Pixels to a token's side."""
        return self.multiple // WINDOW

    @property
    def shallow_halo(self) -> int:
        """Tokens around what the first layers are run on."""
        return _ceil(self.shallow_reach, self.patch)

    @property
    def lift_halo(self) -> int:
        """Tokens around what the first layers are run on, given contrast."""
        return _ceil(self.lift_reach, self.patch)

    @property
    def paint_halo(self) -> int:
        """Tokens around what the last layers are run on."""
        return _ceil(self.paint_reach, self.patch)

    @property
    def head_halo(self) -> int:
        """The same without the vote of the gate."""
        return _ceil(self.head_reach, self.patch)

    @property
    def blend_halo(self) -> int:
        """Tokens around what the head is run on, given detail."""
        return _ceil(self.blend_reach, self.patch)

    @property
    def encode_halo(self) -> int:
        """Windows around a tile within which its features come out exactly."""
        return _ceil(self.shallow_halo + _reach(0, self.extract + self.fuse), WINDOW)

    @property
    def decode_halo(self) -> int:
        """Windows of exact features around a tile within which its picture comes out exactly."""
        return _ceil(MERGE_REACH + _reach(self.paint_halo, self.reconstruct), WINDOW)


def _shifts(depth: int) -> tuple[int, ...]:
    return tuple((i % 2) * (WINDOW // 2) for i in range(depth))


def _reach(tokens: int, blocks: tuple[int, ...]) -> int:
    """How far blocks of these shifts see, when what follows sees ``tokens``: each to the edge of a window."""
    for shift in reversed(blocks):
        tokens += (shift - tokens) % WINDOW
    return tokens


def _ceil(length: int, step: int) -> int:
    return -(-length // step)

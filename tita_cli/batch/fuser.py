"""The interface between runner and fuser, and the fuser that uses ``tita_cli.api``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from tita_cli.batch.jobs import Job

if TYPE_CHECKING:
    from tita_cli.api import Fusion
    from tita_cli.fusion.source import SourceLike
    from tita_cli.images import Written
    from tita_cli.runtime import AnyEngine

# More sources than this are read when the fusion needs them, so that a long stack is never in memory as a whole.
_READ_AHEAD = 3


class Lane(Protocol):
    """An engine, used by one thread."""

    def fuse(self, job: Job, decoded: Any) -> Any: ...


class Fuser(Protocol):
    """Turns jobs into files in three steps, each of which may run in parallel with steps of other jobs."""

    def open_lane(self) -> Lane:
        """Load an engine. Raises ModelError, DeviceError."""
        ...

    def decode(self, job: Job) -> Any:
        """Read the sources. Raises InputError."""
        ...

    def encode(self, job: Job, fused: Any, *, overwrite: bool) -> Mapping[str, Any]:
        """Write the result to ``job.target``; return its data for the journal. Raises OutputError."""
        ...


@dataclass(frozen=True, slots=True)
class FuserOptions:
    """How to fuse.

    ``fuse`` goes to :func:`tita_cli.api.fuse`, ``write`` to :func:`tita_cli.write_picture`: both change the result.
    ``engine`` goes to :func:`tita_cli.runtime.load_engine`: where it runs, which does not.
    """

    model: str
    fuse: Mapping[str, Any]
    write: Mapping[str, Any]
    engine: Mapping[str, Any]

    @property
    def deciding(self) -> dict[str, Any]:
        """Options that change the result, as the journal hashes them."""
        return {"fuse": dict(self.fuse), "write": dict(self.write)}


class ApiFuser:
    """Fuses with the network."""

    def __init__(self, options: FuserOptions) -> None:
        self._options = options

    def open_lane(self) -> _ApiLane:
        from tita_cli.runtime import load_engine

        return _ApiLane(load_engine(self._options.model, **self._options.engine), self._options)

    def decode(self, job: Job) -> list[SourceLike]:
        from tita_cli.images import read_picture

        if len(job.sources) > _READ_AHEAD:
            return list(job.sources)
        how = {name: self._options.fuse.get(name) for name in ("page", "max_pixels")}
        return [read_picture(source, **how) for source in job.sources]

    def encode(self, job: Job, fused: Fusion, *, overwrite: bool) -> Mapping[str, Any]:
        job.target.parent.mkdir(parents=True, exist_ok=True)
        written = fused.save(job.target, overwrite=overwrite, **self._options.write)
        return describe_fusion(fused, written)


class _ApiLane:
    def __init__(self, engine: AnyEngine, options: FuserOptions) -> None:
        self._engine = engine
        self._options = options

    def fuse(self, job: Job, decoded: list[SourceLike]) -> Fusion:
        from tita_cli.api import fuse

        # The result follows the reference, which in a bracket is the middle exposure, unless the user says otherwise.
        follow = {"metadata": job.group.reference, "reference": job.group.reference}
        return fuse(decoded, model=self._options.model, engine=self._engine, **{**follow, **self._options.fuse})


def describe_fusion(fusion: Fusion, written: Written) -> dict[str, Any]:
    """The data of a fusion for the journal.

    ``weights``: OAF's three for every source of every step.
    """
    return {
        "width": fusion.picture.width,
        "height": fusion.picture.height,
        "depth": written.depth,
        "format": written.format,
        "weights": [[[round(w, 6) for w in source.values] for source in step.sources] for step in fusion.steps],
        "align": [placement.describe() for placement in fusion.placements],
        "notes": [*fusion.notes, *written.notes],
        "engine": fusion.engine,
    }

"""The interface between runner and fuser, and the fuser that uses ``tita_cli.api``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

from tita_cli.batch.jobs import Job
from tita_cli.options import FuseOptions

if TYPE_CHECKING:
    from tita_cli.api import Fusion
    from tita_cli.fusion.source import SourceLike
    from tita_cli.images import Written
    from tita_cli.runtime import AnyEngine

# More sources than this are read when the fusion needs them, so that a long stack is never in memory as a whole; and
# the pictures of one file, of which the fusion knows how they belong together.
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
    """How to fuse, and the format of the results, where None is that of the reference source; and its quality."""

    fuse: FuseOptions
    format: str | None = None
    quality: int | None = None

    @property
    def deciding(self) -> dict[str, Any]:
        """Options that change the result, as the journal hashes them."""
        return {**self.fuse.deciding(), "format": self.format, "quality": self.quality}


class ApiFuser:
    """Fuses with the network."""

    def __init__(self, options: FuserOptions) -> None:
        self._options = options

    def with_model(self, model: str) -> ApiFuser:
        """The same with another model file."""
        return ApiFuser(replace(self._options, fuse=self._options.fuse.changed(model=model)))

    def model_hash(self) -> str:
        """The SHA-256 of the model's file. Raises ModelError."""
        from tita_cli.models.find import file_hash, find_model

        return file_hash(find_model(self._options.fuse.model))

    def open_lane(self) -> Lane:
        from tita_cli import api  # noqa: F401  (now, rather than by several threads at the first picture)
        from tita_cli.runtime import load_engine

        how = self._options.fuse
        return _ApiLane(load_engine(how.model, **how.engine_settings()), how)

    def decode(self, job: Job) -> list[SourceLike]:
        from tita_cli.files import file_of, split_page
        from tita_cli.files.remote import prefetch
        from tita_cli.images import read_picture

        prefetch(file_of(source) for source in job.sources)
        if not 1 < len(job.sources) <= _READ_AHEAD or any(split_page(source)[1] for source in job.sources):
            return list(job.sources)
        how = self._options.fuse
        return [read_picture(source, max_pixels=how.max_pixels) for source in job.sources]

    def encode(self, job: Job, fused: Fusion, *, overwrite: bool) -> Mapping[str, Any]:
        from tita_cli.images.atomic import make_folder

        make_folder(job.target.parent)
        written = fused.save(
            job.target, overwrite=overwrite, format=self._options.format, depth=self._options.fuse.depth,
            quality=self._options.quality,
        )  # fmt: skip
        return describe_fusion(fused, written)


class _ApiLane:
    def __init__(self, engine: AnyEngine, options: FuseOptions) -> None:
        self._engine = engine
        self._options = options

    def fuse(self, job: Job, decoded: list[SourceLike]) -> Fusion:
        from tita_cli.api import fuse

        # The result follows the reference, which in a bracket is the middle exposure, unless the user says otherwise.
        how, found = self._options, job.group.reference
        # Pairing names a reference of brackets only; of a focus stack alignment chooses it.
        reference = found if how.reference is None else how.reference
        return fuse(decoded, options=how, engine=self._engine, reference=reference)


def describe_fusion(fusion: Fusion, written: Written) -> dict[str, Any]:
    """The data of a fusion for the journal.

    ``weights``: OAF's three for every source of every step. ``parts``: of the picture, where each source gives the
    most, 0 for one that was left out; empty where the network does not say.
    """
    told = {source.name: source.part for step in fusion.steps for source in step.sources if source.part is not None}
    return {
        "width": fusion.picture.width,
        "height": fusion.picture.height,
        "depth": written.depth,
        "format": written.format,
        "weights": [[[round(w, 6) for w in source.values] for source in step.sources] for step in fusion.steps],
        "parts": [round(told.get(name, 0.0), 4) for name in fusion.sources] if told else [],
        "align": [placement.describe() for placement in fusion.placements],
        "notes": [*fusion.engine.get("notes", ()), *fusion.notes, *written.notes],
        "engine": fusion.engine,
    }

"""``fuse``, ``align_pictures`` and ``Session``: what a program calls, and what the commands call too."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from threading import Lock
from typing import TYPE_CHECKING, Any, NamedTuple

from tita_cli.errors import InputError, UsageError
from tita_cli.fusion.finish import finish, winner_map
from tita_cli.fusion.plan import Plan
from tita_cli.fusion.progress import Progress, silent
from tita_cli.fusion.result import Fusion
from tita_cli.fusion.scale_bar import with_scale_bar
from tita_cli.fusion.source import Source, SourceLike, describe_sources
from tita_cli.fusion.strategy import choose_strategy
from tita_cli.fusion.thermal import asks_for_more, styled
from tita_cli.images.from_array import picture_of
from tita_cli.options import DEFAULT_MODEL, FuseOptions, Network, OptionError, PerSource, declared

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from tita_cli.align import Calibration, CalibrationLike, Placement
    from tita_cli.images import Picture
    from tita_cli.options.keywords import FuseKeywords, FusionKeywords
    from tita_cli.runtime import AnyEngine

__all__ = ["DEFAULT_MODEL", "Aligned", "FuseOptions", "Fusion", "Session", "align_pictures", "fuse"]


def fuse(
    *sources: SourceLike | Sequence[SourceLike],
    options: FuseOptions | None = None,
    engine: AnyEngine | Callable[[], AnyEngine] | None = None,
    progress: Progress = silent,
    **changes: Unpack[FuseKeywords],
) -> Fusion:
    """Fuse two or more images of one scene into one picture.

    ``sources``: one after the other or in one list: paths, open binary files, NumPy arrays (H×W or H×W×C), Pillow
    images, PyTorch tensors (H×W or C×H×W), earlier ``Fusion``s, ``Picture``s, or ``tita_cli.fusion.source.Source``s
    with facts of their own; of one size unless ``resize`` or alignment brings them to the reference's. A file given
    alone stands for the pictures that it holds (a z-stack, a radiometric JPEG). ``options``: see
    :class:`tita_cli.options.FuseOptions`, whose fields may be given as keywords too: ``fuse(a, b, align="none")``.
    ``engine``: one from ``load_engine`` to be used again, instead of ``device``, ``backend``, ``provider``, ``threads``
    and ``memory``; or a function that gives one when it is needed. ``progress``: told how far the fusion is, see
    ``tita_cli.fusion.progress``.

    Options of single sources (``value_range``, ``polarity``, ``role``, ``false_color``) take one value, or a mapping
    from indices (from 0), names or roles to values. The same images give the same picture in any order.
    Files are read as they are needed.

    Raises ``UsageError``, ``InputError``, ``MismatchError``, ``ModelError``, ``DeviceError``.
    """
    how = (options or FuseOptions()).changed(**changes)
    calibration = None if how.align_from is None else _calibration(how.align_from, how.align)
    described = _described(sources, how)
    reference, metadata = _numbers(how, len(described))
    load = _loading(engine, how)
    plan = Plan(
        described, align=how.align, reference=reference, border=how.border, calibration=calibration, resize=how.resize,
        deghost=how.deghost, still=how.reference, lead=metadata, options=how, threads=how.threads,
        progress=progress, roles_matter=asks_for_more(how), colored=how.palette is not None or how.overlay is not None,
    )  # fmt: skip
    fused = choose_strategy(load(), how.color, progress).fuse(plan)
    if asks_for_more(how):
        fused = styled(plan, fused, how)
    record = how.provenance() | ({} if calibration is None else {"align": calibration.name})
    bearer = None if how.metadata == "none" else plan.reference if metadata is None else metadata
    picture = finish(plan, fused, model=how.model, options=record, depth=how.depth, metadata=bearer)
    if how.scale_bar:
        picture = with_scale_bar(plan, picture, how)
    winners, names = winner_map(plan, fused), tuple(look.name for look in plan.looks)
    return Fusion(picture, fused.steps, load().describe(), plan.notes, winners, plan.placements, plan.summary, names)


class Aligned(NamedTuple):
    """What :func:`align_pictures` gives: the sources in one frame, where each lay, and what the user should know."""

    pictures: tuple[Picture, ...]
    placements: tuple[Placement, ...]
    notes: tuple[str, ...]


def align_pictures(
    *sources: SourceLike | Sequence[SourceLike], options: FuseOptions | None = None, **changes: Unpack[FuseKeywords]
) -> Aligned:
    """Bring images of one scene into the frame of the first, or of ``reference``, and fuse nothing.

    Takes what :func:`fuse` takes, and raises what it raises. Values are in 0..1, see ``value_range``.
    """
    how = (options or FuseOptions()).changed(**changes)
    calibration = None if how.align_from is None else _calibration(how.align_from, how.align)
    described = _described(sources, how)
    reference, _ = _numbers(how, len(described))
    plan = Plan(
        described, align=how.align, reference=reference, border=how.border, calibration=calibration, resize=how.resize,
        options=how, threads=how.threads,
    )  # fmt: skip
    pictures = tuple(plan.aligned(index) for index in range(len(described)))
    return Aligned(pictures, plan.placements, plan.notes)


class Session:
    """A network that is loaded once, for many fusions.

    ``options`` and ``changes`` hold for all of them, as in :func:`fuse`; those of the network (``model``, ``device``,
    ``backend``, ``provider``, ``memory``, ``threads``) can be given here only. Threads may share a session: fusions
    wait for one another. Raises ``ModelError``, ``DeviceError``, ``UsageError``.
    """

    def __init__(self, options: FuseOptions | None = None, **changes: Unpack[FuseKeywords]) -> None:
        from tita_cli.runtime import load_engine

        self.options = (options or FuseOptions()).changed(**changes)
        self._engine = load_engine(self.options.model, **self.options.engine_settings())
        self._turn = Lock()

    def fuse(self, *sources: SourceLike | Sequence[SourceLike], **changes: Unpack[FusionKeywords]) -> Fusion:
        """As :func:`fuse`, with the session's network."""
        fixed = [name for name in changes if name in declared(Network)]
        if fixed:
            raise UsageError(f"{fixed[0]} belongs to the whole session", hint="give it to Session(…)")
        with self._turn:
            return fuse(*sources, options=self.options, engine=self._engine, **changes)

    def describe(self) -> dict[str, Any]:
        """What runs: variant, back end, device, precision."""
        return self._engine.describe()


def _described(sources: Sequence[Any], how: FuseOptions) -> tuple[Source, ...]:
    """The sources as records, given one by one or in one list. Raises UsageError, InputError."""
    given = list(sources[0]) if len(sources) == 1 and isinstance(sources[0], (list, tuple)) else list(sources)
    for index, one in enumerate(given):
        if isinstance(one, (str, os.PathLike, Source)) or hasattr(one, "read"):
            continue
        picture = picture_of(one, f"<source {index + 1}>")
        if picture is None:
            raise InputError(
                f"source {index + 1} is of type {type(one).__name__}, which is no picture",
                hint="paths, open files, NumPy arrays, Pillow images, tensors and fusions are",
            )
        given[index] = picture
    return describe_sources(
        given,
        max_pixels=how.max_pixels,
        value_range=PerSource.of(how.value_range),
        polarity=PerSource.of(how.polarity),
        role=PerSource.of(how.role),
        false_color=PerSource.of(how.false_color),
    )


def _loading(engine: AnyEngine | Callable[[], AnyEngine] | None, how: FuseOptions) -> Callable[[], AnyEngine]:
    """What waits for the engine, which is loaded while the sources are read; raises what loading it raised."""
    if engine is None:
        from tita_cli.runtime.loading import load_ahead

        return load_ahead(how.model, **how.engine_settings())
    return engine if callable(engine) else lambda: engine


def _numbers(how: FuseOptions, count: int) -> tuple[int | None, int | None]:
    """The indices of the reference and of the source of metadata, None for what is found out and for the reference's.

    Raises ``UsageError`` for one that is not there.
    """
    metadata = None if how.metadata == "none" else how.metadata
    for name, index in (("reference", how.reference), ("metadata", metadata)):
        if index is not None and not 0 <= index < count:
            raise OptionError(f"`{name}`: there is no source {index + 1}, {count} are given")
    return how.reference, metadata


def _calibration(align_from: CalibrationLike, align: str) -> Calibration:
    from tita_cli.align import Calibration

    if align not in ("auto", "strict"):
        raise OptionError(f"`align` {align} and `align_from` exclude each other")
    return Calibration.of(align_from)

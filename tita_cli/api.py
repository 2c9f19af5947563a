"""``fuse``: plan → strategy → finish, as a program calls it and as the commands do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from tita_cli.fusion.finish import finish, winner_map
from tita_cli.fusion.plan import Plan
from tita_cli.fusion.progress import Progress, silent
from tita_cli.fusion.result import Fusion
from tita_cli.fusion.source import SourceLike, describe_sources
from tita_cli.fusion.strategy import choose_strategy
from tita_cli.fusion.thermal import asks_for_more, styled
from tita_cli.options import DEFAULT_MODEL, FuseOptions, OptionError, PerSource

if TYPE_CHECKING:
    from tita_cli.align import Calibration, CalibrationLike
    from tita_cli.runtime import AnyEngine

__all__ = ["DEFAULT_MODEL", "FuseOptions", "Fusion", "fuse"]


def fuse(
    sources: Sequence[SourceLike],
    options: FuseOptions | None = None,
    *,
    engine: AnyEngine | None = None,
    progress: Progress = silent,
    **changes: Any,
) -> Fusion:
    """Fuse two or more images of one scene into one picture.

    ``sources``: paths, open binary files, ``Picture``s, or ``tita_cli.fusion.source.Source``s with facts of their own;
    of one size unless ``resize`` or alignment brings them to the reference's. A file given alone stands for the
    pictures that it holds (a z-stack, a radiometric JPEG). ``options``: see
    :class:`tita_cli.options.FuseOptions`, whose fields may be given as keywords too: ``fuse(pair, align="none")``.
    ``engine``: one from ``load_engine`` to be used again, instead of ``device``, ``backend``, ``provider``, ``threads``
    and ``memory``. ``progress``: told how far the fusion is, see ``tita_cli.fusion.progress``.

    Options of single sources (``value_range``, ``polarity``, ``role``, ``false_color``) take one value, or a mapping
    from indices (from 0), names or roles to values. The same images give the same picture in any order.
    Files are read as they are needed.

    Raises ``UsageError``, ``InputError``, ``MismatchError``, ``ModelError``, ``DeviceError``.
    """
    how = (options or FuseOptions()).changed(**changes)
    calibration = None if how.align_from is None else _calibration(how.align_from, how.align)
    described = describe_sources(
        sources,
        max_pixels=how.max_pixels,
        value_range=PerSource.of(how.value_range),
        polarity=PerSource.of(how.polarity),
        role=PerSource.of(how.role),
        false_color=PerSource.of(how.false_color),
    )
    reference, metadata = _numbers(how, len(described))
    load = _loading(engine, how)
    plan = Plan(
        described, align=how.align, reference=reference, border=how.border, calibration=calibration, resize=how.resize,
        deghost=how.deghost, still=how.reference, lead=metadata, options=how, progress=progress,
        roles_matter=asks_for_more(how),
    )  # fmt: skip
    fused = choose_strategy(load(), how.color, progress).fuse(plan)
    if asks_for_more(how):
        fused = styled(plan, fused, how)
    record = how.provenance() | ({} if calibration is None else {"align": calibration.name})
    bearer = None if how.metadata == "none" else plan.reference if metadata is None else metadata
    picture = finish(plan, fused, model=how.model, options=record, depth=how.depth, metadata=bearer)
    winners, names = winner_map(plan, fused), tuple(look.name for look in plan.looks)
    return Fusion(picture, fused.steps, load().describe(), plan.notes, winners, plan.placements, plan.summary, names)


def _loading(engine: AnyEngine | None, how: FuseOptions) -> Callable[[], AnyEngine]:
    """What waits for the engine, which loads in a thread while the sources are read; raises what loading it raised."""
    if engine is not None:
        return lambda: engine

    def load() -> AnyEngine:
        from tita_cli.runtime import load_engine

        return load_engine(how.model, **how.engine_settings())

    return ThreadPoolExecutor(1, "tita-load").submit(load).result


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

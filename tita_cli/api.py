"""``fuse``: plan → strategy → finish, as a program calls it and as the commands do."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from tita_cli.errors import UsageError
from tita_cli.fusion.finish import finish, winner_map
from tita_cli.fusion.plan import Plan
from tita_cli.fusion.result import Fusion
from tita_cli.fusion.source import FALSE_COLOR_CHOICES, FalseColor, SourceLike, describe_sources
from tita_cli.fusion.strategy import choose_strategy
from tita_cli.images.color import COLOR_RULES, ColorRule
from tita_cli.images.picture import Depth
from tita_cli.images.provenance import Value
from tita_cli.images.value_range import RangeSetting

if TYPE_CHECKING:
    from tita_cli.align import Border, Calibration, CalibrationLike, Mode
    from tita_cli.runtime import AnyEngine

__all__ = ["DEFAULT_MODEL", "Fusion", "fuse"]

DEFAULT_MODEL = "tita-lite"


def fuse(
    sources: Sequence[SourceLike],
    *,
    model: str = DEFAULT_MODEL,
    engine: AnyEngine | None = None,
    device: str = "auto",
    backend: str = "auto",
    provider: str | None = None,
    threads: int | None = None,
    memory: int | None = None,
    resize: bool = False,
    page: int | None = None,
    max_pixels: int | None = None,
    value_range: RangeSetting = "auto",
    invert: Collection[int] = (),
    false_color: FalseColor = "refuse",
    align: Mode = "auto",
    reference: int = 0,
    border: Border = "crop",
    align_from: CalibrationLike | None = None,
    deghost: bool = False,
    color: ColorRule = "auto",
    depth: Depth | None = None,
    metadata: int | None = 0,
) -> Fusion:
    """Fuse two or more images of one scene into one picture.

    ``sources``: paths, open binary files, ``Picture``s, or ``tita_cli.fusion.source.Source``s with facts of their own;
    of one size unless ``resize`` or alignment brings them to the reference's. ``model``: a shipped name or a file;
    ``engine``: one from ``load_engine`` to be used again, instead of ``model`` and of ``device``, ``backend``,
    ``provider``, ``threads`` and ``memory``: see ``load_engine``. ``page``: of files with several
    pictures. ``value_range``: which values become black and white (``tita_cli.images.value_range``). ``invert``:
    indices of sources of inverted polarity. ``false_color``: what becomes of infrared that a palette has coloured.
    ``align``, ``reference``, ``border``: how the sources come into one frame (``tita_cli.align.find_frame``);
    registered sources keep their pixels. ``align_from``: a calibration to apply instead, a file that ``tita calibrate``
    wrote or its content. ``deghost``: the reference replaces what differs from it. ``color``: "auto" lets chroma follow
    the network's gate where that has decided, "reference" is the published rule, "grey" drops colour. ``depth``: bits a
    sample of the result, the deepest of the sources where None. ``metadata``: index of the source whose EXIF, XMP and
    profile the result bears; None for none.

    The same images give the same picture in any order. Files are read as they are needed.

    Raises ``UsageError``, ``InputError``, ``MismatchError``, ``ModelError``, ``DeviceError``.
    """
    _check(color, false_color, metadata, align, reference, border, len(sources))
    calibration = None if align_from is None else _calibration(align_from, align)
    described = describe_sources(
        sources, page=page, max_pixels=max_pixels, value_range=value_range, invert=invert, false_color=false_color
    )
    load = _loading(engine, model, device, backend, provider, threads, memory)
    plan = Plan(
        described, align=align, reference=reference, border=border, calibration=calibration, resize=resize,
        deghost=deghost, lead=metadata,
    )  # fmt: skip
    fused = choose_strategy(load(), color).fuse(plan)
    options: dict[str, Value] = {
        "color": color,
        "range": value_range if isinstance(value_range, str) else f"{value_range[0]:g},{value_range[1]:g}",
        "false_color": false_color,
        "resize": resize,
        "align": align if calibration is None else calibration.name,
        "deghost": deghost,
    }
    picture = finish(plan, fused, model=model, options=options, depth=depth, metadata=metadata)
    winners = winner_map(plan, fused)
    return Fusion(picture, fused.steps, load().describe(), plan.notes, winners, plan.placements)


def _loading(engine: AnyEngine | None, model: str, *where: Any) -> Callable[[], AnyEngine]:
    """What waits for the engine, which loads in a thread while the sources are read; raises what loading it raised."""
    if engine is not None:
        return lambda: engine
    names = ("device", "backend", "provider", "threads", "memory")

    def load() -> AnyEngine:
        from tita_cli.runtime import load_engine

        return load_engine(model, **dict(zip(names, where, strict=True)))

    return ThreadPoolExecutor(1, "tita-load").submit(load).result


def _check(
    color: str, false_color: str, metadata: int | None, align: str, reference: int, border: str, count: int
) -> None:
    from tita_cli.align.modes import BORDERS, MODES

    for name, value, choices in (
        ("color", color, COLOR_RULES),
        ("false_color", false_color, FALSE_COLOR_CHOICES),
        ("align", align, MODES),
        ("border", border, BORDERS),
    ):
        if value not in choices:
            raise UsageError(f"{name} {value!r}: not known", hint=f"one of {', '.join(choices)}")
    if metadata is not None and not 0 <= metadata < count:
        raise UsageError(f"there is no source {metadata + 1} to take metadata from, {count} are given")
    if not 0 <= reference < count:
        raise UsageError(f"there is no source {reference + 1} to be the reference, {count} are given")


def _calibration(align_from: CalibrationLike, align: str) -> Calibration:
    from tita_cli.align import Calibration

    if align not in ("auto", "strict"):
        raise UsageError(f"--align {align} and --align-from exclude each other")
    return Calibration.of(align_from)

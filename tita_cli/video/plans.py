"""The plan of a clip: roles, ranges and the one alignment, from pairs of frames all over it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction

from tita_cli.align import Calibration
from tita_cli.fusion.plan import Plan
from tita_cli.fusion.source import describe_sources
from tita_cli.options import FuseOptions, OptionError, PerSource
from tita_cli.video.clip import Clip
from tita_cli.video.frame import Frame
from tita_cli.video.opening import VideoSource, open_clips
from tita_cli.video.registration import choose_plan

_PLACES = (Fraction(1, 2), Fraction(1, 10), Fraction(9, 10), Fraction(3, 10), Fraction(7, 10))
"""Of a clip, where it is looked at, until two of them agree."""


def plan_clips(
    clips: Sequence[Clip], sources: Sequence[VideoSource] | None, how: FuseOptions, offset: Fraction
) -> Plan:
    """The plan of the pair of frames that stands for the clip.

    ``sources``: the files, where they can be opened and searched a second time; else their first frames must do.
    Raises what a :class:`Plan` raises.
    """
    calibration = None
    if how.align_from is not None:
        if how.align not in ("auto", "strict"):
            raise OptionError(f"`align` {how.align} and `align_from` exclude each other")
        calibration = Calibration.of(how.align_from)

    def maker(frames: Sequence[Frame]) -> Callable[[], Plan]:
        named = zip(frames, clips, strict=True)
        return lambda: _plan([frame.picture(clip.name) for frame, clip in named], how, calibration)

    plan = choose_plan(map(maker, _samples(clips, sources, offset)), lambda plan: plan.looks[plan.reference].width)
    for index in plan.used:
        plan.aligned(index)  # what there is to say of a source is known once it was prepared
    return plan


def _plan(pictures: Sequence[object], how: FuseOptions, calibration: Calibration | None) -> Plan:
    described = describe_sources(
        pictures,  # type: ignore[arg-type]
        value_range=PerSource.of(how.value_range), polarity=PerSource.of(how.polarity), role=PerSource.of(how.role),
        false_color=PerSource.of(how.false_color),
    )  # fmt: skip
    reference = how.reference
    if reference is not None and not 0 <= reference < len(described):
        raise OptionError(f"`reference`: there is no source {reference + 1}, {len(described)} are given")
    return Plan(
        described, align=how.align, reference=reference, border=how.border, calibration=calibration,
        resize=how.resize, options=how, roles_matter=True,
    )  # fmt: skip


def _samples(clips: Sequence[Clip], sources: Sequence[VideoSource] | None, offset: Fraction) -> Iterator[list[Frame]]:
    """Pairs of frames of one moment, the last of them the first of both."""
    length = min((clip.duration for clip in clips if clip.duration), default=None)
    if sources is not None and length is not None:
        searched = open_clips(sources)
        for place in _PLACES:
            time = place * length
            found = [clip.seek(max(at, Fraction(0))) for clip, at in zip(searched, (time, time - offset), strict=True)]
            if found[0] is not None and found[1] is not None:
                yield [found[0], found[1]]
        for clip in searched:
            clip.close()
    yield [clip.peek() for clip in clips]

"""Facts of single sources: what was told of each, what was told of all that it can mean, and what the sources say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from tita_cli.fusion.look import Look
from tita_cli.fusion.roles import Roles
from tita_cli.fusion.source import Source
from tita_cli.images.value_range import ValueRange, given_range
from tita_cli.options import Denoise, Input, OptionError, PerSource, Polarity, RangeSetting, Role
from tita_cli.options.values import range_text

Noise: TypeAlias = Literal["all", "stripes"]
"""What is to be reduced of a sensor's noise."""


@dataclass(frozen=True, slots=True)
class Facts:
    """For each source the values that become 0 and 1, None for its own; whether white and black are to be swapped; and
    which noise of its sensor is to be reduced.

    ``notes``: what was taken to mean which source.
    """

    ranges: tuple[ValueRange | None, ...]
    inverted: tuple[bool, ...]
    denoised: tuple[Noise | None, ...]
    notes: tuple[str, ...] = ()


def needs_roles(options: Input) -> bool:
    """Whether ``options`` tell of sources that have to be looked at first."""
    ranges: PerSource[RangeSetting] = PerSource.of(options.value_range)
    polarity: PerSource[Polarity] = PerSource.of(options.polarity)
    asks = isinstance(ranges.general, tuple) or polarity.general is not None
    return asks or ranges.needs_roles or polarity.needs_roles


def settle_facts(sources: Sequence[Source], looks: Sequence[Look], roles: Roles, options: Input) -> Facts:
    """Every source's facts. Raises OptionError where none is what an option means."""
    ranges, notes = _ranges(sources, looks, roles, PerSource.of(options.value_range))
    polarity: PerSource[Polarity] = PerSource.of(options.polarity)
    inverted = []
    for source, role in zip(sources, roles.of, strict=True):
        told = source.polarity or polarity.meant(role)
        if told is None and role == "infrared":
            told = polarity.general
        inverted.append(told == "black-hot")
    if polarity.general == "black-hot" and "infrared" not in roles.of:
        raise OptionError(
            "`polarity` black-hot: which source is the infrared is not clear", hint="`polarity` 2:black-hot says so"
        )
    if polarity.general == "black-hot" and len(sources) > 1:
        meant = [
            look.name
            for look, source, role in zip(looks, sources, roles.of, strict=True)
            if role == "infrared" and not source.polarity and polarity.meant(role) is None
        ]
        notes = (*notes, *_taken("`polarity`", "black-hot", meant))
    if any(source.false_color == "intensity" for source in sources) and not any(look.palette for look in looks):
        no_palette = (
            "`false_color` intensity: no source has the colours of a palette that is known, nothing was turned back "
            "(`false_color` N:intensity says which source to take for coloured infrared)"
        )
        notes = (*notes, no_palette)
    denoised = tuple(_denoised(look, role, options.denoise) for look, role in zip(looks, roles.of, strict=True))
    return Facts(tuple(ranges), tuple(inverted), denoised, notes)


def _denoised(look: Look, role: Role | None, told: Denoise) -> Noise | None:
    if told == "off" or role != "infrared":
        return None
    return "all" if told == "on" or look.depth > 8 else "stripes"


def _ranges(
    sources: Sequence[Source], looks: Sequence[Look], roles: Roles, told: PerSource[RangeSetting]
) -> tuple[list[ValueRange | None], tuple[str, ...]]:
    general = told.general
    known = [source.value_range or told.meant(role) for source, role in zip(sources, roles.of, strict=True)]
    notes: tuple[str, ...] = ()
    if isinstance(general, tuple):
        meant = _with_counts(looks, roles)
        if not meant:
            raise OptionError(
                f"`value_range` {range_text(general)}: no source holds counts or temperatures",
                hint=f"`value_range` 1:{range_text(general)} means the first source, whatever it holds",
            )
        known = [setting or (general if index in meant else None) for index, setting in enumerate(known)]
        if len(meant) < len(sources):
            notes = _taken("`value_range`", range_text(general), [looks[index].name for index in meant])
    elif general is not None:
        known = [setting or general for setting in known]
    return [
        _range(look, setting or "auto", infrared=role == "infrared")
        for look, setting, role in zip(looks, known, roles.of, strict=True)
    ], notes


def _taken(option: str, value: str, names: Sequence[str]) -> tuple[str, ...]:
    """The note that ``value``, told without a source, is taken to mean the sources with these names, if any."""
    return (f"{option} {value} is taken to mean {', '.join(names)} ({option} N:{value} says which)",) if names else ()


def _with_counts(looks: Sequence[Look], roles: Roles) -> list[int]:
    """The sources that a range in counts or degrees can mean."""
    everyone = range(len(looks))
    for candidates in (
        [i for i in everyone if looks[i].thermal or looks[i].holds_counts],
        [i for i in everyone if looks[i].depth > 8 and not looks[i].is_color],
        [i for i in everyone if looks[i].depth > 8],
        [i for i in everyone if roles.of[i] == "infrared"],
    ):
        if candidates:
            return candidates
    return []


def _range(look: Look, setting: RangeSetting, *, infrared: bool) -> ValueRange | None:
    if setting == "full":
        return None
    if isinstance(setting, tuple):
        return given_range(setting, look.levels)
    return look.range or (look.used if infrared else None)

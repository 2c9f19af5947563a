"""Which source is the infrared, and which the photograph beside it.

Who says so is obeyed, then the files are believed: metadata, names, thermal counts. Else, of two sources, the infrared
is the grey one beside colour, or the one with far fewer pixels. Statistics of two grey pictures of one size do not
tell, since cameras differ by more than the spectra do: nothing is guessed, and what is fused does not depend on it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from tita_cli.fusion.look import Look
from tita_cli.fusion.source import Source
from tita_cli.images.roles import is_of_thermal_maker, role_of_metadata, roles_of_letters, roles_of_names
from tita_cli.options import Role

_MUCH_LARGER = 2.0
"""Pixels of a photograph to one of the infrared beside it, from which that tells them apart."""


@dataclass(frozen=True, slots=True)
class Roles:
    """``of``: the role of each source, None where it is not known. ``why``: what says so."""

    of: tuple[Role | None, ...]
    why: str = ""

    @property
    def infrared(self) -> int | None:
        """The one source that is infrared; None where there is none, or more than one."""
        found = [index for index, role in enumerate(self.of) if role == "infrared"]
        return found[0] if len(found) == 1 else None

    @property
    def photograph(self) -> int | None:
        """The first visible source beside infrared."""
        if "infrared" not in self.of or "visible" not in self.of:
            return None
        return self.of.index("visible")


def judge_roles(sources: Sequence[Source], looks: Sequence[Look]) -> Roles:
    """The roles of all sources, by the strongest evidence that there is."""
    names = [look.name for look in looks]
    told = [source.role for source in sources]
    witnesses: list[tuple[str, list[Role | None]]] = [
        ("its file holds thermal counts", ["infrared" if look.thermal else None for look in looks]),
        ("its metadata", [role_of_metadata(look.metadata) for look in looks]),
        ("its palette", ["infrared" if look.palette else None for look in looks]),
        ("its name", roles_of_names(names)),
        ("the last letter of its name", roles_of_letters(names)),
        ("its maker", _different([is_of_thermal_maker(look.metadata) for look in looks])),
        ("its values are counts", _different([look.holds_counts for look in looks])),
    ]
    if any(told):
        return _completed(told, "you said so")
    for why, roles in witnesses:
        found = _completed(roles, why)
        if "infrared" in found.of and "infrared" in roles:
            return found
        if found.infrared is not None and not looks[found.infrared].has_chroma:
            return found
    return _of_pair(looks) if len(looks) == 2 else Roles((None,) * len(looks))


def _different(marked: Sequence[bool]) -> list[Role | None]:
    """The marked ones are infrared, where not all are."""
    return ["infrared" if mark and not all(marked) else None for mark in marked]


def _completed(roles: Sequence[Role | None], why: str) -> Roles:
    """Beside what is known to be infrared, the others are visible; and of a pair, the other way round."""
    if "infrared" in roles:
        return Roles(tuple(role or "visible" for role in roles), why)
    if len(roles) == 2 and Counter(roles)["visible"] == 1:
        return Roles(tuple(role or "infrared" for role in roles), why)
    return Roles((None,) * len(roles))


def _of_pair(looks: Sequence[Look]) -> Roles:
    """By what two pictures look like."""
    from tita_cli.fusion.kind import are_of_one_kind

    if are_of_one_kind(*(look.small for look in looks)):
        return Roles((None, None))
    one, two = looks
    if one.has_chroma != two.has_chroma:
        return Roles(("visible", "infrared") if one.has_chroma else ("infrared", "visible"), "it has no colours")
    sizes = [look.width * look.height for look in looks]
    if not one.has_chroma and max(sizes) >= _MUCH_LARGER * min(sizes):
        of: tuple[Role | None, ...] = ("visible", "infrared") if sizes[0] > sizes[1] else ("infrared", "visible")
        return Roles(of, "it has fewer pixels")
    return Roles((None, None))

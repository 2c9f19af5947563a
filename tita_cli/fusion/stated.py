"""How one source lies in another by what cameras state: of the two views of one file, of the photographs that they take
beside, or of the focal lengths of their lenses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tita_cli.align.geometry import inverse
from tita_cli.align.stated import OFF_LENSES, Stated, by_focal_lengths
from tita_cli.fusion.look import Look
from tita_cli.fusion.roles import Roles
from tita_cli.fusion.source import Source
from tita_cli.images.metadata import find_focal_length, find_model


def stated_place(
    sources: Sequence[Source], looks: Mapping[int, Look], roles: Roles, index: int, reference: int
) -> Stated | None:
    """How source ``index`` lies in source ``reference``; None where nothing states it."""
    one, base = looks[index], looks[reference]
    if sources[index].shares_file(sources[reference]):
        return _in_one_file(one, base)
    if {roles.of[index], roles.of[reference]} != {"infrared", "visible"}:
        return None
    return _beside_photograph(one, base) or _by_lenses(one, base)


def _in_one_file(one: Look, base: Look) -> Stated | None:
    if one.thermal is not None and base.thermal is None and one.thermal.to_photograph is not None:
        return Stated(one.thermal.to_photograph)
    if base.thermal is not None and base.thermal.to_photograph is not None and one.thermal is None:
        return Stated(inverse(base.thermal.to_photograph))
    return None


def _beside_photograph(one: Look, base: Look) -> Stated | None:
    """Where thermal counts tell how they lie in photographs of their camera. A photograph that another camera took is
    none of those; one that does not say who took it may be. Either may name the maker alone."""
    infrared, photograph = (one, base) if one.thermal is not None else (base, one)
    if infrared.thermal is None or infrared.thermal.place is None or photograph.thermal is not None:
        return None
    model = find_model(photograph.metadata.exif)
    camera = infrared.thermal.camera
    if model not in camera and camera not in model:
        return None
    matrix = infrared.thermal.place.matrix((photograph.width, photograph.height))
    if matrix is None:
        return None
    matrix = matrix if infrared is one else inverse(matrix)
    return Stated(matrix, off=OFF_LENSES, may_fail=True, stands=bool(model))


def _by_lenses(one: Look, base: Look) -> Stated | None:
    own, theirs = (find_focal_length(look.metadata.exif) for look in (one, base))
    if not own or not theirs:
        return None
    return by_focal_lengths((one.width, one.height), own, (base.width, base.height), theirs)

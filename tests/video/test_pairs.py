"""Which frame goes with which."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tita_cli.video.pairs import Unpaired, nearest_pairs


class At:
    """A frame of which only the time matters."""

    def __init__(self, time: float | Fraction) -> None:
        self.time = Fraction(time)


def paired(
    first: Any, second: Any, *, interval: Any = 1, offset: Any = 0
) -> tuple[list[tuple[float, float]], Unpaired]:
    unpaired = Unpaired()
    pairs = nearest_pairs(
        map(At, first), map(At, second), interval=Fraction(interval), offset=Fraction(offset), unpaired=unpaired  # type: ignore[arg-type]
    )  # fmt: skip
    return [(float(a.time), float(b.time)) for a, b in pairs], unpaired


def test_a_slower_clip_is_held() -> None:
    pairs, _ = paired(range(7), (0, 3, 6), interval=3)
    assert pairs == [(0, 0), (1, 0), (2, 3), (3, 3), (4, 3), (5, 6), (6, 6)]


def test_the_offset_is_added_to_the_second_clip() -> None:
    pairs, unpaired = paired(range(6), range(6), offset=2)
    assert pairs == [(2, 0), (3, 1), (4, 2), (5, 3)]
    assert unpaired.before == 2
    pairs, unpaired = paired(range(6), range(6), offset=-2)
    assert pairs == [(0, 2), (1, 3), (2, 4), (3, 5)]
    assert unpaired.goes_on


def test_a_pause_is_bridged_and_told() -> None:
    pairs, unpaired = paired(range(9), (0, 1, 7, 8))
    assert [other for _, other in pairs] == [0, 1, 1, 1, 1, 7, 7, 7, 8]
    assert unpaired.longest == 6


def test_clips_of_different_times_have_no_pairs() -> None:
    assert paired(range(3), range(10, 13))[0] == []
    assert paired(range(10, 13), range(3))[0] == []
    assert paired(range(3), ())[0] == []


times = st.sets(st.integers(0, 50), min_size=1, max_size=12).map(sorted)


@given(times, times)
def test_no_other_frame_is_nearer(first: list[int], second: list[int]) -> None:
    for a, b in paired(first, second)[0]:
        assert abs(a - b) <= min(abs(a - other) for other in second)

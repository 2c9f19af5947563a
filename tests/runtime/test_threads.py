"""Work that is shared among threads."""

from __future__ import annotations

import threading

import pytest

from tita_cli.runtime.threads import each


@pytest.mark.parametrize(("threads", "at_once"), [(1, 1), (3, 3), (9, 4)])
def test_everything_is_done_once_by_so_many(threads: int, at_once: int) -> None:
    together, done, used = threading.Barrier(at_once, timeout=10), [], set()

    def work(item: int) -> None:
        together.wait()
        done.append(item)
        used.add(threading.get_ident())

    each(work, iter(range(4 if at_once != 3 else 6)), threads)
    assert sorted(done) == list(range(4 if at_once != 3 else 6))
    assert len(used) == at_once and (threading.get_ident() in used) == (threads == 1)


@pytest.mark.parametrize("threads", [1, 2])
def test_what_goes_wrong_is_raised(threads: int) -> None:
    def work(item: int) -> None:
        if item == 3:
            raise ValueError(f"item {item}")

    with pytest.raises(ValueError, match="item 3"):
        each(work, range(5), threads)

"""Trees of files for pairing, which never looks at pixels."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

Tree = Callable[[Iterable[str]], Path]


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """Make empty files below a fresh folder."""

    def make(places: Iterable[str]) -> Path:
        root = tmp_path / "photos"
        for place in places:
            path = root / place
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        return root

    return make

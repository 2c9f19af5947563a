from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tita_cli.errors import UsageError
from tita_cli.runtime import load_engine
from tita_cli.runtime.set_engine import BYTES_A_PIXEL, SetEngine


def test_the_decision_does_not_depend_on_memory_and_too_little_is_said(tiny_model: Path) -> None:
    images = np.random.default_rng(0).random((3, 64, 128), dtype=np.float32)
    hidden = np.zeros((3, 2, 16, 32), np.float32)
    decisions = []
    for memory in (None, images.size * BYTES_A_PIXEL, images.size * BYTES_A_PIXEL - 1):
        engine = load_engine(str(tiny_model), memory=memory, threads=1)
        assert isinstance(engine, SetEngine)
        decisions.append(engine.decide(images, hidden))
        said = engine.describe().get("needs")
        assert said == (images.size * BYTES_A_PIXEL if memory == images.size * BYTES_A_PIXEL - 1 else None)
        notes = engine.describe().get("notes", [])
        assert len(notes) == (said is not None)
        if notes:
            assert "more than `memory` allows (" in notes[0]
    for decision in decisions[1:]:
        np.testing.assert_array_equal(decision.shares[0], decisions[0].shares[0])


def test_no_memory_at_all_is_refused(tiny_model: Path) -> None:
    with pytest.raises(UsageError, match="0 bytes"):
        load_engine(str(tiny_model), memory=0)

"""A short form of bench/trust.py: mutated inputs, bombs, faults, kills, many pairs, dependencies."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="forks, and limits of Linux")
BENCH = Path(__file__).resolve().parents[1] / "bench"


@pytest.fixture
def trust(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCH))
    import trust

    return trust


def test_mutated_pictures_are_read_or_refused(trust: ModuleType, tmp_path: Path) -> None:
    found = trust.trust_mutations.attack(150, tmp_path, only="picture")
    assert found.faults == []
    assert found.outcomes["read"] and found.outcomes["refused"]


def test_mutated_camera_files_are_read_or_refused(tmp_path: Path) -> None:
    """In an interpreter of its own: LibRaw has threads, which a process does not survive that is forked behind them."""
    code = (
        "import sys; from pathlib import Path; sys.path.insert(0, sys.argv[1]); import trust_mutations\n"
        "found = trust_mutations.attack(40, Path(sys.argv[2]), only='camera')\n"
        "print(found.faults, sum(found.outcomes.values()))"
    )
    command = [sys.executable, "-c", code, str(BENCH), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
    assert done.stdout.strip() == "[] 40"


@pytest.mark.parametrize("reader", ["journal", "manifest.csv", "calibration", "toml", "graph", "pth"])
def test_other_mutated_inputs(reader: str, trust: ModuleType, tmp_path: Path) -> None:
    assert trust.trust_mutations.attack(40, tmp_path, only=reader).faults == []


def test_the_same_number_gives_the_same_input(trust: ModuleType) -> None:
    files = [b"abcdefgh" * 20]
    inputs = [trust.trust_mutations.mutated("x", files, number) for number in range(20)]
    assert inputs == [trust.trust_mutations.mutated("x", files, number) for number in range(20)]
    assert len(set(inputs)) > 15


def test_a_reader_that_hangs_or_dies_is_found(
    trust: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import os
    import time

    mutations = trust.trust_mutations
    wrong = {"dies": lambda path: os._exit(9), "hangs": lambda path: time.sleep(60), "bug": lambda path: 1 // 0}
    monkeypatch.setattr(mutations, "SECONDS", 0.1)
    monkeypatch.setattr(mutations, "readers", lambda: wrong)
    monkeypatch.setattr(mutations, "seeds", lambda: {name: ([], ".bin") for name in wrong})
    for name, said in (("dies", "died with 9"), ("hangs", "longer than"), ("bug", "ZeroDivisionError")):
        found = mutations.Findings()
        mutations.read_all(name, lambda number: b"x", range(2), tmp_path, found)
        assert [number for _, number, fault in found.faults if said in fault] == [0, 1]


def test_kills_and_faults_lose_nothing(trust: ModuleType, tmp_path: Path) -> None:
    killed = trust.trust_faults.kills(tmp_path / "kills", 6)
    assert (killed.struck, killed.lost) == (6, 0)
    strikes = [("rename", 2, (28, False)), ("fsync", 3, (5, True)), ("open", 4, (24, True)), ("create", 1, (13, True))]
    failed = trust.trust_faults._strikes(tmp_path / "faults", strikes)
    assert (failed.struck, failed.lost, failed.undocumented) == (4, 0, 0)


def test_memory_and_descriptors_stay_flat(trust: ModuleType, tmp_path: Path) -> None:
    found = trust.trust_faults.load(tmp_path / "load", 60)
    assert len(found.samples) == 10
    assert found.samples[-1][2] <= found.samples[0][2] + 1


def test_licences_of_everything_that_is_installed_with_tita(trust: ModuleType) -> None:
    found = trust.closure("tita-cli")
    assert "numpy" in found
    assert trust.unusual(found) == []
    assert trust.unusual({"flyr": ("5.0", "EUPL-1.2"), "other": ("1.0", "EUPL-1.2")}) == ["other"]

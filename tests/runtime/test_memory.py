from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

from tita_cli.errors import UsageError
from tita_cli.options import parse_size
from tita_cli.runtime.memory import raise_malloc_thresholds
from tita_cli.runtime.threads import shorten_spinning


def test_thresholds_are_raised_with_glibc_and_nowhere_else(monkeypatch: pytest.MonkeyPatch) -> None:
    assert raise_malloc_thresholds() == (platform.libc_ver()[0] == "glibc")
    assert raise_malloc_thresholds() == (platform.libc_ver()[0] == "glibc")
    monkeypatch.setattr(sys, "platform", "darwin")
    assert raise_malloc_thresholds() is False


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="about glibc")
def test_freed_memory_stays_and_is_not_faulted_in_again() -> None:
    """The second large array comes from the heap: few page faults instead of one for every 4 KiB."""
    script = """
import resource, sys
from tita_cli.runtime.memory import raise_malloc_thresholds
import ctypes
if sys.argv[1] == "raised":
    raise_malloc_thresholds()
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
libc.malloc.argtypes = (ctypes.c_size_t,)
libc.free.argtypes = (ctypes.c_void_p,)
size = 48 << 20
for _ in range(2):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    block = libc.malloc(size)
    ctypes.memset(block, 1, size)
    libc.free(block)
    faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
print(faults)
"""
    faults = {
        case: int(
            subprocess.run([sys.executable, "-c", script, case], capture_output=True, text=True, check=True).stdout
        )
        for case in ("plain", "raised")
    }
    assert faults["raised"] <= 8
    assert faults["plain"] > 8


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="a limit of Linux")
def test_a_limit_of_the_address_space_counts_and_nothing_is_kept_in_reserve() -> None:
    script = """
import resource
from tita_cli.runtime.memory import free_memory, raise_malloc_thresholds
resource.setrlimit(resource.RLIMIT_AS, (700 << 20, resource.RLIM_INFINITY))
print(free_memory() < 700 << 20, raise_malloc_thresholds())
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True", "False"]


def test_a_choice_in_the_environment_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GOMP_SPINCOUNT", raising=False)
    monkeypatch.setenv("OMP_WAIT_POLICY", "active")
    shorten_spinning()
    assert "GOMP_SPINCOUNT" not in os.environ
    monkeypatch.delenv("OMP_WAIT_POLICY")
    shorten_spinning()
    assert int(os.environ["GOMP_SPINCOUNT"]) > 0
    monkeypatch.setenv("GOMP_SPINCOUNT", "7")
    shorten_spinning()
    assert os.environ["GOMP_SPINCOUNT"] == "7"


@pytest.mark.parametrize(
    ("text", "size"), [("2G", 2 << 30), ("1.5GiB", 3 << 29), ("800M", 800 << 20), ("64 kb", 65536), ("7", 7)]
)
def test_sizes_as_users_write_them(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "lots", "-1G", "0", "2X", "1e3"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(UsageError, match="not a size"):
        parse_size(text)

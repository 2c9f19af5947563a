"""``tita doctor``: what this installation can do on this machine, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from tita_cli.cli.console import envelope, printable, put, results
from tita_cli.cli.expand import Only, expand
from tita_cli.errors import ExitCode
from tita_cli.options import Group, Reporting, option

_LABELS = 14
"""Columns that the labels in front of the lines take."""


@dataclass(frozen=True, kw_only=True)
class Tests(Group):
    """What is tried."""

    PANEL: ClassVar[str] = "Tests"

    all: bool = option(False, "Try every back end that is installed, and not only what is taken by default.")


@expand
def command(tests: Tests, reporting: Annotated[Reporting, Only(("json",))]) -> int:
    """Say what is installed and what runs: versions, processor, memory, GPU, providers, weights; try the default model.

    The exit code is 0 where everything works that should, and 7 where something does not.
    """
    from tita_cli.cli.doctor_checks import examine

    with results() as stdout:
        found = examine(every_backend=tests.all)
        if reporting.json:
            stdout.write(envelope("doctor", found))
        else:
            put(stdout, "".join(f"{printable(line)}\n" for line in _lines(found)), hang=_LABELS)
    return int(ExitCode.DEVICE if found["problems"] else ExitCode.OK)


def _lines(found: Mapping[str, Any]) -> Iterator[str]:
    cpu, memory, cuda = found["processor"], found["memory"], found["cuda"]
    yield f"tita {found['version']}, Python {found['python']}, {found['platform']}"
    yield _row("packages", ", ".join(f"{name} {version}" for name, version in found["packages"].items()))
    yield _row("processor", f"{cpu['name']}, {cpu['usable_cores']} of {cpu['cores']} cores")
    yield _row("", ", ".join(cpu["features"]) or "features unknown")
    kept = "" if memory["keeps_freed_pages"] else "; freed pages go back to the system, which costs time"
    yield _row("memory", f"{memory['free'] / 2**30:.1f} GiB free{kept}")
    gpus = f"{cuda['gpus']}, driver for CUDA {cuda['driver_cuda']}"
    yield _row("GPU", gpus if cuda["gpus"] else f"none, the CPU is used ({cuda['problem'].removeprefix('no CUDA: ')})")
    for name, state in found["providers"].items():
        yield _row("provider", f"{name}: {state}")
    yield _row("telemetry", f"{found['telemetry']}; tita opens no connection")
    for name, folder in found["folders"].items():
        yield _row(name, folder or "none")
    for name, state in found["weights"].items():
        yield _row("shipped", f"{name} {state['sha256'][:12]}… {'intact' if state['intact'] else 'DAMAGED'}")
    for row in found["backends"]:
        name = f"{row['model']} on {row['backend']}, {row['device']}"
        yield _row(
            "test",
            f"{name}: {row['problem']}"
            if "problem" in row
            else f"{name}: {row['mp_per_s']:.2g} MP/s"
            + (f", differs by {row['difference']:.1e} at most" if row["difference"] else ""),
        )
    for remark in found["remarks"]:
        yield _row("note", remark)
    for problem in found["problems"]:
        yield _row("PROBLEM", problem)
    if not found["problems"]:
        yield "everything works"


def _row(name: str, text: str) -> str:
    return f"{name:{_LABELS}}{text}"

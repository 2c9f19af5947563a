"""``tita models``: the models on this machine, and where they come from."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated

from tita_cli.cli.console import NARROW, columns, envelope, printable, put, results
from tita_cli.cli.expand import Only, expand
from tita_cli.errors import ExitCode
from tita_cli.options import DEFAULT_MODEL, Reporting

if TYPE_CHECKING:
    from tita_cli.models.catalogue import ModelEntry, ModelFile


@expand
def command(reporting: Annotated[Reporting, Only(("json", "verbose"))]) -> int:
    """List the models that --model takes by name: those that came with tita, your own, and what is cached.

    Your own lie in the folder that the listing names. --verbose shows every file with its hash and with what its header
    says of its training. The exit code is 6 where one is damaged.
    """
    from tita_cli.models.catalogue import list_models
    from tita_cli.models.find import user_folder

    found = list_models()
    width = columns(sys.stdout) or 200
    with results() as stdout:
        if reporting.json:
            body = {"models": [entry.describe() for entry in found], "user_folder": str(user_folder())}
            stdout.write(envelope("models", body))
        else:
            lines = [*(_details(found) if reporting.verbose else ())]
            lines.append(
                f"your own models: {user_folder()}" + ("" if reporting.verbose else "; --verbose shows hashes")
            )
            listing = _list(found) if width < NARROW else _table(found, width)
            put(stdout, listing + "".join(f"{printable(line)}\n" for line in lines))
    damaged = any(file.problem for entry in found for file in entry.files)
    return int(ExitCode.MODEL if damaged else ExitCode.OK)


def _table(found: Sequence[ModelEntry], width: int) -> str:
    """Name, what it is for, size of its files, licence, in ``width`` columns."""
    from rich.console import Console
    from rich.table import Column, Table
    from rich.text import Text

    titles = [Column("name", no_wrap=True), *(Column(name, overflow="fold") for name in ("use", "size", "licence"))]
    table = Table(*titles, box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for entry in found:
        name, use, sizes, licence = _cells(entry)
        table.add_row(*(Text(cell) for cell in (name, use, "\n".join(sizes), licence)))
    text = io.StringIO()
    Console(file=text, width=width).print(table)
    return "".join(f"{line.rstrip()}\n" for line in text.getvalue().splitlines())


def _list(found: Sequence[ModelEntry]) -> str:
    """The same, a line each."""
    lines = []
    for entry in found:
        name, use, sizes, licence = _cells(entry)
        lines += [name, *(f"  {cell}" for cell in (use, ", ".join(sizes), licence) if cell)]
    return "".join(f"{line}\n" for line in lines)


def _cells(entry: ModelEntry) -> tuple[str, str, list[str], str]:
    sizes = [f"{file.path.suffix[1:]} {file.size / 1e6:.1f} MB" for file in entry.files]
    broken = any(file.problem for file in entry.files)
    return printable(entry.name), "DAMAGED" if broken else _use(entry), sizes, printable(_licence(entry))


def _use(entry: ModelEntry) -> str:
    if entry.name == DEFAULT_MODEL:
        return "default, every kind of picture"
    return {"shipped": "the published network", "user": "your own", "cached": "built by a provider"}[entry.origin]


def _licence(entry: ModelEntry) -> str:
    """What the files say; a shipped model's terms are long, and stand in the model card."""
    if entry.origin == "shipped":
        return "code Apache-2.0, data for research: see MODEL_CARD.md"
    return next((str(file.about["licence"]) for file in entry.files if "licence" in file.about), "")


def _details(found: Sequence[ModelEntry]) -> Iterator[str]:
    for entry in found:
        for file in entry.files:
            problem = f": {file.problem}" if file.problem else ""
            yield f"{file.path}: {file.size / 1e6:.1f} MB, SHA-256 {file.sha256}{problem}"
            if facts := _facts(file):
                yield f"  {facts}"


def _facts(file: ModelFile) -> str:
    """What fits a line: plain values, not the configuration."""
    plain = {key: value for key, value in file.about.items() if isinstance(value, str)}
    return ", ".join(f"{key} {value}" for key, value in sorted(plain.items()))

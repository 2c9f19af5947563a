"""``tita models``: the models on this machine, and where they come from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

from tita_cli.cli.console import envelope, printable, results
from tita_cli.cli.expand import Only, expand
from tita_cli.errors import ExitCode
from tita_cli.options import Reporting

if TYPE_CHECKING:
    from tita_cli.models.catalogue import ModelEntry, ModelFile


@expand
def command(reporting: Annotated[Reporting, Only(("json",))]) -> int:
    """List the models that --model takes by name: those that came with tita, your own, and what is cached.

    Your own lie in the folder that the listing names. Every file is shown with its hash and with what its header says
    of its training. The exit code is 6 where one is damaged.
    """
    from tita_cli.models.catalogue import list_models
    from tita_cli.models.find import user_folder

    found = list_models()
    with results() as stdout:
        if reporting.json:
            body = {"models": [entry.describe() for entry in found], "user_folder": str(user_folder())}
            stdout.write(envelope("models", body))
        else:
            lines = [line for entry in found for line in _lines(entry)]
            stdout.write("".join(f"{printable(line)}\n" for line in lines).encode(errors="replace"))
            stdout.write(f"your own: {printable(str(user_folder()))}\n".encode(errors="replace"))
    damaged = any(file.problem for entry in found for file in entry.files)
    return int(ExitCode.MODEL if damaged else ExitCode.OK)


def _lines(entry: ModelEntry) -> Iterator[str]:
    yield f"{entry.name}  ({entry.origin})"
    for file in entry.files:
        yield f"  {file.path}"
        yield f"    {file.size / 1e6:.1f} MB, SHA-256 {file.sha256[:16]}…" + (
            f": {file.problem}" if file.problem else ""
        )
        if facts := _facts(file):
            yield f"    {facts}"


def _facts(file: ModelFile) -> str:
    """What fits a line: plain values, not the configuration."""
    plain = {key: value for key, value in file.about.items() if isinstance(value, str)}
    return ", ".join(f"{key} {value}" for key, value in sorted(plain.items()))

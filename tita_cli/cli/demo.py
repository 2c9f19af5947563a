"""``tita demo``: the example pictures and their fusions in a folder, with the commands that made them."""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path
from typing import Annotated

import typer

from tita_cli.cli.arguments import refuse_picture_as_folder
from tita_cli.cli.console import say
from tita_cli.cli.expand import Only, expand
from tita_cli.errors import InputError, OutputError
from tita_cli.options import Network, Reporting, Writing

EXAMPLES = {
    "infrared": ("visible.png", "infrared.png"),
    "bracket": ("middle.jpg", "under.jpg", "over.jpg"),
    "focus": ("table1.jpg", "table2.jpg", "table3.jpg"),
}
"""The folder of each example, and its pictures, the one whose frame the result has first."""


@expand
def command(
    network: Annotated[Network, Only(("model", "device"))],
    writing: Annotated[Writing, Only(("force",))],
    reporting: Annotated[Reporting, Only(("quiet",))],
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where to write them.")] = Path("tita-demo"),
) -> int:
    """Write example pictures and fuse them: infrared and visible, an exposure bracket, a focus stack.

    The commands are shown as you would type them.
    """
    from tita_cli.cli.main import run

    refuse_picture_as_folder(folder)
    origin = examples_folder()
    for name, pictures in EXAMPLES.items():
        sources = [_copied(origin / name / picture, folder / name / picture, writing.force) for picture in pictures]
        result = folder / f"{name}-fused{sources[0].suffix}"
        chosen = [f"--{key}={value}" for key, value in (("model", network.model), ("device", network.device))]
        defaults = [f"--{key}={getattr(Network(), key)}" for key in ("model", "device")]
        options = [one for one in chosen if one not in defaults] + (["--force"] if writing.force else [])
        arguments = ["fuse", *map(str, sources), "-o", str(result), *options]
        if not reporting.quiet:
            say(f"$ {shlex.join(['tita', *arguments])}", whole=True)
        if code := run([*arguments, *(["--quiet"] if reporting.quiet else [])]):
            return code
    if not reporting.quiet:
        say(f"tita: now open {folder / 'infrared-fused.png'} and the pictures beside it")
    return 0


def examples_folder() -> Path:
    """Where the example pictures lie: in the installed package, or ``examples/`` of a checkout. Raises InputError."""
    package = Path(__file__).resolve().parents[1]
    for folder in (package / "examples", package.parent / "examples"):
        if (folder / "infrared").is_dir():
            return folder
    raise InputError("this installation has no example pictures", hint="reinstall tita, or run it from a clone")


def _copied(origin: Path, target: Path, force: bool) -> Path:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if force or not target.exists() or target.read_bytes() != origin.read_bytes():
            if target.exists() and not force:
                raise OutputError(f"{target}: exists already", hint="--force replaces it")
            shutil.copyfile(origin, target)
    except OSError as error:
        hint = "tita demo FOLDER writes them elsewhere"
        raise OutputError(f"{target}: cannot be written: {error.strerror}", hint=hint) from error
    return target

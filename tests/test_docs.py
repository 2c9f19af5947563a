"""What the documents say is what the program does."""

from __future__ import annotations

import doctest
import re
import runpy
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from tita_cli.cli.main import application
from tita_cli.errors import ExitCode

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "examples/README.md", *sorted(DOCS.rglob("*.md"))]


@pytest.mark.parametrize(
    ("script", "function", "target"),
    [("cli_reference.py", "reference", "reference/cli.md"), ("man_page.py", "page", "tita.1")],
)
def test_what_the_parser_says_is_what_is_written(script: str, function: str, target: str) -> None:
    made = runpy.run_path(str(DOCS / script))
    assert (DOCS / target).read_text(encoding="utf-8") == made[function](), f"stale: run python docs/{script}"


def test_every_exit_code_is_documented() -> None:
    page = (DOCS / "reference" / "exit-codes.md").read_text(encoding="utf-8")
    documented = {int(code) for code in re.findall(r"^\| (\d+) \|", page, re.MULTILINE)}
    assert documented == {int(code) for code in ExitCode}


def test_links_between_documents_lead_somewhere() -> None:
    for page in [*PAGES, ROOT / "CHANGELOG.md", ROOT / "SECURITY.md"]:
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text(encoding="utf-8")):
            if not target.startswith(("http:", "https:", "mailto:")):
                assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_every_page_is_in_the_site() -> None:
    listed = set(re.findall(r": ([\w/-]+\.md)$", (ROOT / "mkdocs.yml").read_text("utf-8"), re.MULTILINE))
    assert listed == {path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md")}


def commands(page: Path) -> Iterator[list[str]]:
    """Every command line of tita in a page's code: indented, fenced, or after a prompt."""
    fenced = False
    for line in page.read_text(encoding="utf-8").splitlines():
        fenced ^= line.startswith("```")
        if not (fenced or line.startswith("    ")):
            continue
        for part in re.split(r"[|;]|&&", line.partition(" #")[0].strip().removeprefix("$ ")):
            found = re.match(r"(?:\S*/|uvx --from \. )?tita (.*)", part.strip())
            if found:
                yield shlex.split(found[1])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_commands_of_a_page_are_ones_that_the_parser_knows(page: Path) -> None:
    root: Any = typer.main.get_command(application())
    for words in commands(page):
        if words[0].startswith("-") or words[0] == "help":
            continue
        assert words[0] in root.commands, f"{page.name}: tita {words[0]}"
        known = {name for param in root.commands[words[0]].params for name in param.opts} | {"--help"}
        used = {word.partition("=")[0] for word in words[1:] if re.match(r"-[a-zA-Z]$|--[a-z]", word)}
        assert used <= known, f"{page.name}: tita {' '.join(words)}: {used - known}"


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A folder with the example pictures, and a ``tita`` that is this one."""
    shutil.copytree(ROOT / "examples", tmp_path / "examples", ignore=shutil.ignore_patterns("render"))
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin/tita"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m tita_cli "$@"\n')
    program.chmod(0o755)
    return tmp_path


def _blocks(page: Path) -> list[str]:
    return re.findall(r"^```sh\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in PAGES if _blocks(page)], ids=lambda page: page.stem)
def test_the_commands_of_a_page_run_from_a_clone(page: Path, clone: Path) -> None:
    """Blocks that are marked ``sh``, one after the other; those marked ``text`` need files that nobody has."""
    blocks = _blocks(page)
    environment = {"PATH": f"{clone / 'bin'}:/usr/bin:/bin", "PYTHONPATH": str(ROOT), "HOME": str(clone)}
    done = subprocess.run(
        ["sh", "-e"], input="\n".join(blocks), cwd=clone, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_the_page_on_python_is_true() -> None:
    failed, tried = doctest.testfile(
        str(DOCS / "reference/python.md"), module_relative=False, optionflags=doctest.IGNORE_EXCEPTION_DETAIL
    )
    assert tried > 10
    assert failed == 0

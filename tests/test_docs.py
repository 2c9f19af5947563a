"""What the documents say is what the program does."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

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
                found = page.parent / target
                assert found.exists(), f"{page.name} links to {target}"
                # The site holds docs/ alone: `mkdocs build --strict` refuses such a link.
                assert not page.is_relative_to(DOCS) or found.resolve().is_relative_to(DOCS), f"{page.name}: {target}"


def test_every_page_is_in_the_site() -> None:
    listed = set(re.findall(r": ([\w/-]+\.md)$", (ROOT / "mkdocs.yml").read_text("utf-8"), re.MULTILINE))
    assert listed == {path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md")}


def test_no_code_in_a_table_has_an_escaped_bar() -> None:
    for page in PAGES:
        rows = [line for line in page.read_text(encoding="utf-8").splitlines() if line.startswith("|")]
        shown = [row for row in rows if re.search(r"`[^`|]*\\\|[^`]*`", row)]
        assert not shown, f"{page.name}: the site shows the backslash; <code>a&#124;b</code> is right everywhere"

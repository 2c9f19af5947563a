"""What the documents say is what the program does."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

from tita_cli.errors import ExitCode

DOCS = Path(__file__).parents[1] / "docs"


def test_command_reference_is_what_the_parser_says() -> None:
    script = runpy.run_path(str(DOCS / "cli_reference.py"))
    written = (DOCS / "reference" / "cli.md").read_text(encoding="utf-8")
    assert written == script["reference"](), "stale: run python docs/cli_reference.py"


def test_every_exit_code_is_documented() -> None:
    page = (DOCS / "reference" / "exit-codes.md").read_text(encoding="utf-8")
    documented = {int(code) for code in re.findall(r"^\| (\d+) \|", page, re.MULTILINE)}
    assert documented == {int(code) for code in ExitCode}


def test_links_between_documents_lead_somewhere() -> None:
    pages = [DOCS.parent / "README.md", DOCS.parent / "CHANGELOG.md", *DOCS.rglob("*.md")]
    for page in pages:
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text(encoding="utf-8")):
            if not target.startswith(("http:", "https:", "mailto:")):
                assert (page.parent / target).exists(), f"{page.name} links to {target}"

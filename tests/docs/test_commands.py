"""The commands of README, tutorial, how-tos and reference do what the pages say: each block is run."""

from __future__ import annotations

import doctest
import json
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import typer

from tita_cli.cli.main import application, run

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[2]
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "examples/README.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
]
NOT_RUN = {
    r"(pip|uv|uvx|docker|python3 -m venv) ": "installs or builds: .ci/run installs, bench/install_sizes.py measures",
    r".*\b(s3|gs|https|sftp)://": "an address of nobody: tests/test_addresses.py has servers of its own",
    r"ray start|tita batch /data/flight": "a cluster: tests/batch/test_ray.py has one",
    r"tita watch ": "runs until it is stopped: tests/batch/test_watch.py",
    r"ffmpeg ": "a camera and a player: tests/video/test_command.py has pipes",
    r"python bench/gpu/": "for a GPU, or minutes long: tests/training has the same steps on small networks",
    r"torchrun ": "several processes: tests/training/test_ddp.py",
    r"python examples/render": "minutes",
    r"python weights/refresh\.py": "writes the weights of the repository: tests/export/test_shipped.py compares them",
}
"""Lines that no test runs, by how they begin, with the reason."""
LANGUAGES = {"sh", "console", "python", "toml", "json"}
"""Of blocks that are run or parsed; a command of tita in another kind of block is at least known to the parser."""
WHOLE_FILES = {"bash", "yaml", "ini"}
"""Blocks that are files for other programs, such as a job of Slurm, and may have commands of tita in them."""


@dataclass(frozen=True)
class Block:
    """Code on a page: ``language`` is "" for an indented block."""

    language: str
    text: str

    @property
    def lines(self) -> list[str]:
        """The command lines, continued ones joined, comments aside."""
        joined = re.sub(r"\\\n\s*", "", self.text).splitlines()
        return [line for line in joined if line.strip() and not line.startswith("#")]

    @property
    def commands(self) -> list[str]:
        """The commands of a console block: what follows a prompt."""
        return [line[2:] for line in self.lines if line.startswith("$ ")]


def blocks(page: Path) -> Iterator[Block]:
    text = page.read_text(encoding="utf-8")
    for found in re.finditer(r"^```(\w*)\n(.*?)^```$|(?<=\n\n)((?: {4}[^\n]*\n+)+)", text, re.MULTILINE | re.DOTALL):
        yield Block(found[1] or "", found[2] or found[3])


def why_not_run(line: str) -> str | None:
    return next((reason for start, reason in NOT_RUN.items() if re.match(start, line)), None)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_commands_stand_in_blocks_that_are_run(page: Path) -> None:
    for block in blocks(page):
        if block.language not in LANGUAGES | WHOLE_FILES:
            hidden = [line for line in block.text.splitlines() if re.match(r"\s*(\$ )?tita ", line)]
            assert not hidden, f"{page.name}: a block of commands is marked ```sh, or ```console with their output"


def test_what_is_not_run_is_on_a_page() -> None:
    lines = [line for page in PAGES for block in blocks(page) if block.language == "sh" for line in block.lines]
    unused = [start for start in NOT_RUN if not any(re.match(start, line) for line in lines)]
    assert not unused


def test_every_input_is_named_by_a_page(inputs: Any) -> None:
    texts = [_code(page) for page in PAGES]
    assert not [name for name in inputs.names if not any(_names(text, name) for text in texts)]


def _code(page: Path) -> str:
    return "\n".join(block.text for block in blocks(page) if block.language in LANGUAGES)


def _names(text: str, name: str) -> bool:
    return re.search(rf"(?<![\w./+-]){re.escape(name)}(?![\w.-])", text) is not None


def written(page: Path) -> Iterator[list[str]]:
    """Every command of tita on a page, in blocks and in the text: its words."""
    text = page.read_text(encoding="utf-8")
    lines = [line for block in blocks(page) for line in block.lines]
    prose = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    for line in [*lines, *re.findall(r"`(tita [^`]+)`", prose)]:
        for part in re.split(r"[|;]|&&", line.partition(" #")[0].strip().removeprefix("$ ")):
            found = re.match(r"(?:\S*/|uvx --from \. |\S+ )?tita ([a-z].*)", part.strip())
            if found:
                yield shlex.split(found[1])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_commands_of_a_page_are_ones_that_the_parser_knows(page: Path) -> None:
    root: Any = typer.main.get_command(application())
    for words in written(page):
        if words[0] == "help":
            continue
        assert words[0] in root.commands, f"{page.name}: tita {words[0]}"
        known = {name for param in root.commands[words[0]].params for name in param.opts} | {"--help"}
        used = {word.partition("=")[0] for word in words[1:] if re.match(r"-[a-zA-Z]$|--[a-z]", word)}
        assert used <= known, f"{page.name}: tita {' '.join(words)}: {used - known}"


class Reader:
    """Somebody who does what a page says, in one folder, from its first line to its last."""

    def __init__(self, folder: Path, capture: Any) -> None:
        self.folder = folder
        self.capture = capture
        self.failed: list[str] = []
        self.lacking: set[str] = set()
        self.names: dict[str, Any] = {}

    def do(self, block: Block) -> None:
        match block.language:
            case "sh":
                for line in block.lines:
                    if why_not_run(line) is None:
                        self._run(line)
            case "console":
                self._compare(block)
            case "python" if ">>> " not in block.text:
                self._try(block.text, lambda: exec(block.text, self.names))
            case "toml":
                self._try(block.text, lambda: tomllib.loads(block.text))
            case "json":
                self._try(block.text, lambda: [json.loads(line) for line in block.lines])

    def _try(self, text: str, doing: Callable[[], object]) -> None:
        try:
            doing()
        except Exception as error:
            self.failed.append(f"{text}\n{type(error).__name__}: {error}")

    def _run(self, line: str) -> None:
        bare = re.sub(r"'[^']*'|\"[^\"]*\"", "", line.partition(" #")[0])
        if re.match("tita [a-z]", line) and not re.search(r"[|<>*?$&;~]", bare):
            code = run(shlex.split(line, comments=True)[1:])
            told = "".join(self.capture.readouterr())
        else:
            code, told = self._shell(f"set -o pipefail\n{line}")
        if code:
            self.failed.append(f"$ {line}\n{told}exit code {code}")

    def _shell(self, script: str) -> tuple[int, str]:
        for program in ("jq",):
            if re.search(rf"\b{program} ", script) and shutil.which(program) is None:
                self.lacking.add(program)
                return 0, ""
        done = subprocess.run(
            ["bash"], input=script, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )
        return done.returncode, done.stdout

    def _compare(self, block: Block) -> None:
        """What commands print is what stands below them; ``…`` is anything."""
        script = "".join(f"echo '$ '{shlex.quote(line)}\n(exit $code)\n{line}\ncode=$?\n" for line in block.commands)
        _, told = self._shell(f"code=0\n{script}")
        expected = ".*".join(map(re.escape, block.text.split("…")))
        if not re.fullmatch(expected, told):
            self.failed.append(f"{block.text}\nprints\n{told}")


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in PAGES if _code(page)], ids=lambda page: page.stem)
def test_a_page_does_what_it_says(
    page: Path, inputs: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    program = tmp_path / "home/bin/tita"
    program.parent.mkdir(parents=True)
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m tita_cli "$@"\n')
    program.chmod(0o755)
    for name in inputs.names:
        if _names(_code(page), name):
            inputs.make(name)
    monkeypatch.chdir(inputs.folder)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    reader = Reader(inputs.folder, capfd)
    for block in blocks(page):
        reader.do(block)
    assert not reader.failed, "\n\n".join(["", *reader.failed])
    if reader.lacking:
        pytest.skip(f"lines with {', '.join(sorted(reader.lacking))}, which is not here")


@pytest.mark.parametrize(
    "page", [page for page in PAGES if ">>> " in page.read_text("utf-8")], ids=lambda page: page.stem
)
def test_a_dialogue_with_python_is_true(page: Path) -> None:
    failed, tried = doctest.testfile(str(page), module_relative=False, optionflags=doctest.IGNORE_EXCEPTION_DETAIL)
    assert tried > 0
    assert failed == 0

"""The rooms of the package: who may import whom, and that nothing but the command line prints."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "tita_cli"

GROUND = {"errors", "options", "files", "version", "ort"}  # every room may import these
# Each room, and the rooms it may import besides GROUND; "version" is tita_cli/__init__.py. The main line is
# cli → api → fusion → (images, align, runtime) → models → network.
ALLOWED: dict[str, set[str]] = {
    "errors": set(),
    "options": set(),
    "files": set(),
    "ort": set(),
    "images": set(),
    "pairing": {"images"},
    "network": {"images"},  # images.picture, for the type of an image
    "align": {"images"},
    "models": {"images", "network"},
    "runtime": {"images", "network", "models"},
    "export": {"images", "network", "models", "runtime"},
    "fusion": {"images", "align", "models", "runtime"},
    "api": {"images", "align", "models", "runtime", "fusion"},
    "drawing": set(),
    "metrics": {"images", "pairing", "drawing"},
    "batch": {"images", "pairing", "align", "models", "runtime", "fusion", "api"},
    "video": {"images", "align", "models", "runtime", "fusion"},
    "report": {"images", "metrics", "runtime", "batch"},
    "training": {"images", "network", "models", "runtime", "metrics", "drawing"},
    "config": set(),
}
ABOVE_ALL = {"cli", "__main__"}  # may import every room; no other room may import them
PRINTS = ("print", "sys.stdout.write", "sys.stderr.write")
TERMINAL = ("typer", "click", "rich")
VERSION = {"version": {"api", "batch", "images"}}  # the public names, which tita_cli/__init__.py imports on first use


def room(module: str) -> str:
    """The room of a dotted module name: ``tita_cli.images.read`` is in ``images``."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else "version"


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Line and module of everything of this package that ``path`` imports, wherever in the file it does."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative import"
            # `from tita_cli import api` imports a room, `from tita_cli import fuse` a name.
            inside = node.module == "tita_cli"
            rooms = [
                f"tita_cli.{alias.name}" for alias in node.names if alias.name in ALLOWED or alias.name in ABOVE_ALL
            ]
            names = rooms if inside and rooms else [node.module or ""]
        else:
            continue
        yield from ((node.lineno, name) for name in names if name.split(".")[0] == "tita_cli")


def home(path: Path) -> str:
    """The room that ``path`` is in."""
    inside = path.relative_to(PACKAGE)
    return "version" if inside.name == "__init__.py" and len(inside.parts) == 1 else inside.parts[0].removesuffix(".py")


SOURCES = sorted(PACKAGE.rglob("*.py"))


def test_every_room_is_known() -> None:
    found = {home(path) for path in SOURCES} - ABOVE_ALL - {"version"}
    assert found <= ALLOWED.keys(), "say in ALLOWED what the new room may import"


def test_no_two_rooms_may_import_each_other() -> None:
    graph = {
        name: allowed | (GROUND - {"version"} if name not in GROUND else set()) for name, allowed in ALLOWED.items()
    }
    list(TopologicalSorter(graph).static_order())  # raises CycleError


def test_arrows_point_one_way() -> None:
    wrong = [
        f"{path.relative_to(PACKAGE)}:{line}: {home(path)} imports {module}"
        for path in SOURCES
        if home(path) not in ABOVE_ALL
        for line, module in imports(path)
        if room(module) not in {home(path)} | GROUND | ALLOWED.get(home(path), VERSION["version"])
    ]
    assert wrong == []


def test_the_ground_stands_on_nothing() -> None:
    wrong = [
        f"{path.relative_to(PACKAGE)}:{line} imports {module}"
        for name in ("errors", "options", "files")
        for path in SOURCES
        if home(path) == name
        for line, module in imports(path)
        if room(module) not in ("errors", name)
    ]
    assert wrong == []


def test_only_the_command_line_prints() -> None:
    """Elsewhere no ``print``, no terminal library, and nothing written to the process's own streams."""
    wrong = []
    for path in SOURCES:
        if home(path) in ABOVE_ALL:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            used: list[str] = []
            if isinstance(node, ast.Call):
                used = [name for name in PRINTS if ast.unparse(node.func) == name]
            elif isinstance(node, ast.Import):
                used = [alias.name for alias in node.names if alias.name.split(".")[0] in TERMINAL]
            elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in TERMINAL:
                used = [node.module or ""]
            wrong += [f"{path.relative_to(PACKAGE)}:{node.lineno}: {name}" for name in used]
    assert wrong == []


SCRIPTS = [path for folder in ("bench", "docs", "weights") for path in sorted((PACKAGE.parent / folder).glob("*.py"))]


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_scripts_import_what_the_package_has(path: Path) -> None:
    """Scripts outside the package are not run by the tests, and would otherwise break unnoticed."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if (
            isinstance(node, ast.ImportFrom) and path.parent.name == "bench" and node.module != "skimage"
        ):  # extra "docs"
            found = path.with_name(f"{node.module}.py").exists() or find_spec((node.module or "").split(".")[0])
            assert found, f"line {node.lineno}: no module {node.module}"
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "tita_cli":
            module = import_module(node.module or "")
            for alias in node.names:
                assert hasattr(module, alias.name) or find_spec(f"{node.module}.{alias.name}"), (
                    f"line {node.lineno}: {node.module} has no {alias.name}"
                )

"""Manifests: a list of the images that belong together, as CSV or JSON Lines."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from tita_cli.errors import InputError
from tita_cli.files import is_address, parse_json, path_of, read_input
from tita_cli.pairing.plan import Group, Plan, make_plan

SUFFIXES = frozenset({".csv", ".jsonl", ".ndjson"})
_MAX_BYTES = 1 << 28  # a million groups
KEYS = frozenset({"sources", "output", "reference", "why"})
CSV_HELP = "the first line names the columns; 'output' is the name of the result, every other column a source"
JSONL_HELP = 'a line: {"sources": ["vis/1.png", "ir/1.png"], "output": "1.png", "reference": 1}'


def read_manifest(source: Path) -> Plan:
    """The groups that a ``.csv`` or ``.jsonl`` file lists; relative paths start at its folder.

    Raises InputError naming the line at fault.
    """
    content = read_input(source, max_bytes=_MAX_BYTES)
    return parse_manifest(content, name=str(source), base=source.parent, is_csv=source.suffix.lower() == ".csv")


def parse_manifest(content: bytes, *, name: str, base: Path, is_csv: bool | None = None) -> Plan:
    """The groups listed in ``content``, UTF-8. ``is_csv``: None looks at the first character: ``{`` begins JSON Lines.

    Raises InputError naming the line at fault.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{name}: is not UTF-8 at byte {error.start}") from error
    if is_csv is None:
        is_csv = not text.lstrip().startswith("{")
    groups = list(_csv_groups(text, name, base) if is_csv else _jsonl_groups(text, name, base))
    if not groups:
        raise InputError(f"{name}: the manifest is empty", hint=CSV_HELP if is_csv else JSONL_HELP)
    return make_plan("manifest", groups)


def _csv_groups(text: str, name: str, base: Path) -> Iterator[Group]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text), strict=True)
    try:
        header = [cell.strip() for cell in next(reader, [])]
        if any(cell and (is_address(cell) or _is_local_file(base / cell)) for cell in header):
            raise InputError(f"{name}: line 1 lists images instead of the names of the columns", hint=CSV_HELP)
        for row in reader:
            if not any(row):
                continue
            where = f"{name}: line {reader.line_num}"
            if len(row) > len(header):
                raise InputError(f"{where}: {len(row)} cells under {len(header)} columns", hint=CSV_HELP)
            cells = list(zip(header, row, strict=False))
            output = next((cell for column, cell in cells if column == "output"), "")
            sources = [cell for column, cell in cells if column != "output" and cell]
            if len(sources) == 1 and len([column for column in header if column != "output"]) > 1:
                raise InputError(f"{where}: 1 source, the other columns are empty", hint=CSV_HELP)
            yield _group(sources, output, None, where, base)
    except csv.Error as error:
        raise InputError(f"{name}: line {reader.line_num}: {error}", hint=CSV_HELP) from error


def _delimiter(text: str) -> str:
    """What separates the columns: spreadsheets write semicolons where the comma is in numbers, or tabs."""
    first = text.partition("\n")[0]
    return max(",;\t", key=first.count)


def _jsonl_groups(text: str, name: str, base: Path) -> Iterator[Group]:
    # Only "\n" ends a line: str.splitlines would also cut at U+2028, which JSON allows inside a string.
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        where = f"{name}: line {number}"
        try:
            record: Any = parse_json(line)
        except ValueError as error:
            raise InputError(f"{where}: is not JSON: {error}", hint=JSONL_HELP) from error
        if not isinstance(record, dict) or not _is_texts(record.get("sources")):
            raise InputError(f"{where}: 'sources' is not a list of paths", hint=JSONL_HELP)
        unknown = sorted(set(record) - KEYS)
        if unknown:
            raise InputError(f"{where}: unknown key {unknown[0]!r}", hint=JSONL_HELP)
        output, reference = record.get("output", ""), record.get("reference")
        if not isinstance(output, str):
            raise InputError(f"{where}: 'output' is not a string", hint=JSONL_HELP)
        if reference is not None and (isinstance(reference, bool) or not isinstance(reference, int)):
            raise InputError(f"{where}: 'reference' is not the number of a source", hint=JSONL_HELP)
        yield _group(record["sources"], output, reference, where, base)


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) and item for item in value)


def _is_local_file(path: Path) -> bool:
    try:
        return not is_address(path) and path.is_file()
    except OSError:  # no name of a file, such as a very long one
        return False


def _group(sources: Iterable[str], output: str, reference: int | None, where: str, base: Path) -> Group:
    paths = tuple(path_of(source) if is_address(source) else base / source for source in sources)
    if not paths:
        raise InputError(f"{where}: no source")
    if len(set(paths)) < len(paths):
        raise InputError(f"{where}: the same source occurs twice")
    if any("\0" in str(path) for path in paths) or "\0" in output:
        raise InputError(f"{where}: a path contains a NUL character")
    if reference is not None and not 1 <= reference <= len(paths):
        raise InputError(f"{where}: 'reference' is {reference}, with {len(paths)} sources")
    index = None if reference is None else reference - 1
    target = PurePosixPath(output.replace("\\", "/")) if output else PurePosixPath(paths[index or 0].stem)
    if target.is_absolute() or ".." in target.parts or not target.name:
        raise InputError(f"{where}: the output must be a path inside the output folder: {output}")
    return Group(str(target), paths, f"listed in {where.rsplit(': ', 1)[-1]}", index)

"""Manifests: a list of the images that belong together, as CSV or JSON Lines."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, closing
from itertools import chain, count
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from tita_cli.errors import InputError
from tita_cli.files import is_address, open_input, parse_json, path_of
from tita_cli.pairing.plan import Group, Leftover

SUFFIXES = frozenset({".csv", ".jsonl", ".ndjson"})
_LONGEST = 1 << 20
"""Characters in a line."""
KEYS = frozenset({"sources", "output", "reference", "why"})
CSV_HELP = "the first line names the columns; 'output' is the name of the result, every other column a source"
JSONL_HELP = 'a line: {"sources": ["vis/1.png", "ir/1.png"], "output": "1.png", "reference": 1}'


def read_manifest(source: Path) -> Manifest:
    """The groups that a ``.csv`` or ``.jsonl`` file lists; relative paths start at its folder."""
    is_csv = source.suffix.lower() == ".csv"
    return Manifest(lambda: open_input(source), name=str(source), base=source.parent, is_csv=is_csv)


class Manifest:
    """The groups that a manifest lists, of which one at a time is in memory. See :class:`pairing.plan.Grouping`."""

    rule = "manifest"
    leftovers: Sequence[Leftover] = ()

    def __init__(
        self, opened: Callable[[], AbstractContextManager[BinaryIO]], *, name: str, base: Path,
        is_csv: bool | None = None,
    ) -> None:  # fmt: skip
        """``opened``: gives the text, UTF-8. ``is_csv``: None looks at the first character: ``{`` begins JSON Lines."""
        self._opened, self._name, self._base, self._is_csv = opened, name, base, is_csv

    @property
    def groups(self) -> Iterator[Group]:
        """In the order of the lines. Raises InputError naming the line at fault."""
        is_empty = True
        with self._opened() as file, closing(_lines(file, self._name)) as lines:
            head = []
            for line in lines:
                head.append(line)
                if line.strip():
                    break
            is_csv = not "".join(head).lstrip().startswith("{") if self._is_csv is None else self._is_csv
            read = _csv_groups if is_csv else _jsonl_groups
            for group in read(chain(head, lines), self._name, self._base):
                is_empty = False
                yield group
        if is_empty:
            raise InputError(f"{self._name}: the manifest is empty", hint=CSV_HELP if is_csv else JSONL_HELP)


def _lines(file: BinaryIO, name: str) -> Generator[str, None, None]:
    """The lines with their ends. Raises InputError for what is no text, or cannot be read."""
    text = io.TextIOWrapper(file, "utf-8-sig", errors="surrogateescape", newline="")
    try:
        for number in count(1):
            line = text.readline(_LONGEST + 1)
            if not line:
                return
            if len(line) > _LONGEST:
                raise InputError(f"{name}: line {number} has more than {_LONGEST >> 20} MiB")
            if not line.isascii() and any("\udc80" <= character <= "\udcff" for character in line):
                raise InputError(f"{name}: line {number} is not UTF-8")
            yield line
    except OSError as error:
        raise InputError(f"{name}: cannot be read: {error.strerror}") from error
    finally:
        text.detach()


def _csv_groups(lines: Iterator[str], name: str, base: Path) -> Iterator[Group]:
    first = next(lines, "")
    reader = csv.reader(chain([first], lines), delimiter=_delimiter(first), strict=True)
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


def _delimiter(first: str) -> str:
    """What separates the columns: spreadsheets write semicolons where the comma is in numbers, or tabs."""
    return max(",;\t", key=first.count)


def _jsonl_groups(lines: Iterator[str], name: str, base: Path) -> Iterator[Group]:
    for number, line in enumerate(lines, 1):
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

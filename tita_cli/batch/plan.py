"""From what the user names on the command line to a plan, and to where the results go."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tita_cli.errors import UsageError
from tita_cli.pairing import Plan, Rule, Wishes, pair_folder, pair_parallel, parse_manifest, read_manifest
from tita_cli.pairing.manifest import SUFFIXES

STDIN = "-"


def is_manifest(source: str) -> bool:
    return source == STDIN or (Path(source).suffix.lower() in SUFFIXES and not Path(source).is_dir())


def default_folder(sources: Sequence[str]) -> Path:
    """Where results go unless the user says: a folder beside the source, ``photos-fused`` beside ``photos``."""
    if sources[0] == STDIN:
        return Path("fused")
    first = Path(sources[0])
    if is_manifest(sources[0]):
        return first.with_name(f"{first.stem}-fused")
    resolved = first.resolve()
    # Beside vis/ and ir/ a vis-fused/ would mislead.
    name = f"{resolved.name}-fused" if len(sources) == 1 and resolved.name else "fused"
    return first / f"../{name}" if first.name in ("", "..") else first.with_name(name)


def find_plan(
    sources: Sequence[str],
    folder: Path,
    *,
    rule: Rule | None = None,
    wishes: Wishes | None = None,
    stdin: bytes | None = None,
) -> Plan:
    """The groups that ``sources`` stand for: a folder to search, parallel folders, or a manifest.

    ``folder``: where results go; a search passes it by, unless it is the very folder to be searched. ``stdin``: the
    manifest, where ``-`` is the source. Raises UsageError, InputError and MismatchError as pairing does.
    """
    wishes = wishes or Wishes()
    if any(is_manifest(source) for source in sources):
        if len(sources) > 1:
            raise UsageError(f"a manifest stands alone, but {len(sources)} sources are given")
        if rule is not None or wishes != Wishes():
            raise UsageError("a manifest says what belongs together: --by, --pair, --stack and --gap do not go with it")
        if sources[0] == STDIN:
            return parse_manifest(stdin or b"", name="<stdin>", base=Path())
        return read_manifest(Path(sources[0]))
    paths = [Path(source) for source in sources]
    exclude = [folder] if all(folder.resolve() != path.resolve() for path in paths) else []
    if len(paths) == 1:
        return pair_folder(paths[0], rule=rule, wishes=wishes, exclude=exclude)
    if rule not in (None, "folders") or wishes != Wishes():
        raise UsageError(
            "several folders are paired by the names of their files: no --by, --pair, --stack or --gap with them",
            hint="name the one folder that holds them all",
        )
    return pair_parallel(paths, exclude=exclude)

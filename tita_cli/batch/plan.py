"""From the arguments on the command line to a plan and an output folder."""

from __future__ import annotations

import io
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import BinaryIO

from tita_cli.batch.earlier import EarlierResults
from tita_cli.errors import UsageError
from tita_cli.files import is_address, path_of, resolved
from tita_cli.options.batch import Rule
from tita_cli.pairing import Grouping, Manifest, Wishes, pair_folder, pair_parallel, read_manifest
from tita_cli.pairing.manifest import SUFFIXES

STDIN = "-"


def is_manifest(source: str) -> bool:
    if source == STDIN:
        return True
    return path_of(source).suffix.lower() in SUFFIXES and (is_address(source) or not Path(source).is_dir())


def default_folder(sources: Sequence[str]) -> Path:
    """The default output folder: ``photos-fused`` beside ``photos``.

    Raises UsageError for a manifest from stdin, which has no name: it could meet another batch's folder; and for what
    is at an address, where nothing is written unasked.
    """
    if sources[0] == STDIN:
        raise UsageError("a manifest from stdin does not say where the results go", hint="-o FOLDER")
    if is_address(sources[0]):
        raise UsageError(f"{sources[0]}: is at an address, so say where the results go", hint="-o FOLDER")
    first = path_of(sources[0])
    if is_manifest(sources[0]):
        return first.with_name(f"{first.stem}-fused")
    here = resolved(first)
    # For vis/ and ir/, the name vis-fused/ would mislead.
    name = f"{here.name}-fused" if len(sources) == 1 and here.name else "fused"
    return first / f"../{name}" if first.name in ("", "..") else first.with_name(name)


def find_plan(
    sources: Sequence[str],
    folder: Path,
    *,
    rule: Rule | None = None,
    wishes: Wishes | None = None,
    stdin: BinaryIO | None = None,
) -> Grouping:
    """The groups of images in ``sources``: a folder to search, parallel folders, or a manifest.

    ``folder``: the output folder, which a search skips unless it is the folder to search, as it does results of earlier
    batches below. ``stdin``: the manifest, if the source is ``-``, read as its groups are. Raises UsageError,
    InputError and MismatchError as pairing does.
    """
    wishes = wishes or Wishes()
    if any(is_manifest(source) for source in sources):
        if len(sources) > 1:
            raise UsageError(f"a manifest must be the only source, but {len(sources)} are given")
        if rule is not None or wishes != Wishes():
            raise UsageError("a manifest defines the groups: `by`, `pair`, `stack` and `gap` do not apply")
        if sources[0] == STDIN:
            stream = stdin or io.BytesIO()
            return Manifest(lambda: nullcontext(stream), name="<stdin>", base=Path())
        return read_manifest(path_of(sources[0]))
    paths = [path_of(source) for source in sources]
    exclude = [folder] if all(resolved(folder) != resolved(path) for path in paths) else []
    if len(paths) == 1:
        earlier = EarlierResults(paths[0], folder)
        return pair_folder(paths[0], rule=rule, wishes=wishes, exclude=exclude, results=earlier)
    if rule not in (None, "folders") or wishes != Wishes():
        raise UsageError(
            "several folders are paired by file names: `by`, `pair`, `stack` and `gap` do not apply",
            hint="give one folder that contains them all",
        )
    return pair_parallel(paths, exclude=exclude)

"""The results of earlier batches below a folder that is searched: they are no sources."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from tita_cli.batch.history import History
from tita_cli.batch.journal import FILE_NAME, read_journal
from tita_cli.errors import OutputError
from tita_cli.files import resolved


class EarlierResults:
    """Tells, of the folders of a search from the top down, which files an earlier batch wrote, by its journal.

    Who searches the folder of a batch itself means its results, unless more of them go there.
    """

    def __init__(self, root: Path, output: Path) -> None:
        """``root``: the folder that is searched. ``output``: where results go."""
        self._asked_for = None if resolved(root) == resolved(output) else root
        self._batches: list[tuple[Path, History]] = []

    def __call__(self, folder: Path, names: Sequence[str]) -> set[str]:
        """Those of ``names``, of files in ``folder``, that are results or journals of earlier batches."""
        self._batches = [(base, history) for base, history in self._batches if folder.is_relative_to(base)]
        found = set()
        if FILE_NAME in names and folder != self._asked_for:
            found.add(FILE_NAME)
            with suppress(OutputError):  # what lies beside a journal that cannot be read counts as without one
                self._batches.append((folder, read_journal(folder)))
        for base, history in self._batches:
            at = folder.relative_to(base)
            found.update(name for name in names if history.written((at / name).as_posix()) is not None)
        return found

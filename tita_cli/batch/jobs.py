"""From groups of sources to jobs: the path of each result."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any

from tita_cli.batch.disk_table import DiskTable
from tita_cli.errors import MismatchError, OutputError, UsageError
from tita_cli.files import file_of, path_of, split_page
from tita_cli.images.atomic import identity
from tita_cli.pairing import Group, Grouping
from tita_cli.pairing.plan import same_name


@dataclass(frozen=True, slots=True)
class Job:
    """One result to make.

    ``output``: its path below the output folder, with ``/`` as separator. ``target``: the full path.
    """

    group: Group
    output: str
    target: Path

    @property
    def folder(self) -> Path:
        """The output folder."""
        return self.target.parents[len(PurePosixPath(self.output).parts) - 1]

    @property
    def sources(self) -> tuple[Path, ...]:
        return self.group.sources


class Jobs:
    """The results to make, each once, in the order of their paths; on the disk where they are many."""

    def __init__(self, folder: Path) -> None:
        """``folder``: for the results."""
        self.folder = folder
        self._jobs: DiskTable[list[Any]] = DiskTable()
        self._files: DiskTable[None] = DiskTable()

    def add(self, job: Job) -> None:
        """Raises MismatchError where a job has the same result."""
        group = job.group
        if not self._jobs.add(job.output, [group.name, list(map(str, group.sources)), group.why, group.reference]):
            first = self[job.output].group
            if first.name == group.name:
                raise same_name(first, group)
            raise MismatchError(f"two groups would both be written to {job.target}", hint="give them different names")
        for source in group.sources:
            self._files.add(str(identity(split_page(source)[0])), None)

    def __getitem__(self, output: str) -> Job:
        row = self._jobs.get(output)
        if row is None:
            raise KeyError(output)
        return self._job(output, row)

    def __iter__(self) -> Iterator[Job]:
        for output, row in self._jobs.items():
            yield self._job(output, row)

    def __len__(self) -> int:
        return len(self._jobs)

    @property
    def images(self) -> int:
        """Number of files that the results are made of."""
        return len(self._files)

    def protect_sources(self) -> None:
        """Raise UsageError where a result would replace a source, by whatever name."""
        for output, _ in self._jobs.items():
            target = self.folder / output
            if str(identity(target)) in self._files:
                raise UsageError(
                    f"{target}: the result would replace a source", hint="write to another folder with `output`"
                )

    def _job(self, output: str, row: Sequence[Any]) -> Job:
        name, sources, why, reference = row
        return Job(Group(name, tuple(map(path_of, sources)), why, reference), output, self.folder / output)


def make_jobs(plan: Grouping, folder: Path, *, format_name: str | None = None, name: str | None = None) -> Jobs:
    """Jobs for the groups of ``plan``, with results below ``folder``.

    ``name``: a template of their names, see ``tita_cli.options.batch.parse_name``.

    A result has the format ``format_name``, by default that of the reference source or PNG if tita cannot write that; a
    manifest may give another suffix. Raises OutputError for an unknown format, MismatchError if two results would have
    the same path, UsageError if a result would replace a source, and InputError as a manifest does.
    """
    suffix = None
    if format_name is not None:
        from tita_cli.images.formats import choose_format

        suffix = choose_format(None, format_name).suffixes[0]
    jobs = Jobs(folder)
    for group in plan.groups:
        named = group if name is None else replace(group, name=_named(group, name))
        output = _output(named, suffix, named=plan.rule == "manifest" or name is not None)
        jobs.add(Job(group, output, folder / output))
    jobs.protect_sources()
    return jobs


def _output(group: Group, suffix: str | None, *, named: bool) -> str:
    own = PurePosixPath(group.name).suffix
    if named and own and _writable(own):
        return group.name
    reference = file_of(group.sources[group.reference or 0]).suffix.lower()
    return group.name + (suffix or (reference if _writable(reference) else ".png"))


def _named(group: Group, template: str) -> str:
    """The name by a template. Raises MismatchError where it leads out of the folder."""
    from tita_cli.images.roles import role_of_name

    reference, place = file_of(group.sources[group.reference or 0]), PurePosixPath(group.name)
    folder = "" if str(place.parent) == "." else str(place.parent)
    role = role_of_name(str(reference)) or "source"
    name = template.format(name=group.name, folder=folder, stem=reference.stem, role=role).lstrip("/")
    if not PurePosixPath(name).name or ".." in PurePosixPath(name).parts or "\0" in name:
        raise MismatchError(f"{group.name}: the name {name!r} is none inside the output folder")
    return str(PurePosixPath(name))


@lru_cache(maxsize=64)
def _writable(suffix: str) -> bool:
    from tita_cli.images.formats import choose_format

    try:
        choose_format(f"x{suffix}")
    except OutputError:
        return False
    return True

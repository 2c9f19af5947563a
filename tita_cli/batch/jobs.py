"""From groups of sources to jobs: the path of each result."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path, PurePosixPath

from tita_cli.errors import MismatchError, OutputError, UsageError
from tita_cli.files import file_of
from tita_cli.images.atomic import FileIdentities
from tita_cli.pairing import Group, Plan


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


def make_jobs(plan: Plan, folder: Path, *, format_name: str | None = None, name: str | None = None) -> list[Job]:
    """Jobs for the groups of ``plan``, with results below ``folder``.

    ``name``: a template of their names, see ``tita_cli.options.batch.parse_name``.

    A result has the format ``format_name``, by default that of the reference source or PNG if tita cannot write that; a
    manifest may give another suffix. Raises OutputError for an unknown format, MismatchError if two results would have
    the same path, UsageError if a result would replace a source.
    """
    suffix = None
    if format_name is not None:
        from tita_cli.images.formats import choose_format

        suffix = choose_format(None, format_name).suffixes[0]
    jobs = []
    for group in plan.groups:
        named = group if name is None else replace(group, name=_named(group, name))
        output = _output(named, suffix, named=plan.rule == "manifest" or name is not None)
        jobs.append(Job(group, output, folder / output))
    jobs.sort(key=lambda job: job.output)
    for first, second in pairwise(jobs):
        if first.output == second.output:
            raise MismatchError(f"two groups would both be written to {first.target}", hint="give them different names")
    _protect_sources(jobs)
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


def _writable(suffix: str) -> bool:
    from tita_cli.images.formats import choose_format

    try:
        choose_format(f"x{suffix}")
    except OutputError:
        return False
    return True


def _protect_sources(jobs: Sequence[Job]) -> None:
    sources = FileIdentities(source for job in jobs for source in job.sources)
    for job in jobs:
        if sources.holds(job.target):
            raise UsageError(
                f"{job.target}: the result would replace a source", hint="write to another folder with `output`"
            )

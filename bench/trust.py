"""What docs/explanation/trust.md promises, tried: ``python bench/trust.py [PART …] [--count N] [--kills N]``.

Parts: mutations, bombs, faults, kills, load, dependencies; all where none is named. Exits with 1 where a promise does
not hold. A short form of every part is among the tests (tests/test_trust.py). Linux only.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tempfile
from collections.abc import Callable, Mapping
from importlib import metadata
from pathlib import Path

import trust_bombs
import trust_faults
import trust_mutations

Part = Callable[[argparse.Namespace, Path], bool]


def mutations(options: argparse.Namespace, folder: Path) -> bool:
    found = trust_mutations.attack(options.count, folder, first=options.first)
    said = ", ".join(f"{number:,} {outcome}" for outcome, number in sorted(found.outcomes.items()))
    print(f"mutations: {sum(found.outcomes.values()):,} inputs: {said}; the slowest took {found.slowest:.1f} s")
    for reader, number, fault in found.faults:
        print(f"  {reader} {number}: {fault}")
    return not found.faults


def bombs(options: argparse.Namespace, folder: Path) -> bool:
    found = trust_bombs.detonate(folder)
    faults = {name: said for name, said in found.items() if said}
    print(f"bombs: {len(found)}, each read or refused within {trust_mutations.SECONDS:.0f} s and 1 GiB: {not faults}")
    for name, said in faults.items():
        print(f"  {name}: {said}")
    return not faults


def faults(options: argparse.Namespace, folder: Path) -> bool:
    table = trust_faults.faults(folder / "faults", options.faults)
    print("| fault | tries | runs that it ended or marred | losses after the next run | exit codes not documented |")
    print("|---|---:|---:|---:|---:|")
    for name, tally in table.items():
        print(f"| {name} | {tally.tries} | {tally.struck} | {tally.lost} | {tally.undocumented} |")
    return not any(tally.lost or tally.undocumented for tally in table.values())


def kills(options: argparse.Namespace, folder: Path) -> bool:
    tally = trust_faults.kills(folder / "kills", options.kills)
    print(f"kills: {tally.tries} at chosen calls, {tally.struck} struck; losses after the next run: {tally.lost}")
    return not tally.lost


def load(options: argparse.Namespace, folder: Path) -> bool:
    found = trust_faults.load(folder / "load", options.pairs)
    for done, used, descriptors in found.samples:
        print(f"load: after {done:,} pairs {used:.0f} MiB, {descriptors} descriptors")
    print(f"load: {found.growth:+.2f} MiB a thousand pairs")
    return found.growth < 2 and found.samples[0][2] == found.samples[-1][2]


PERMISSIVE = re.compile(
    r"MIT|BSD|Apache|ISC|PSF|Python|HPND|Historical Permission|MPL|Mozilla|Unlicense|Public Domain|CC0|Zlib|NVIDIA",
    re.IGNORECASE,
)

COPYLEFT = {"flyr": "EUPL"}
"""Packages whose licence asks that changes to them be shared, known and accepted: they are used as they are."""


def unusual(found: Mapping[str, tuple[str, str]]) -> list[str]:
    """Those of :func:`closure` whose licence nobody has looked at."""
    return [
        name
        for name, (_, licence) in found.items()
        if not PERMISSIVE.search(licence) and not (name in COPYLEFT and COPYLEFT[name] in licence.upper())
    ]


def dependencies(options: argparse.Namespace, folder: Path) -> bool:
    """Every package that an installation pulls in, with its licence: a table, and the query that OSV takes."""
    found = closure("tita-cli")
    for name, (version, licence) in found.items():
        print(f"| {name} | {version} | {licence} |")
    queries = [
        {"package": {"name": name, "ecosystem": "PyPI"}, "version": version} for name, (version, _) in found.items()
    ]
    if options.osv is not None:
        options.osv.write_text(json.dumps({"queries": queries}, indent=1))
    odd = unusual(found)
    print(f"dependencies: {len(found)}; licences to look at: {', '.join(odd) or 'none'}")
    return not odd


def closure(root: str) -> dict[str, tuple[str, str]]:
    """Version and licence of every installed package that ``root`` needs, extras of others left out."""
    found: dict[str, tuple[str, str]] = {}
    waiting = [root]
    while waiting:
        name = re.sub(r"[-_.]+", "-", waiting.pop()).lower()
        if name in found:
            continue
        try:
            about = metadata.metadata(name)
        except metadata.PackageNotFoundError:  # for another system or version of Python
            continue
        found[name] = (metadata.version(name), _licence(about))
        waiting += [
            match[0]
            for text in metadata.requires(name) or ()
            if "extra ==" not in text and (match := re.match(r"[\w.-]+", text))
        ]
    found.pop(root)
    return dict(sorted(found.items()))


def _licence(about: metadata.PackageMetadata) -> str:
    fields = about.json
    stated = str(fields.get("license_expression") or "")
    classes = [line.rpartition(":: ")[2] for line in fields.get("classifier", ()) if line.startswith("License ::")]
    return stated or ", ".join(classes) or (str(fields.get("license") or "").splitlines() or ["not stated"])[0][:60]


PARTS: dict[str, Part] = {
    part.__name__: part for part in (mutations, bombs, faults, kills, load, dependencies)
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--count", type=int, default=100_000, help="mutated inputs")
    parser.add_argument("--first", type=int, default=0, help="number of the first one: others than before")
    parser.add_argument("--faults", type=int, default=8, help="calls of each kind that fail")
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--pairs", type=int, default=10_000)
    parser.add_argument("--osv", type=Path, help="write the list of dependencies as a query to osv.dev's API")
    options = parser.parse_args()
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    with tempfile.TemporaryDirectory() as folder:
        held = [PARTS[name](options, Path(folder)) for name in options.parts or PARTS]
    sys.exit(not all(held))


if __name__ == "__main__":
    main()

"""Choose the rule by which the images of a folder belong together, and apply it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import get_args

from tita_cli.errors import MismatchError, UsageError
from tita_cli.files import resolved
from tita_cli.images.formats import format_of_suffix
from tita_cli.options.batch import Rule
from tita_cli.pairing.bursts import pair_bursts, pair_exposures
from tita_cli.pairing.capture import Captures, read_captures
from tita_cli.pairing.lenses import pair_lenses
from tita_cli.pairing.numbers import pair_numbers, pair_scenes
from tita_cli.pairing.pages import RADIOMETRIC, pair_pages
from tita_cli.pairing.plan import Leftover, Plan, listing, make_plan
from tita_cli.pairing.roles import named_roles
from tita_cli.pairing.scan import ImageFile, Results, scan_folder
from tita_cli.pairing.words import pair_folders, pair_names, present_roles

RULES: tuple[Rule, ...] = get_args(Rule)
# From the strongest evidence to the weakest: names that say what an image is, files that hold a scene, then exposure,
# then mere sequence.
# ``scenes`` would fit any folder, so it is only suggested.
_WORDS: tuple[Rule, ...] = ("folders", "names", "lenses")
TIERS: tuple[tuple[Rule, ...], ...] = (_WORDS, ("pages",), ("exposure",), ("numbers", "burst"))
DEFAULT_GAP = 2.0


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the user knows about the images.

    ``words``: in folder or file names, that distinguish the sources, in the order of the sources. ``size``: images per
    stack. ``gap``: the longest pause within a burst, in seconds.
    """

    words: tuple[str, ...] = ()
    size: int | None = None
    gap: float = DEFAULT_GAP


def pair_folder(
    root: Path,
    *,
    rule: Rule | None = None,
    wishes: Wishes | None = None,
    exclude: Iterable[Path] = (),
    results: Results | None = None,
) -> Plan:
    """Find the groups of images below ``root``; everything else is left over, with the reason.

    ``rule``: how they belong together; None finds out. ``exclude``: folders to skip. ``results``: files to skip.
    Raises MismatchError where that is not clear, naming the candidates; InputError where ``root`` cannot be listed;
    UsageError where the criteria contradict each other.
    """
    wishes = wishes or Wishes()
    if wishes.words and rule not in (None, *_WORDS):
        raise UsageError(f"`pair` names words in folders or files, which `by` {rule} does not look at")
    if wishes.size is not None and (wishes.words or rule in (*_WORDS, "pages", "scenes")):
        raise UsageError("`stack` is for stacks: `by` exposure, numbers or burst")
    scan = scan_folder(root, exclude=exclude, results=results)
    plan = _Finder(root, scan.images, wishes).find(rule)
    # Files in the root whose names are nothing but a word or a number: the whole folder is the scene.
    named = [
        replace(group, name=resolved(root).name or "fused") if group.name == "." else group for group in plan.groups
    ]
    return make_plan(plan.rule, named, (*plan.leftovers, *scan.others))


def pair_parallel(folders: Sequence[Path], *, exclude: Iterable[Path] = ()) -> Plan:
    """Pair the images of two or more folders by their paths below them, in the order of ``folders``.

    Raises as :func:`pair_folder`.
    """
    words = [resolved(folder).name for folder in folders]
    if len({word.casefold() for word in words}) < len(words):
        words = [f"{word} #{number}" for number, word in enumerate(words, 1)]
    scans = [scan_folder(folder, exclude=exclude) for folder in folders]
    images = [
        ImageFile(image.path, PurePosixPath(word) / image.place)
        for word, scan in zip(words, scans, strict=True)
        for image in scan.images
    ]
    if len({resolved(image.path) for image in images}) < len(images):
        raise UsageError(f"the folders overlap: {listing(folders)}")
    plan = pair_folders(images, named_roles(words))
    if not plan.groups:
        raise MismatchError(
            f"no image has a counterpart of the same name in the other folders: {listing(folders)}",
            hint="name the folders whose files bear the same names, or give a manifest",
        )
    return make_plan(plan.rule, plan.groups, [*plan.leftovers, *(other for scan in scans for other in scan.others)])


class _Finder:
    """Looks for groups among the images of one folder."""

    def __init__(self, root: Path, images: Sequence[ImageFile], wishes: Wishes) -> None:
        self._root = root
        self._images = images
        self._wishes = wishes
        self._roles = named_roles(wishes.words) if wishes.words else None

    @cached_property
    def _captures(self) -> Captures:
        return read_captures(self._images)

    def find(self, rule: Rule | None) -> Plan:
        """The grouping that ``rule`` offers, or the one that the user's wishes leave; without either, each kind of
        group by its own rule. Raises MismatchError where that is not clear."""
        if rule is None and self._wishes == replace(Wishes(), gap=self._wishes.gap):
            return self._sorted()
        return self._only(self._tiers(rule), rule)

    def _sorted(self) -> Plan:
        """The groups of every tier, of what the stronger ones left. Mere sequence counts only in folders where nothing
        stronger was found. An image that is known to lack its counterpart goes nowhere else, unless its file has it."""
        plans: list[Plan] = []
        rest, alone, left = list(self._images), set[Path](), dict[Path, Leftover]()
        for tier in TIERS:
            images = rest if tier == ("pages",) else [image for image in rest if image.path not in alone]
            if tier is TIERS[-1]:
                taken = {path.parent for plan in plans for path in _files(plan)}
                images = [image for image in images if image.path.parent not in taken]
            for plan in self._without_strays(_Finder(self._root, images, self._wishes).best(tier) if images else []):
                plans.append(plan)
                left |= {leftover.path: leftover for leftover in plan.leftovers if leftover.path not in alone}
            alone = {path for path, leftover in left.items() if leftover.reason.startswith("there is no")}
            grouped = {path for plan in plans for path in _files(plan)}
            rest = [image for image in rest if image.path not in grouped]
        if not plans:
            raise self._nothing(TIERS)
        groups = [group for plan in plans for group in plan.groups]
        rules = ", ".join(dict.fromkeys(plan.rule for plan in plans))
        united = make_plan(rules, groups, [each for path, each in left.items() if path not in grouped])
        if not self._are_most(united):
            raise self._undecided(plans)
        return united

    def best(self, tier: Sequence[Rule]) -> list[Plan]:
        """The groupings that a tier offers, where no image is in two of them; else raises MismatchError."""
        plans, failures = self._offers(tier, any_pages=False)
        if not _are_apart(plans):
            raise self._undecided(plans)
        if failures and not plans:
            raise failures[0]
        return plans

    def _offers(self, tier: Sequence[Rule], *, any_pages: bool) -> tuple[list[Plan], list[MismatchError]]:
        """The groupings of a tier, and why its rules failed. ``any_pages``: few files of several pictures count too."""
        plans: list[Plan] = []
        failures: list[MismatchError] = []
        for each in tier:
            try:
                plans.extend(self._apply(each))
            except MismatchError as failure:
                failures.append(failure)
        return _distinct(plans if any_pages else self._without_strays(plans)), failures

    def _without_strays(self, plans: Sequence[Plan]) -> list[Plan]:
        """``plans`` without what a few files of several pictures make: a stray animation does not make a folder one of
        stacks. A radiometric file is a group for certain."""
        return [
            kept
            for plan in plans
            if (kept := _radiometric(plan) if plan.rule == "pages" and not self._are_most(plan) else plan).groups
        ]

    def _only(self, tiers: Sequence[Sequence[Rule]], rule: Rule | None) -> Plan:
        """The only grouping of the first tier that offers any."""
        for tier in tiers:
            plans, failures = self._offers(tier, any_pages=rule is not None)
            if len(plans) == 1 and (rule or self._are_most(plans[0])):
                return plans[0]
            if plans:
                raise self._undecided(plans)
            if failures:
                raise failures[0]
        raise self._nothing(tiers)

    def _are_most(self, plan: Plan) -> bool:
        return 2 * plan.images >= len(self._images)

    def _tiers(self, rule: Rule | None) -> tuple[tuple[Rule, ...], ...]:
        if rule is not None:
            return ((rule,),)
        if self._wishes.words:
            return TIERS[:1]
        return TIERS[2:] if self._wishes.size is not None else TIERS

    def _apply(self, rule: Rule) -> list[Plan]:
        """Every grouping that ``rule`` finds."""
        size, gap = self._wishes.size, self._wishes.gap
        if rule in ("folders", "names"):
            pair = pair_folders if rule == "folders" else pair_names
            families = [self._roles] if self._roles is not None else present_roles(self._images, rule)
            plans = _united([pair(self._images, roles) for roles in families])
        elif rule == "lenses":
            plans = [pair_lenses(self._images, self._roles, self._clock, gap=gap)]
        elif rule == "pages":
            plans = [pair_pages(self._images)]
        elif rule == "exposure":
            plans = [pair_exposures(self._captures, gap=gap, size=size)]
        elif rule == "burst":
            plans = [pair_bursts(self._captures, gap=gap, size=size)]
        elif rule == "numbers":
            plans = [pair_numbers(self._images, size)]
        else:
            plans = [pair_scenes(self._images)]
        return [plan for plan in plans if plan.groups]

    def _clock(self, image: ImageFile) -> float | None:
        """When ``image`` was taken, by EXIF."""
        return next((capture.seconds for capture in self._captures.items if capture.image is image), None)

    def _undecided(self, plans: Sequence[Plan]) -> MismatchError:
        ways = "; ".join(
            f"`by` {plan.rule}: {len(plan.groups)} group{'s' * (len(plan.groups) > 1)} "
            f"from {plan.images} of {len(self._images)} images, "
            f"such as {listing([source.relative_to(self._root) for source in plan.groups[0].sources], 4)}"
            f" ({plan.groups[0].why})"
            for plan in plans
        )
        if len(plans) > 1 and not _are_apart(plans):
            return MismatchError(
                f"{self._root}: the images can be grouped in {len(plans)} ways: {ways}",
                hint="choose one with `by`, name the words that tell the sources apart with `pair`, or give a manifest",
            )
        rules = " or ".join(f"`by` {plan.rule}" for plan in plans)
        return MismatchError(
            f"{self._root}: only a small part of the images can be grouped: {ways}",
            hint=f"{rules} takes these groups and leaves the rest; or say more with `pair`, or a manifest",
        )

    def _nothing(self, tiers: Sequence[Sequence[Rule]]) -> MismatchError:
        if not self._images:
            return MismatchError(f"{self._root}: no images in this folder")
        tried = ", ".join(rule for tier in tiers for rule in tier)
        words = self._wishes.words
        hint = "name what tells the sources apart with `pair` vis,ir, or give a manifest"
        if not words and pair_scenes(self._images).groups:
            hint = f"if each folder is one stack: `by` scenes; else {hint}"
        missing = _missing_library(self._images)
        if missing is not None:
            hint = f"{missing}; {hint}"
        with_words = f" with the words {', '.join(words)}" if words else ""
        return MismatchError(
            f"{self._root}: {len(self._images)} image{'s' * (len(self._images) > 1)}, "
            f"none of which {tried} can group{with_words}",
            hint=hint,
        )


def _missing_library(images: Sequence[ImageFile]) -> str | None:
    """What to install for a format among those of ``images``, whose metadata are not read without; None for nothing."""
    for found in (format_of_suffix(image.path) for image in images):
        if found is not None and found.library is not None and not found.library.available:
            return f"{found.library.hint} first, {found.title} is not read without"
    return None


def _united(plans: Sequence[Plan]) -> list[Plan]:
    """One plan of those of several families of words, where no image is in two of them."""
    if len(plans) < 2 or not _are_apart(plans):
        return list(plans)
    claimed = {source for plan in plans for group in plan.groups for source in group.sources}
    reasons: dict[Path, Leftover] = {}
    for leftover in (leftover for plan in plans for leftover in plan.leftovers):
        # "There is no ir for it" says more than "is in no folder of mri + ct".
        if leftover.path not in reasons or leftover.reason.startswith("there is no"):
            reasons[leftover.path] = leftover
    left = [leftover for path, leftover in reasons.items() if path not in claimed]
    return [make_plan(plans[0].rule, [group for plan in plans for group in plan.groups], left)]


def _radiometric(plan: Plan) -> Plan:
    """Of a plan of pages the groups that are in radiometric files; what else has several pictures is left over."""
    groups = [group for group in plan.groups if group.why == RADIOMETRIC]
    strays = _files(plan) - _files(replace(plan, groups=tuple(groups)))
    return make_plan(plan.rule, groups, [Leftover(path, "holds several pictures, as few files do") for path in strays])


def _files(plan: Plan) -> set[Path]:
    """The files that a plan takes its sources from."""
    sources = (source for group in plan.groups for source in group.sources)
    return {path.with_name(path.name.rpartition("@")[0]) if plan.rule == "pages" else path for path in sources}


def _are_apart(plans: Sequence[Plan]) -> bool:
    """Whether no image is in groups of two plans."""
    claimed = [_files(plan) for plan in plans]
    return len(set().union(*claimed)) == sum(map(len, claimed))


def _distinct(plans: Sequence[Plan]) -> list[Plan]:
    """One plan for each distinct grouping, whichever rule found it.

    What names find only in part, since a camera's clock went on between two pictures, its lenses find as a whole.
    """
    found: dict[frozenset[frozenset[Path]], Plan] = {}
    for plan in plans:
        found.setdefault(frozenset(frozenset(group.sources) for group in plan.groups), plan)
    whole = [groups for groups, plan in found.items() if plan.rule == "lenses"]
    return [plan for groups, plan in found.items() if plan.rule != "names" or not any(groups < one for one in whole)]

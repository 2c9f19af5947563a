"""Choose the rule by which the images of a folder belong together, and apply it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Literal, TypeAlias, get_args

from tita_cli.errors import MismatchError, UsageError
from tita_cli.pairing.capture import Roll, read_roll
from tita_cli.pairing.numbers import pair_numbers, pair_scenes
from tita_cli.pairing.plan import Leftover, Plan, listing, make_plan
from tita_cli.pairing.roles import named_roles
from tita_cli.pairing.scan import Image, scan_folder
from tita_cli.pairing.shots import pair_bursts, pair_exposures
from tita_cli.pairing.words import pair_folders, pair_names, present_roles

Rule: TypeAlias = Literal["folders", "names", "exposure", "numbers", "burst", "scenes"]
RULES: tuple[Rule, ...] = get_args(Rule)
# From the strongest evidence to the weakest: names that say what an image is, then how it was exposed, then mere
# sequence. ``scenes`` would fit any folder, so it is only ever suggested.
TIERS: tuple[tuple[Rule, ...], ...] = (("folders", "names"), ("exposure",), ("numbers", "burst"))
DEFAULT_GAP = 2.0


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the user says about the images.

    ``words``: what tells the sources apart, in the order of the sources. ``size``: images a stack. ``gap``: longest
    pause within a burst, in seconds.
    """

    words: tuple[str, ...] = ()
    size: int | None = None
    gap: float = DEFAULT_GAP


def pair_folder(
    root: Path, *, rule: Rule | None = None, wishes: Wishes | None = None, exclude: Iterable[Path] = ()
) -> Plan:
    """Find the groups of images below ``root``; everything else is left over, with the reason.

    ``rule``: how they belong together; None finds it out. ``exclude``: folders to pass by. Raises MismatchError where
    there is no telling, naming the candidates; InputError where ``root`` cannot be listed; UsageError where the wishes
    make no sense together.
    """
    wishes = wishes or Wishes()
    if wishes.words and rule not in (None, "folders", "names"):
        raise UsageError(f"--pair names words in folders or files, which --by {rule} does not look at")
    if wishes.size is not None and (wishes.words or rule in ("folders", "names", "scenes")):
        raise UsageError("--stack is for stacks: --by exposure, numbers or burst")
    scan = scan_folder(root, exclude=exclude)
    plan = _Finder(root, scan.images, wishes).find(rule)
    # Files that are told apart by nothing but a word or a number, in the root: the whole folder is the scene.
    named = [
        replace(group, name=root.resolve().name or "fused") if group.name == "." else group for group in plan.groups
    ]
    return make_plan(plan.rule, named, (*plan.leftovers, *scan.others))


def pair_parallel(folders: Sequence[Path], *, exclude: Iterable[Path] = ()) -> Plan:
    """Pair the images of two or more folders by their paths below them, in the order of ``folders``.

    Raises as :func:`pair_folder`.
    """
    words = [folder.resolve().name for folder in folders]
    if len({word.casefold() for word in words}) < len(words):
        words = [f"{word} #{number}" for number, word in enumerate(words, 1)]
    scans = [scan_folder(folder, exclude=exclude) for folder in folders]
    images = [
        Image(image.path, PurePosixPath(word) / image.place)
        for word, scan in zip(words, scans, strict=True)
        for image in scan.images
    ]
    if len({image.path.resolve() for image in images}) < len(images):
        raise UsageError(f"folders that overlap: {listing(folders)}")
    plan = pair_folders(images, named_roles(words))
    if not plan.groups:
        raise MismatchError(
            f"no image has a namesake in the other folders: {listing(folders)}",
            hint="name the folders whose files bear the same names, or give a manifest",
        )
    return make_plan(plan.rule, plan.groups, [*plan.leftovers, *(other for scan in scans for other in scan.others)])


class _Finder:
    """Looks for groups among the images of one folder."""

    def __init__(self, root: Path, images: Sequence[Image], wishes: Wishes) -> None:
        self._root = root
        self._images = images
        self._wishes = wishes
        self._roles = named_roles(wishes.words) if wishes.words else None

    @cached_property
    def _roll(self) -> Roll:
        return read_roll(self._images)

    def find(self, rule: Rule | None) -> Plan:
        """The one way to group that ``rule``, or the first tier with any finding, offers; else MismatchError."""
        tiers = self._tiers(rule)
        for tier in tiers:
            plans: list[Plan] = []
            failures: list[MismatchError] = []
            for each in tier:
                try:
                    plans.extend(self._apply(each))
                except MismatchError as failure:
                    failures.append(failure)
            plans = _distinct(plans)
            if len(plans) == 1 and (rule or 2 * plans[0].images >= len(self._images)):
                return plans[0]
            if plans:
                raise self._undecided(plans)
            if failures:
                raise failures[0]
        raise self._nothing(tiers)

    def _tiers(self, rule: Rule | None) -> tuple[tuple[Rule, ...], ...]:
        if rule is not None:
            return ((rule,),)
        if self._wishes.words:
            return TIERS[:1]
        return TIERS[1:] if self._wishes.size is not None else TIERS

    def _apply(self, rule: Rule) -> list[Plan]:
        """Every way in which ``rule`` finds groups."""
        size, gap = self._wishes.size, self._wishes.gap
        if rule in ("folders", "names"):
            pair = pair_folders if rule == "folders" else pair_names
            families = [self._roles] if self._roles is not None else present_roles(self._images, rule)
            plans = _united([pair(self._images, roles) for roles in families])
        elif rule == "exposure":
            plans = [pair_exposures(self._roll, gap=gap, size=size)]
        elif rule == "burst":
            plans = [pair_bursts(self._roll, gap=gap, size=size)]
        elif rule == "numbers":
            plans = [pair_numbers(self._images, size)]
        else:
            plans = [pair_scenes(self._images)]
        return [plan for plan in plans if plan.groups]

    def _undecided(self, plans: Sequence[Plan]) -> MismatchError:
        ways = "; ".join(
            f"--by {plan.rule}: {len(plan.groups)} groups from {plan.images} of {len(self._images)} images, "
            f"such as {listing([source.relative_to(self._root) for source in plan.groups[0].sources], 4)}"
            f" ({plan.groups[0].why})"
            for plan in plans
        )
        if len(plans) > 1:
            return MismatchError(
                f"{self._root}: the images can be grouped in {len(plans)} ways: {ways}",
                hint="choose one with --by, name the words that tell the sources apart with --pair, or give a manifest",
            )
        return MismatchError(
            f"{self._root}: only a small part of the images belongs together: {ways}",
            hint=f"--by {plans[0].rule} takes these groups and leaves the rest; or say more with --pair, or a manifest",
        )

    def _nothing(self, tiers: Sequence[Sequence[Rule]]) -> MismatchError:
        if not self._images:
            return MismatchError(f"{self._root}: no images in this folder")
        tried = ", ".join(rule for tier in tiers for rule in tier)
        words = self._wishes.words
        hint = "name what tells the sources apart with --pair vis,ir, or give a manifest"
        if not words and pair_scenes(self._images).groups:
            hint = f"if each folder is one stack: --by scenes; else {hint}"
        with_words = f" with the words {', '.join(words)}" if words else ""
        return MismatchError(
            f"{self._root}: {len(self._images)} images, and none belong together by {tried}{with_words}", hint=hint
        )


def _united(plans: Sequence[Plan]) -> list[Plan]:
    """One plan of several families of words where no image is claimed by two of them."""
    claimed = [source for plan in plans for group in plan.groups for source in group.sources]
    if len(plans) < 2 or len(set(claimed)) < len(claimed):
        return list(plans)
    reasons: dict[Path, Leftover] = {}
    for leftover in (leftover for plan in plans for leftover in plan.leftovers):
        # "There is no ir to it" says more than "lies in no folder of mri + ct".
        if leftover.path not in reasons or leftover.reason.startswith("there is no"):
            reasons[leftover.path] = leftover
    left = [leftover for path, leftover in reasons.items() if path not in set(claimed)]
    return [make_plan(plans[0].rule, [group for plan in plans for group in plan.groups], left)]


def _distinct(plans: Sequence[Plan]) -> list[Plan]:
    """One plan for each way to group, whatever rule found it."""
    found: dict[frozenset[frozenset[Path]], Plan] = {}
    for plan in plans:
        found.setdefault(frozenset(frozenset(group.sources) for group in plan.groups), plan)
    return list(found.values())

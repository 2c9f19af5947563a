"""The plan of a fusion: every source is read and looked at once, and aligned; then sources are prepared on demand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

from tita_cli.fusion.facts import Facts, Noise, needs_roles, settle_facts
from tita_cli.fusion.look import Decoded, Look, middle
from tita_cli.fusion.progress import Progress, silent
from tita_cli.fusion.roles import Roles, judge_roles
from tita_cli.fusion.source import Source
from tita_cli.images import Picture
from tita_cli.images.profile import common_profile, to_profile
from tita_cli.images.roles import role_of_name
from tita_cli.images.thermal_noise import reduce_noise
from tita_cli.images.value_range import ValueRange, apply_range, find_range, invert, settle_ranges
from tita_cli.options import Input
from tita_cli.runtime.threads import usable_cores

if TYPE_CHECKING:
    from tita_cli.align import Border, Calibration, Frame, Mode, Placement
    from tita_cli.align.stated import Stated


class Plan:
    """The sources of a fusion in the order given, prepared on demand: in one range, size, frame and profile.

    ``looks``: one for each source. ``frame``: what alignment found, None where it was switched off. ``shared``: the one
    range of all sources where they measure the same kind of thing; ``restored``: the same where the result goes back
    into it, which one that a palette has ``colored`` does not. ``profile``: the ICC profile of the prepared sources,
    None for sRGB. ``threads``: how many there may be, as many as there are cores unless given.

    ``resize``: whether sources of other sizes are brought to the reference's. ``deghost``: whether what moved gives way
    to what one source shows there: ``still``, or the middle exposure where that is None. ``lead``: index of the source
    whose profile the result bears, the reference where None. ``align``, ``border``, ``calibration``:
    as :func:`tita_cli.align.find_frame` has them; "none" does not look. ``reference``: where it is None, the photograph
    beside infrared, else the first of two, and of more what alignment chooses. ``options``: what is told of sources
    that have to be looked at first; ``roles_matter``: whether something else depends on which source is the infrared.
    Raises what ``find_frame`` raises, OptionError where no source is what an option means, InputError for a source that
    cannot be read, and MismatchError for unequal sizes that neither
    alignment nor ``resize`` explains.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        *,
        align: Mode = "auto",
        reference: int | None = None,
        border: Border = "crop",
        calibration: Calibration | None = None,
        resize: bool = False,
        deghost: bool = False,
        still: int | None = None,
        lead: int | None = None,
        budget: int | None = None,
        threads: int | None = None,
        progress: Progress = silent,
        options: Input | None = None,
        roles_matter: bool = False,
        colored: bool = False,
    ) -> None:
        self.sources = tuple(sources)
        options = options or Input()
        self._notes: list[str] = []
        self.deghosts, self._colored, self._progress = deghost, colored, progress
        self.threads = threads or usable_cores()
        self._decoded = Decoded(self.sources, budget, self.threads, progress)
        roles_matter |= len(sources) == 2 or needs_roles(options) or any(map(_says_what_it_is, sources))
        self._facts: Facts | None = None
        self._calm: set[int] = set()
        self.roles = Roles((None,) * len(sources))
        if roles_matter:
            self._settle(options)
        if reference is None:
            reference = self.roles.photograph
        if reference is None and (len(sources) == 2 or deghost or calibration is not None):
            reference = 0
        self.reference = reference or 0
        self._align(align, reference, border, calibration)
        if not roles_matter:
            self._settle(options)
        sizes = {(self.looks[index].width, self.looks[index].height) for index in self.used}
        if not resize and len(sizes) > 1:
            self._check_sizes()
        self.still = middle(self.looks, self.used) if still is None else still
        lead = self.reference if lead is None else lead
        with_chroma = next((look for look in self.looks if look.has_chroma), None)
        self.profile = common_profile(self.looks[lead], with_chroma)

    @property
    def used(self) -> tuple[int, ...]:
        """The indices of the sources to fuse: all but those that could not be aligned to the others."""
        left_out = () if self.frame is None else self.frame.left_out
        return tuple(index for index in range(len(self.sources)) if index not in left_out)

    @property
    def summary(self) -> str | None:
        """What alignment did, in one line; None where nothing moved."""
        return None if self.frame is None else self.frame.summary

    @property
    def looks(self) -> list[Look]:
        """One for each source."""
        return [self._decoded.look(index) for index in range(len(self.sources))]

    @property
    def facts(self) -> Facts:
        """What holds for each source."""
        if self._facts is None:
            raise ValueError("the sources were not looked at yet")
        return self._facts

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know: all of it once every source was read."""
        return tuple(dict.fromkeys(self._notes))

    @property
    def placements(self) -> tuple[Placement, ...]:
        """How alignment placed the sources; empty where it was switched off."""
        return () if self.frame is None else self.frame.placements

    def read(self, index: int, *, again: bool = False) -> Picture:
        """Source ``index`` as a strategy fuses it: H×W×1 or H×W×3 in 0..1, of one size and profile with the others.
        ``again``: it will be asked for once more, and may be kept until it is released."""
        picture = self.aligned(index, again=again)
        if self.deghosts and index != self.still:
            picture = self._deghosted(picture)
        return to_profile(picture, self.profile)

    def rows_of(self, index: int) -> Callable[[slice], Picture]:
        """What gives rows of :meth:`read`, to several threads at a time: made as a whole only where a row depends on
        others."""
        compact = self._decoded.kept(index)
        if compact is None or not self._by_pixel(index):
            picture = self.read(index)

            def cut(rows: slice) -> Picture:
                alpha = None if picture.alpha is None else picture.alpha[rows]
                return replace(picture, pixels=picture.pixels[rows], alpha=alpha)

            return cut
        left, top, width = 0, 0, self.looks[index].width
        if self.frame is not None:
            left, top, width = self.frame.area.left, self.frame.area.top, self.frame.area.width

        def make(rows: slice) -> Picture:
            part = compact.part(slice(rows.start + top, rows.stop + top), slice(left, left + width))
            return to_profile(self._in_range(index, part), self.profile)

        return make

    def _by_pixel(self, index: int) -> bool:
        """Whether every pixel of a source becomes one of the result's, by itself."""
        return not self.deghosts and self._lies_right(index)

    def _lies_right(self, index: int) -> bool:
        """Whether a source is neither moved nor resized, and keeps its noise."""
        look, target = self.looks[index], self.looks[self.reference]
        still = self.frame is None or self.frame.placements[index].is_still
        return still and (look.width, look.height) == (target.width, target.height) and self._noise(index) is None

    def _noise(self, index: int) -> Noise | None:
        """Which noise of a source is to be reduced; none where a first attempt found none."""
        return None if index in self._calm else self.facts.denoised[index]

    def value_range(self, index: int) -> ValueRange | None:
        """The values of source ``index`` that become 0 and 1; None for its own."""
        return self.shared or self._ranges[index]

    def release(self, index: int) -> None:
        """Source ``index`` was read for the last time."""
        self._decoded.release(index)

    def aligned(self, index: int, *, again: bool = False) -> Picture:
        """Source ``index`` in range and in the common frame, in its own profile. ``again``: see :meth:`read`."""
        kept = self._decoded.prepared(index)
        if kept is not None:
            return kept
        picture = self._sized(index)
        if self.frame is not None:
            picture = self.frame.place(index, picture)
        if again and not self._lies_right(index):
            self._decoded.keep_prepared(index, picture)
        self._notes += picture.notes
        return picture

    def aligned_raw(self, index: int) -> Picture:
        """Source ``index`` in its own values, in the common frame, transparent where the border is a mask."""
        picture = self._decoded.read(index)
        if self.frame is None:
            return picture
        return self.frame.masked(self.frame.place(index, picture, lambda: self._decoded.read(self.reference)))

    def in_own_values(self, index: int) -> Picture:
        """Source ``index`` in its own values, in the common frame, transparent where it shows nothing of it."""
        picture = self._decoded.read(index)
        return picture if self.frame is None else self.frame.place(index, picture)

    def _settle(self, options: Input) -> None:
        """Look at all sources, for their roles and facts."""
        self.roles = judge_roles(self.sources, self.looks)
        self._facts = settle_facts(self.sources, self.looks, self.roles, options)
        self._notes += self._facts.notes
        self._ranges, self.shared = settle_ranges(self._facts.ranges)
        self.restored = None if self._colored else self.shared

    def _align(self, align: Mode, reference: int | None, border: Border, calibration: Calibration | None) -> None:
        self.frame: Frame | None = None
        if align == "none":
            return
        from tita_cli.align import find_frame

        self.frame = find_frame(
            len(self.sources), self._first_reading, mode=align, reference=reference, border=border,
            calibration=calibration, start=self._stated,
        )  # fmt: skip
        self.reference = self.frame.reference
        self._notes += self.frame.notes

    def _first_reading(self, index: int) -> Picture:
        """Source ``index`` as far as its facts are known."""
        picture = self._decoded.read(index)
        if len(self._decoded.looks) == len(self.sources):
            self._progress("align", 0, 1)
        if self._facts is None:
            return apply_range(picture, find_range(picture, self.sources[index].value_range or "auto"))
        return self._in_range(index, picture)

    def _in_range(self, index: int, picture: Picture) -> Picture:
        """``picture``, of source ``index``, with the values of its range at 0..1, white where it is hot."""
        picture = apply_range(picture, self.value_range(index), undone=self.restored is not None)
        return invert(picture) if self.facts.inverted[index] else picture

    def _sized(self, index: int) -> Picture:
        """In range, without its sensor's noise, and of the reference's size unless alignment will see to that."""
        picture = self._in_range(index, self._decoded.read(index))
        noise = self._noise(index)
        if noise is not None:
            noisy, picture = picture, reduce_noise(picture, grain_too=noise == "all")
            if picture.pixels is noisy.pixels:
                self._calm.add(index)
        target = self.looks[self.reference]
        moved = self.frame is not None and self.frame.placements[index].accepted
        if moved or (picture.height, picture.width) == (target.height, target.width):
            return picture
        from tita_cli.images.resize import resize_picture

        note = f"{picture.name}: resized from {picture.size} to {target.width}×{target.height}"
        picture = resize_picture(picture, target.height, target.width)
        return replace(picture, notes=(*picture.notes, note))

    @cached_property
    def _still_picture(self) -> Picture:
        return self.aligned(self.still)

    def remark(self, note: str) -> None:
        """Add to the notes."""
        self._notes.append(note)

    def _deghosted(self, picture: Picture) -> Picture:
        from tita_cli.fusion.deghost import deghost

        reference = self._still_picture
        if reference.metadata.icc != picture.metadata.icc:
            reference = to_profile(reference, picture.metadata.icc)
        picture, share = deghost(picture, reference)
        if not share:
            return picture
        self._notes.append(
            f"{picture.name}: {share:.1%} replaced by {reference.name}, which shows something else there"
        )
        return picture

    def _stated(self, index: int) -> Stated | None:
        from tita_cli.fusion.stated import stated_place

        return stated_place(self.sources, self._decoded.looks, self.roles, index, self.reference)

    def _check_sizes(self) -> None:
        from tita_cli.align.frame import check_sizes
        from tita_cli.align.placement import Placement

        unaligned = [Placement.unaligned(look.name, (look.width, look.height)) for look in self.looks]
        placements = self.placements or unaligned
        check_sizes(
            [placements[index] for index in self.used], self.used.index(self.reference), looked=self.frame is not None
        )


def _says_what_it_is(source: Source) -> bool:
    return source.role is not None or role_of_name(source.name) is not None

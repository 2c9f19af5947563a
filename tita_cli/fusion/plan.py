"""The plan of a fusion: every source is read and looked at once, and aligned; then sources are prepared on demand."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

from tita_cli.fusion.look import Decoded, Look
from tita_cli.fusion.progress import Progress, silent
from tita_cli.fusion.source import Source
from tita_cli.images import Picture
from tita_cli.images.profile import common_profile, to_profile
from tita_cli.images.value_range import settle_ranges

if TYPE_CHECKING:
    from tita_cli.align import Border, Calibration, Frame, Mode, Placement
    from tita_cli.align.geometry import Matrix


class Plan:
    """The sources of a fusion in the order given, prepared on demand: in one range, size, frame and profile.

    ``looks``: one for each source. ``frame``: what alignment found, None where it was switched off. ``shared``: the one
    range of all sources where they measure the same kind of thing; the result goes back into it. ``profile``: the ICC
    profile of the prepared sources, None for sRGB.

    ``resize``: whether sources of other sizes are brought to the reference's. ``deghost``: whether what does not match
    the reference gives way to it. ``lead``: index of the source whose profile the result bears, the reference where
    None. ``align``, ``reference`` (None: chosen), ``border``, ``calibration``: as :func:`tita_cli.align.find_frame`
    has them; "none" does not look. Raises what that raises, InputError for a source that cannot be read, and
    MismatchError for unequal sizes that neither alignment nor ``resize`` explains.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        *,
        align: Mode = "auto",
        reference: int | None = 0,
        border: Border = "crop",
        calibration: Calibration | None = None,
        resize: bool = False,
        deghost: bool = False,
        lead: int | None = None,
        budget: int | None = None,
        progress: Progress = silent,
    ) -> None:
        self.sources = tuple(sources)
        self.reference = reference or 0
        self._notes: list[str] = []
        self._deghost = deghost
        self._reference_fills = deghost or (align != "none" and border != "crop")
        self._decoded = Decoded(self.sources, budget)
        looks: dict[int, Look] = {}

        def first_reading(index: int) -> Picture:
            progress("read", len(looks), len(self.sources))
            source, picture = self.sources[index], self._decoded.read(index)
            looks[index] = Look.at(source, picture)
            return source.in_range(picture, looks[index].range)

        self.frame: Frame | None = None
        if align == "none":
            for index in range(len(sources)):
                first_reading(index)
        else:
            from tita_cli.align import find_frame

            self.frame = find_frame(
                len(sources),
                first_reading,
                mode=align,
                reference=reference,
                border=border,
                calibration=calibration,
                start=lambda index: self._stated(looks, index),
            )
            self.reference = self.frame.reference
            self._notes += self.frame.notes
        self.looks = [looks[index] for index in range(len(sources))]
        if not resize and len({(self.looks[index].width, self.looks[index].height) for index in self.used}) > 1:
            self._check_sizes()
        self._ranges, self.shared = settle_ranges([look.range for look in self.looks])
        lead = self.reference if lead is None else lead
        colored = next((look for look in self.looks if look.has_chroma), None)
        self.profile = common_profile(self.looks[lead], colored)

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
    def notes(self) -> tuple[str, ...]:
        """What the user should know: all of it once every source was read."""
        return tuple(dict.fromkeys(self._notes))

    @property
    def placements(self) -> tuple[Placement, ...]:
        """How alignment placed the sources; empty where it was switched off."""
        return () if self.frame is None else self.frame.placements

    def read(self, index: int) -> Picture:
        """Source ``index`` as a strategy fuses it: H×W×1 or H×W×3 in 0..1, of one size and profile with the others."""
        picture = self.aligned(index)
        if self._deghost and index != self.reference:
            picture = self._deghosted(picture)
        return to_profile(picture, self.profile)

    def parts(self, index: int, strips: Iterable[slice]) -> Iterator[tuple[slice, Picture]]:
        """What :meth:`read` gives, some rows at a time: as a whole it is made only where a strip depends on others."""
        compact = self._decoded.kept(index)
        if compact is None or not self._by_pixel(index):
            picture = self.read(index)
            for rows in strips:
                alpha = None if picture.alpha is None else picture.alpha[rows]
                yield rows, replace(picture, pixels=picture.pixels[rows], alpha=alpha)
            return
        left, top, width = 0, 0, self.looks[index].width
        if self.frame is not None:
            left, top, width = self.frame.area.left, self.frame.area.top, self.frame.area.width
        for rows in strips:
            part = compact.part(slice(rows.start + top, rows.stop + top), slice(left, left + width))
            yield rows, to_profile(self._in_range(index, part), self.profile)

    def _by_pixel(self, index: int) -> bool:
        """Whether every pixel of a source becomes one of the result's, by itself."""
        look, target = self.looks[index], self.looks[self.reference]
        still = self.frame is None or self.frame.placements[index].is_still
        return still and (look.width, look.height) == (target.width, target.height) and not self._deghost

    def release(self, index: int) -> None:
        """Source ``index`` was read for the last time."""
        self._decoded.release(index)

    def aligned(self, index: int) -> Picture:
        """Source ``index`` in range and in the common frame, in its own profile."""
        kept = index == self.reference and self._reference_fills
        picture = self._reference if kept else self._sized(index)
        if self.frame is not None:
            picture = self.frame.place(index, picture, lambda: self._reference)
        self._notes += picture.notes
        return picture

    def aligned_raw(self, index: int) -> Picture:
        """Source ``index`` in its own values, in the common frame, transparent where the border is a mask."""
        picture = self._decoded.read(index)
        if self.frame is None:
            return picture
        return self.frame.masked(self.frame.place(index, picture, lambda: self._decoded.read(self.reference)))

    def _sized(self, index: int) -> Picture:
        """In range, and of the reference's size unless alignment will see to that."""
        picture = self._in_range(index, self._decoded.read(index))
        target = self.looks[self.reference]
        moved = self.frame is not None and self.frame.placements[index].accepted
        if moved or (picture.height, picture.width) == (target.height, target.width):
            return picture
        from tita_cli.images.resize import resize_picture

        note = f"{picture.name}: resized from {picture.size} to {target.width}×{target.height}"
        picture = resize_picture(picture, target.height, target.width)
        return replace(picture, notes=(*picture.notes, note))

    def _in_range(self, index: int, picture: Picture) -> Picture:
        return self.sources[index].in_range(picture, self.shared or self._ranges[index])

    @cached_property
    def _reference(self) -> Picture:
        """The reference before it is placed, kept for the places that other sources do not show."""
        return self._sized(self.reference)

    def _deghosted(self, picture: Picture) -> Picture:
        from tita_cli.fusion.deghost import deghost

        reference = self.aligned(self.reference)
        if reference.metadata.icc != picture.metadata.icc:
            reference = to_profile(reference, picture.metadata.icc)
        picture, share = deghost(picture, reference)
        if not share:
            return picture
        self._notes.append(f"{picture.name}: {share:.1%} replaced by the reference, which shows something else there")
        return picture

    def _stated(self, looks: Mapping[int, Look], index: int) -> Matrix | None:
        """How source ``index`` lies in the reference by what their camera states, where they are views of one file."""
        if not self.sources[index].shares_file(self.sources[self.reference]):
            return None
        from tita_cli.align.geometry import inverse

        own, theirs = looks[index].thermal, looks[self.reference].thermal
        if own is not None and theirs is None:
            return own.to_photograph
        if theirs is not None and theirs.to_photograph is not None and own is None:
            return inverse(theirs.to_photograph)
        return None

    def _check_sizes(self) -> None:
        from tita_cli.align.frame import check_sizes
        from tita_cli.align.placement import Placement

        unaligned = [Placement.unaligned(look.name, (look.width, look.height)) for look in self.looks]
        placements = self.placements or unaligned
        check_sizes(
            [placements[index] for index in self.used], self.used.index(self.reference), looked=self.frame is not None
        )

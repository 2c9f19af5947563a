"""Fuse two clips into one: decoding, the network, and encoding work side by side."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, TypeAlias

from tita_cli.errors import MismatchError, ModelError, UsageError
from tita_cli.fusion.plan import Plan
from tita_cli.images.atomic import atomic_output
from tita_cli.options import Depth, FuseOptions, OptionError
from tita_cli.runtime.set_engine import SetEngine
from tita_cli.video.ahead import ahead, apart
from tita_cli.video.clip import Clip
from tita_cli.video.frame import BT601, Frame
from tita_cli.video.fusing import Fuser, Ready
from tita_cli.video.opening import VideoSource, is_searchable, open_clips
from tita_cli.video.pairs import Unpaired, nearest_pairs
from tita_cli.video.plans import plan_clips
from tita_cli.video.style import Style
from tita_cli.video.writer import Encoding, Shape, Writer

if TYPE_CHECKING:
    from av.packet import Packet

    from tita_cli.align import Placement

STEADY = 0.5
"""Seconds over which decisions are averaged."""
_AHEAD = 4
"""Frames that one stage may be ahead of the next."""
_PAUSE = 0.5
"""Seconds without a frame that are worth a note."""

Audio: TypeAlias = "list[Packet[Any]]"

VideoProgress: TypeAlias = Callable[[int, float, float | None], None]
"""Told the frames that are written, the second of the clip, and its length, where that is known."""


@dataclass(frozen=True, slots=True)
class VideoOptions:
    """What a clip has beside the options of a fusion.

    ``offset``: seconds that are added to the time stamps of the second source. ``steady``: seconds over which
    decisions are averaged, 0 for none. ``audio``: index of the clip whose audio is kept, None for the reference's, or
    the other's where it has none; "none" for no audio.
    """

    offset: Fraction = Fraction(0)
    steady: float = STEADY
    audio: int | Literal["none"] | None = None
    encoding: Encoding = field(default_factory=Encoding)


@dataclass(slots=True)
class VideoResult:
    """How a clip was fused.

    ``codec``, ``format``: libav's encoder, and its format of samples. ``frames``: written; ``seconds``: that it took;
    ``duration``: time stamp of the last frame. ``interrupted``: whether it ends where it was stopped.
    """

    name: str
    width: int
    height: int
    codec: str
    format: str
    placements: tuple[Placement, ...]
    summary: str | None
    engine: dict[str, Any]
    reference: str
    frames: int = 0
    seconds: float = 0.0
    duration: float = 0.0
    interrupted: bool = False
    notes: list[str] = field(default_factory=list)


def fuse_video(
    sources: Sequence[VideoSource],
    output: str | BinaryIO,
    *,
    options: FuseOptions | None = None,
    video: VideoOptions | None = None,
    engine: SetEngine | None = None,
    overwrite: bool = False,
    progress: VideoProgress = lambda frames, second, total: None,
) -> VideoResult:
    """Fuse two clips, or the two video streams of one file, into a clip.

    ``output``: a path, written whole or not at all, or a binary stream. ``engine``: a loaded network for sets.

    After a KeyboardInterrupt the clip ends with the last fused frame, and the result says so: the file can be played. A
    second one is raised. ``progress`` is called in a thread.
    Raises InputError, MismatchError, OutputError, UsageError, ModelError, DeviceError.
    """
    how, video = options or FuseOptions(), video or VideoOptions()
    _check(how, video, len(sources))
    name = output if isinstance(output, str) else None
    video.encoding.encoder_for(video.encoding.container_for(name))
    # Nothing closes the clips: where one is a pipe, a thread may still be reading from it.
    clips = open_clips(sources)
    plan = plan_clips(clips, sources if all(map(is_searchable, sources)) else None, how, video.offset)
    job = _Job(clips, plan, how, video, engine or _load(how))
    if not isinstance(output, str):
        return job.run(output, None, progress)
    with atomic_output(output, overwrite=overwrite) as file:
        return job.run(file, output, progress)


def _check(how: FuseOptions, video: VideoOptions, count: int) -> None:
    """Raise OptionError for options that stills have and clips have not."""
    if count not in (1, 2):
        raise UsageError(f"a video is fused of two, {count} are given", hint="tita video IR.mp4 VIS.mp4 -o OUT.mp4")
    if how.border == "mask":
        raise OptionError("`border` mask: a video has no transparency", hint="`border` fill keeps the whole frame")
    if how.align == "flow":
        raise OptionError("`align` flow is for stills", hint="`align` auto suits a video")
    if isinstance(video.audio, int) and not 0 <= video.audio < 2:
        raise UsageError(f"`audio` {video.audio + 1}: there are two sources")


def _load(how: FuseOptions) -> SetEngine:
    from tita_cli.runtime import load_engine

    engine = load_engine(how.model, **how.engine_settings())
    if not isinstance(engine, SetEngine):
        raise ModelError(
            f"{how.model}: is a network for pairs of stills, a video takes one for sets",
            hint="tita models lists what there is; `model` names one",
        )
    return engine


class _Job:
    """One clip at work: frames are decoded and decided in two threads, blended and encoded in a third."""

    def __init__(
        self, clips: Sequence[Clip], plan: Plan, how: FuseOptions, video: VideoOptions, engine: SetEngine
    ) -> None:
        self._clips, self._plan, self._how, self._video, self._engine = clips, plan, how, video, engine
        self._reference, self._other = clips[plan.reference], clips[1 - plan.reference]
        deepest: Depth = 16 if any(clip.layout.depth == 16 for clip in clips) else 8
        self._is_lossless = video.encoding.codec == "ffv1"
        self._depth = how.depth or (deepest if self._is_lossless else 8)
        self._fuser = Fuser(clips, plan, engine, how, video.steady, self._depth)
        # Time stamps of the second source plus the offset are those of the first; the result has the reference's.
        self._offset = video.offset if plan.reference == 0 else -video.offset
        self._unpaired = Unpaired()
        colored = self._fuser.colored
        own = clips[colored[0]].layout if colored else self._reference.layout
        self._layout = replace(
            own, depth=self._depth, full=own.full if colored else self._is_lossless, tags=own.tags if colored else {}
        )  # fmt: skip
        self._style = Style(plan, how, self._layout, colored)

    def run(self, file: BinaryIO, name: str | None, progress: VideoProgress) -> VideoResult:
        """Fuse it all. Raises KeyboardInterrupt where nothing was written before it came."""
        begun = time.monotonic()
        beside = self._audio_clip()
        audio = [] if beside is None else beside.audio
        writer = Writer(file, name, self._video.encoding, self._shape(), audio, self._reference.metadata)
        result = self._result(writer)

        apart(lambda stop: self._work(writer, beside, result, progress, stop), "tita-encode")
        if not result.frames:
            raise KeyboardInterrupt if result.interrupted else self._nothing()
        result.seconds = time.monotonic() - begun
        result.notes = [*self._plan.notes, *self._style.notes, *writer.notes, *self._notes(result)]
        return result

    def _work(
        self, writer: Writer, beside: Clip | None, result: VideoResult, progress: VideoProgress, stop: threading.Event
    ) -> None:
        """Fuse and write it, up to where ``stop`` is set."""
        items = ahead(self._fused(beside, stop), _AHEAD, "tita-fuse", stop)
        try:
            for ready, packets in items:
                if ready is not None:
                    writer.write(ready.ticks, *self._style.picture(ready))
                if beside is not None:
                    writer.copy(packets, beside.start - (0 if beside is self._reference else self._offset))
                if ready is not None:
                    result.frames += 1
                    result.duration = float(ready.time)
                    progress(result.frames, result.duration, self._length())
        except KeyboardInterrupt:  # of ``progress``
            stop.set()
        finally:
            items.close()
            self._fuser.close()
        result.interrupted = stop.is_set()
        if result.frames:
            writer.close()

    def _fused(self, beside: Clip | None, stop: threading.Event) -> Iterator[tuple[Ready | None, Audio]]:
        """Decided frames, each with the audio that goes with it; none for audio that comes after the last."""
        for frames, packets in ahead(self._pairs(beside), _AHEAD, "tita-decode", stop):
            yield None if frames is None else self._fuser.fused(frames), packets

    def _pairs(self, beside: Clip | None) -> Iterator[tuple[list[Frame] | None, Audio]]:
        """Frames in the order of the sources, and the audio of the time that they cover."""
        pairs = nearest_pairs(
            self._reference.frames(), self._other.frames(), interval=1 / self._other.rate, offset=self._offset,
            unpaired=self._unpaired,
        )  # fmt: skip
        shift = Fraction(0) if beside is self._reference else self._offset
        begin = end = None
        for pair in pairs:
            end = pair[0].time + 1 / self._reference.rate
            begin = pair[0].time if begin is None else begin
            packets = [] if beside is None else beside.take_audio(begin - shift, end - shift)
            yield list(pair) if self._plan.reference == 0 else [pair[1], pair[0]], packets
        if beside is not None and begin is not None and end is not None:
            yield None, beside.take_audio(begin - shift, end - shift, reading_on=True)

    def _audio_clip(self) -> Clip | None:
        """The clip whose audio is kept."""
        wanted = self._video.audio
        if wanted == "none":
            return None
        choices = [self._reference, self._other] if wanted is None else [self._clips[int(wanted)]]
        found = next((clip for clip in choices if clip.audio), None)
        for clip in self._clips:
            if clip is not found:
                clip.drop_audio()
        if found is None and wanted is not None:
            raise UsageError(f"{choices[0].name}: has no audio")
        return found

    def _shape(self) -> Shape:
        window, layout = self._fuser.registration.window, self._layout
        is_color = bool(self._fuser.colored) or self._style.colors
        tags = layout.tags or ({"colorspace": BT601} if is_color else {})
        return Shape(
            window.width, window.height, self._reference.time_base, self._reference.rate, is_color, self._depth,
            layout.full, tags,
        )  # fmt: skip

    def _length(self) -> float | None:
        known = [clip.duration for clip in self._clips]
        return None if None in known else float(min(one for one in known if one is not None))

    def _result(self, writer: Writer) -> VideoResult:
        window = self._fuser.registration.window
        return VideoResult(
            writer.name, window.width, window.height, writer.codec, writer.format, self._plan.placements,
            self._plan.summary, self._engine.describe(), self._reference.name,
        )  # fmt: skip

    def _nothing(self) -> MismatchError:
        return MismatchError(
            f"{self._other.name} shows nothing of the time that {self._reference.name} shows",
            hint="`offset` moves the time stamps of the second source",
        )

    def _notes(self, result: VideoResult) -> Iterator[str]:
        """What the user should know of the clip as a whole."""
        for clip in self._clips:
            yield from clip.notes
        if self._unpaired.before:
            yield f"{self._reference.name}: {self._unpaired.before} frames are from before {self._other.name} begins"
        if self._unpaired.goes_on:
            yield f"{self._reference.name}: goes on after {self._other.name} ends, at {result.duration:.2f} s"
        if self._unpaired.longest > _PAUSE:
            yield f"{self._other.name}: has a pause of {float(self._unpaired.longest):.1f} s, in which it stands still"
        if (drifted := self._fuser.registration.drifted) > 0:
            yield f"{self._other.name}: drifted by {drifted:.1f} px against {self._reference.name}, which was followed"

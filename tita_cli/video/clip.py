"""Video streams as upright frames with time stamps, and the audio beside them as the packets it came in."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from tita_cli.errors import DamagedError, InputError
from tita_cli.video.frame import Frame, Layout

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import InputContainer
    from av.packet import Packet
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

_USUAL_RATE = Fraction(25)
_MICROSECONDS = 1_000_000
_MOST_WAITING = 600
"""Frames of one stream of a pipe that may wait for the other: more are hardly one recording."""


class Clip:
    """One video stream of a container, to be read once from its start.

    ``name``: what messages call it. ``rate``: frames a second on average. ``layout``: what all its frames are like.
    """

    def __init__(self, reader: Reader, stream: VideoStream, name: str) -> None:
        self.name, self._reader, self._stream = name, reader, stream
        self._waiting: deque[VideoFrame] = deque()
        self._first: Frame | None = None
        self._count = 0
        stream.thread_type = "AUTO"
        self.rate = stream.average_rate or stream.guessed_rate or _USUAL_RATE
        self.time_base = stream.time_base or 1 / self.rate
        self._start = round(reader.start / self.time_base)
        self.layout: Layout

    def open(self) -> None:
        """Decode the first frame, which tells the layout. Raises InputError where there is none."""
        first = self._next()
        if first is None:
            damaged = self._reader.damaged
            why = f"none of its {damaged} packets can be decoded" if damaged else "it has no frames"
            raise DamagedError(f"{self.name}: holds no video: {why}")
        self.layout = Layout.of(first)
        self._first = self._frame(first)

    def frames(self) -> Iterator[Frame]:
        """The frames in the order of their time stamps; one that is not later than the one before is left out."""
        last: Fraction | None = None
        while (frame := self._take()) is not None:
            if last is None or frame.time > last:
                last = frame.time
                yield frame

    def peek(self) -> Frame:
        """The first frame, of a clip of which nothing was read yet."""
        if self._first is None:
            raise ValueError("frames were read already")
        return self._first

    def seek(self, time: Fraction) -> Frame | None:
        """The first frame at ``time`` or after it, of a file that can be searched; None behind its end."""
        container = self._reader.container
        container.seek(int((time + self._reader.start) * _MICROSECONDS), backward=True)
        self._waiting.clear()
        self._first = None
        self._reader.rewind()
        return next((frame for frame in self.frames() if frame.time >= time), None)

    @property
    def duration(self) -> Fraction | None:
        """Seconds, where the container says so."""
        length = self._reader.container.duration
        return Fraction(length, _MICROSECONDS) if length and length > 0 else None

    @property
    def metadata(self) -> dict[str, str]:
        """What the container says of the recording."""
        return dict(self._reader.container.metadata)

    @property
    def notes(self) -> list[str]:
        """What reading could not use."""
        damaged = self._reader.damaged
        return [f"{self.name}: {damaged} damaged packets were left out"] if damaged else []

    @property
    def audio(self) -> list[AudioStream]:
        """The audio streams beside it."""
        return list(self._reader.container.streams.audio)

    def take_audio(self, begin: Fraction, end: Fraction, *, reading_on: bool = False) -> list[Packet[Any]]:
        """Packets of audio that begin from ``begin`` to before ``end``, in seconds of this clip, once each.

        ``reading_on``: past the frames, until audio of that time has come.
        """
        reader = self._reader
        while reading_on and not (reader.audio and self._time(reader.audio[-1]) >= end) and reader.step():
            self._waiting.clear()
        taken = []
        while reader.audio and self._time(reader.audio[0]) < end:
            packet = reader.audio.popleft()
            if self._time(packet) >= begin:
                taken.append(packet)
        return taken

    def drop_audio(self) -> None:
        """Nobody takes the audio beside this clip."""
        if all(clip is self for clip in self._reader.clips.values()):
            self._reader.keeps_audio = False
            self._reader.audio.clear()

    def _time(self, packet: Packet[Any]) -> Fraction:
        return Fraction(packet.pts or packet.dts or 0) * (packet.time_base or 1) - self._reader.start

    @property
    def start(self) -> Fraction:
        """The container's time stamp that counts as 0."""
        return self._reader.start

    def receive(self, packet: Packet[Any]) -> None:
        """Decode a packet of this stream."""
        import av

        try:
            self._waiting += packet.decode()
        except av.error.InvalidDataError:
            self._reader.damaged += 1

    def close(self) -> None:
        """Close the file; not while a thread reads from it."""
        self._reader.container.close()

    def _take(self) -> Frame | None:
        if self._first is not None:
            frame, self._first = self._first, None
            return frame
        found = self._next()
        return None if found is None else self._frame(found)

    def _next(self) -> VideoFrame | None:
        while not self._waiting:
            if not self._reader.step():
                return None
        return self._waiting.popleft()

    def _frame(self, frame: VideoFrame) -> Frame:
        ticks = frame.pts if frame.pts is not None else frame.dts
        if ticks is None:  # a stream without time stamps, as raw H.264 is
            ticks = self._start + round(self._count / self.rate / self.time_base)
        self._count += 1
        return Frame.of(frame, self.layout, ticks - self._start, self.time_base)

    @property
    def index(self) -> int:
        return int(self._stream.index)

    @property
    def crowded(self) -> bool:
        return len(self._waiting) > _MOST_WAITING


class Reader:
    """An open container. Frames and audio come in the order of the file; those not asked for yet wait."""

    def __init__(self, container: InputContainer, name: str) -> None:
        self.container, self.name = container, name
        self.start = Fraction(container.start_time or 0, _MICROSECONDS)
        self.damaged = 0
        self.audio: deque[Packet[Any]] = deque()
        self.clips: dict[int, Clip] = {}
        self.keeps_audio = True
        self._packets: Iterator[Any] | None = None

    def clip(self, number: int | None) -> Clip:
        """Its video stream ``number``, counted from 1; the first where None. Raises InputError."""
        streams = self.video_streams
        if not streams:
            raise InputError(f"{self.name}: holds no video stream")
        if not 1 <= (number or 1) <= len(streams):
            raise InputError(f"{self.name}@{number}: the file has {len(streams)} video streams, counted from 1")
        stream = streams[(number or 1) - 1]
        if stream.codec_context is None:
            raise InputError(f"{self.name}: its codec is none that this PyAV decodes")
        return self.clips.setdefault(
            stream.index, Clip(self, stream, self.name if number is None else f"{self.name}@{number}")
        )

    @property
    def video_streams(self) -> list[VideoStream]:
        """Without cover pictures."""
        import av

        cover = av.stream.Disposition.attached_pic
        return [stream for stream in self.container.streams.video if not stream.disposition & cover]

    def step(self) -> bool:
        """Read one packet; False at the end."""
        import av

        if self._packets is None:
            wanted: list[Any] = [self.container.streams[index] for index in self.clips]
            self._packets = self.container.demux(*wanted, *self.container.streams.audio)
        try:
            packet = next(self._packets, None)
        except av.error.FFmpegError as error:
            if isinstance(error, OSError) and error.errno and not isinstance(error, ValueError | EOFError):
                raise InputError(f"{self.name}: cannot be read: {error.strerror}") from error
            self.damaged += 1
            return False
        if packet is None:
            return False
        clip = self.clips.get(packet.stream.index)
        if clip is not None:
            clip.receive(packet)
            if clip.crowded:
                raise InputError(f"{self.name}: its streams do not run beside each other", hint="put them into files")
        elif packet.dts is not None and self.keeps_audio:
            self.audio.append(packet)
        return True

    def rewind(self) -> None:
        """After a seek."""
        self._packets = None
        self.audio.clear()

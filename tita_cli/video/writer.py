"""Write the fused clip: encode frames, put audio beside them as it came, keep all time stamps."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

import numpy as np

from tita_cli.errors import OutputError, UsageError, first_line
from tita_cli.images.picture import FloatArray
from tita_cli.options import Depth
from tita_cli.video.frame import FULL_RANGE, LIMITED_RANGE, Codes
from tita_cli.video.sink import SeekableSink, Sink

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import OutputContainer
    from av.packet import Packet
    from av.video.stream import VideoStream

CODECS = {"h264": "libx264", "hevc": "libx265", "av1": "libsvtav1", "vp9": "libvpx-vp9", "ffv1": "ffv1"}
"""What users call codecs, and libav's encoder; its own names are understood too."""
STDOUT_CONTAINER = "matroska"
_CONTAINERS = {"mkv": "matroska", "ts": "mpegts", "m4v": "mp4", "mka": "matroska", "qt": "mov"}
_OPTIONS = {
    "libx264": {"preset": "veryfast", "crf": "18"},
    "libx265": {"preset": "veryfast", "crf": "20", "x265-params": "log-level=error"},
    "libsvtav1": {"preset": "9", "crf": "28"},
    "libvpx-vp9": {"deadline": "realtime", "cpu-used": "5", "crf": "28", "b": "0"},
    "ffv1": {"level": "3", "slices": "4"},
}
_THREADS = 2
"""Of an encoder. Fixed, since some encoders' bytes depend on it."""
_SAME = {"fflags": "+bitexact"}
"""The same clips give the same bytes: without it, Matroska has random numbers."""
_STREAMED = {"movflags": "frag_keyframe+empty_moov+default_base_moof"}
"""Of MP4 that goes into a pipe, which cannot come back to write its index."""


@dataclass(frozen=True, slots=True)
class Encoding:
    """``codec``: of ``CODECS``, or an encoder of libav; None for what suits the container. ``crf``: its constant rate
    factor, None for ours. ``container``: libav's name, None for that of the file's suffix."""

    codec: str | None = None
    crf: int | None = None
    container: str | None = None

    def container_for(self, name: str | None) -> str:
        """The container for a file ``name``, None for stdout. Raises OutputError for one that libav does not write."""
        import av

        suffix = "" if name is None else Path(name).suffix.lower().lstrip(".")
        if self.container is None and name is not None and not suffix:
            raise OutputError(f"{name}: which container?", hint="a suffix such as .mp4 or .mkv, or `container`")
        wanted = self.container or suffix or STDOUT_CONTAINER
        wanted = _CONTAINERS.get(wanted, wanted)
        try:
            known = av.ContainerFormat(wanted, "w")
        except (ValueError, av.error.FFmpegError) as error:
            raise OutputError(f"{name or '<stdout>'}: libav writes no container {wanted!r}") from error
        if not known.is_output:
            raise OutputError(f"{name or '<stdout>'}: libav does not write {wanted!r}")
        return wanted

    def encoder_for(self, container: str) -> str:
        """The encoder. Raises UsageError for one that this PyAV lacks."""
        import av

        wanted = self.codec or ("vp9" if container == "webm" else "h264")
        name = CODECS.get(wanted, wanted)
        try:
            codec = av.Codec(name, "w")
        except (ValueError, av.error.FFmpegError) as error:
            raise UsageError(
                f"`codec` {wanted}: this PyAV has no such encoder", hint=f"one of {', '.join(CODECS)}"
            ) from error
        if codec.type != "video":
            raise UsageError(f"`codec` {wanted}: encodes {codec.type}, not video")
        return codec.name

    def options_for(self, encoder: str) -> dict[str, str]:
        """What the encoder is told."""
        found = dict(_OPTIONS.get(encoder, {}))
        return found if self.crf is None else {**found, "crf": str(self.crf)}


@dataclass(frozen=True, slots=True)
class Shape:
    """What is written: size, time base, frames a second on average, colour or not, bits, range and colour tags."""

    width: int
    height: int
    time_base: Fraction
    rate: Fraction
    is_color: bool
    depth: Depth
    full: bool
    tags: dict[str, int]


class Writer:
    """An open output. Raises OutputError for what cannot be written, UsageError for an encoder that cannot do it.

    ``audio``: streams to copy; those that the container does not take are left out, and ``notes`` say so.
    """

    def __init__(
        self, file: BinaryIO, name: str | None, encoding: Encoding, shape: Shape, audio: Sequence[AudioStream],
        metadata: dict[str, str],
    ) -> None:  # fmt: skip
        import av

        self.notes: list[str] = []
        self._shape, self.name = shape, name or "<stdout>"
        container = encoding.container_for(name)
        encoder = encoding.encoder_for(container)
        searchable = name is not None and file.seekable()  # what else stands in stdout is not ours
        streamed = _SAME | (_STREAMED if not searchable and container in ("mp4", "mov") else {})
        self._sink = SeekableSink(file) if searchable else Sink(file)
        self._output: OutputContainer = av.open(self._sink, "w", format=container, container_options=streamed)
        self._output.metadata.update(metadata)
        if av.Codec(encoder, "w").canonical_name not in self._output.supported_codecs:
            self._output.close()
            raise UsageError(f"{self.name}: {container} holds no {encoder}", hint="another `codec`, or .mkv")
        self._stream = self._video(encoder, encoding)
        self._audio = {stream.index: copy for stream in audio if (copy := self._copied(stream)) is not None}
        self.codec, self.container = encoder, container
        self.format = self._stream.pix_fmt or ""
        with self._telling():
            self._output.start_encoding()

    def _video(self, encoder: str, encoding: Encoding) -> VideoStream:
        shape = self._shape
        os.environ.setdefault("SVT_LOG", "1")  # errors only: that library prints
        made = self._output.add_stream(encoder, rate=shape.rate, options=encoding.options_for(encoder))
        stream = cast("VideoStream", made)
        context = stream.codec_context
        stream.width, stream.height = shape.width, shape.height
        stream.pix_fmt = _pixel_format(encoder, shape)
        stream.time_base = context.time_base = shape.time_base
        context.thread_count = _THREADS
        context.color_range = FULL_RANGE if shape.full else LIMITED_RANGE
        for tag, value in shape.tags.items():
            setattr(context, tag, value)
        return stream

    def _copied(self, stream: AudioStream) -> Any:
        kind = "unknown" if stream.codec_context is None else stream.codec_context.codec.canonical_name
        if kind not in self._output.supported_codecs:
            self.notes.append(f"the audio ({kind}) does not fit {self.name} and is left out; .mkv takes it")
            return None
        return self._output.add_stream_from_template(stream)

    def write(self, ticks: int, luminance: FloatArray, chroma: tuple[Codes, Codes] | None) -> None:
        """Encode a frame: luminance H×W in 0..1; chroma in codes, ⌈H/2⌉×⌈W/2⌉."""
        import av

        shape = self._shape
        frame = av.VideoFrame(shape.width, shape.height, _working_format(shape, self.format))
        target = np.uint8 if shape.depth == 8 else np.uint16
        scale = 1 if shape.depth == 8 else 256
        top = 255 * scale + scale - 1
        low, high = (0, top) if shape.full else (16 * scale, 235 * scale)
        _fill(frame.planes[0], np.rint(luminance * np.float32(high - low) + np.float32(low)).astype(target))
        for index in range(1, len(frame.planes)):
            _fill(frame.planes[index], 128 * scale if chroma is None else chroma[index - 1])
        frame.pts, frame.time_base = ticks, shape.time_base
        frame.color_range = FULL_RANGE if shape.full else LIMITED_RANGE
        if frame.format.name != self.format:
            frame = frame.reformat(format=self.format)
        with self._telling():
            self._output.mux(self._stream.encode(frame))

    def copy(self, packets: Sequence[Packet[Any]], start: Fraction) -> None:
        """Put packets of audio into the output; ``start`` (seconds) is subtracted from their time stamps."""
        for packet in packets:
            target = self._audio.get(packet.stream.index)
            if target is None:
                continue
            shift = round(start / (packet.time_base or 1))
            packet.pts = None if packet.pts is None else packet.pts - shift
            packet.dts = None if packet.dts is None else packet.dts - shift
            packet.stream = target
            with self._telling():
                self._output.mux(packet)

    def close(self) -> None:
        """Encode what waits in the encoder, and end the file."""
        with self._telling():
            self._output.mux(self._stream.encode(None))
            self._output.close()

    @contextmanager
    def _telling(self) -> Iterator[None]:
        import av

        try:
            yield
            self._sink.check()
        except av.error.FFmpegError as error:
            self._sink.check()
            reason = getattr(error, "strerror", None) or first_line(error)
            raise OutputError(f"{self.name}: cannot be written: {reason}") from error


def _pixel_format(encoder: str, shape: Shape) -> str:
    """The encoder's format of samples that suits best. Raises UsageError for a depth that it does not have."""
    import av

    known = [one.name for one in av.Codec(encoder, "w").video_formats or ()]
    wanted = {8: ["yuv420p"], 16: ["yuv420p16le", "yuv420p10le", "yuv420p12le"], 32: []}[shape.depth]
    if not shape.is_color and encoder == "ffv1":
        wanted = ["gray" if shape.depth == 8 else "gray16le", *wanted]
    if shape.full and shape.depth == 8 and "yuv420p" not in known:
        wanted.append("yuvj420p")
    found = next((name for name in wanted if name in known), None)
    if found is None:
        raise UsageError(f"{encoder} has no {shape.depth} bits a sample", hint="`codec` ffv1 has 16, `depth` 8 all")
    return found


def _working_format(shape: Shape, written: str) -> str:
    """Of the planes that are filled: libav brings them to fewer bits."""
    if written.startswith("gray"):
        return written
    return "yuv420p" if shape.depth == 8 else "yuv420p16le"


def _fill(plane: Any, values: Any) -> None:
    dtype = np.uint8 if plane.line_size < 2 * plane.width else np.uint16
    rows = np.frombuffer(plane, dtype).reshape(-1, plane.line_size // np.dtype(dtype).itemsize)
    rows[: plane.height, : plane.width] = values

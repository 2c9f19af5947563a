"""``tita video``: two clips of one scene become one."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO, ClassVar, Literal

import typer

from tita_cli.cli.arguments import refuse_folder_as_output, refuse_folders
from tita_cli.cli.console import envelope, results, say, warn
from tita_cli.cli.expand import Only, expand
from tita_cli.cli.streams import STDOUT
from tita_cli.errors import InputError, UsageError, need
from tita_cli.options import Alignment, Group, Input, Network, Output, Reporting, Writing, merged, option
from tita_cli.options.values import source_or_none

if TYPE_CHECKING:
    from tita_cli.video import VideoResult

PIPE = "-"


def parse_seconds(text: str) -> Fraction:
    """Seconds as a decimal number or a fraction, exactly."""
    try:
        return Fraction(text)
    except (ValueError, ZeroDivisionError):
        raise ValueError(f"{text!r} is no number of seconds") from None


@dataclass(frozen=True, kw_only=True)
class Timing(Group):
    """What belongs together in time, and how steady it is."""

    PANEL: ClassVar[str] = "Time"

    offset: Fraction = option(
        Fraction(0), "Seconds to add to the time stamps of the second source.", metavar="S", parse=parse_seconds,
        config=False,
    )  # fmt: skip
    steady: float = option(
        0.5, "Seconds over which the network's decisions are averaged where nothing changes; 0 fuses frame by frame.",
        minimum=0, metavar="S",
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Encoder(Group):
    """How the clip is written."""

    PANEL: ClassVar[str] = "Output"

    codec: str | None = option(
        None, "h264, hevc, av1, vp9, ffv1 (lossless, up to 16 bits), or an encoder of libav.", metavar="NAME",
        unset="h264; vp9 in .webm",
    )  # fmt: skip
    crf: int | None = option(
        None, "Constant rate factor of the encoder: lower is better and larger.", minimum=0, metavar="N",
        unset="18 for h264",
    )  # fmt: skip
    container: str | None = option(
        None, "Container of the result, as libav calls it.", metavar="NAME",
        unset="by the file name's suffix, matroska for stdout",
    )  # fmt: skip
    audio: int | Literal["none"] | None = option(
        None, "The source, counted from 1, whose audio is copied.", metavar="N|none", parse=source_or_none,
        unset="the reference's, else the other's",
    )  # fmt: skip


@expand
def command(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="IR VIS",
            help="Two clips of one scene, or one file that holds both streams; both.mkv@2 is its second, - is stdin.",
            show_default=False,
        ),
    ],
    output: Annotated[
        str,
        typer.Option(
            "--output", "-o", metavar="OUT", rich_help_panel="Output", help="The clip to write; - for stdout."
        ),
    ],
    timing: Timing,
    input: Annotated[Input, Only(("resize", "value_range", "polarity", "role", "false_color"))],
    alignment: Annotated[Alignment, Only(("align", "reference", "border", "align_from"))],
    network: Network,
    result: Annotated[Output, Only(("color", "balance", "palette", "overlay", "depth"))],
    encoder: Encoder,
    writing: Annotated[Writing, Only(("force",))],
    reporting: Reporting,
) -> int:
    """Fuse two videos of one scene into one.

    Frames belong together by their time stamps, whatever the rates. The clip is aligned once, and slow drift is
    followed. The reference, which is the photograph beside infrared, gives the frame, the time stamps, the colour and
    the audio. Ctrl-C ends the clip with the last fused frame.
    """
    need("tita video", "av")
    from tita_cli.images.atomic import check_writable
    from tita_cli.runtime.device import DeviceRequest
    from tita_cli.runtime.memory import raise_malloc_thresholds
    from tita_cli.video import Encoding, VideoOptions, fuse_video

    output = PIPE if output in STDOUT else output
    refuse_folders(sources)
    if reporting.json and output == PIPE:
        raise UsageError("--json and -o - both want stdout", hint="write the clip to a file")
    DeviceRequest(network.backend, network.device, network.provider).check()
    if output != PIPE:
        refuse_folder_as_output(output, sources, ".mp4")
        check_writable(output, overwrite=writing.force, sources=sources)
    elif sys.stdout.isatty():
        raise UsageError("a video does not belong on a terminal", hint="-o FILE, or pipe the output")
    raise_malloc_thresholds()
    video = VideoOptions(
        timing.offset, timing.steady, encoder.audio, Encoding(encoder.codec, encoder.crf, encoder.container)
    )
    with results() as stdout:
        with _showing(quiet=reporting.quiet) as progress:
            fused = fuse_video(
                _opened(sources), stdout if output == PIPE else output,
                options=merged(input, alignment, network, result), video=video, overwrite=writing.force,
                progress=progress,
            )  # fmt: skip
        if reporting.json:
            stdout.write(envelope("video", _report(fused, sources)))
    for note in () if reporting.quiet else [*fused.engine.get("notes", ()), *fused.notes]:
        warn(note)
    if reporting.verbose:
        say("tita: " + ", ".join(f"{key} {value}" for key, value in fused.engine.items()))
    if not reporting.quiet:
        say(f"tita: {_summary(fused)}")
    if fused.interrupted:
        raise KeyboardInterrupt
    return 0


def _opened(sources: list[str]) -> list[str | BinaryIO]:
    """``-`` is stdin, once, with one or two streams."""
    if PIPE in sources and sys.stdin.isatty():
        raise InputError("<stdin>: a terminal, not a video", hint="ffmpeg … -f matroska - | tita video - vis.mp4 -o …")
    if sources.count(PIPE) > 1:
        raise UsageError("stdin is one container: - is given once", hint="two streams in it are found by themselves")
    return [sys.stdin.buffer if source == PIPE else source for source in sources]


def _summary(fused: VideoResult) -> str:
    rate = f", {fused.frames / fused.seconds:.1f} a second" if fused.seconds else ""
    size = f"{fused.width}×{fused.height}, {fused.codec}"
    parts = [f"{fused.name}: {size}, {fused.frames} frames in {fused.seconds:.1f} s{rate}"]
    failed = [placement.name for placement in fused.placements if not placement.accepted]
    if fused.summary is not None:
        parts.append(fused.summary)
    elif fused.placements and not failed:
        parts.append("the sources were aligned already")
    if failed:
        parts.append(f"{failed[0]} NOT aligned")
    if fused.interrupted:
        parts.append(f"ends at {fused.duration:.2f} s, where it was stopped")
    return "; ".join(parts)


def _report(fused: VideoResult, sources: list[str]) -> dict[str, Any]:
    return {
        "sources": sources,
        "output": fused.name,
        "reference": fused.reference,
        "width": fused.width,
        "height": fused.height,
        "codec": fused.codec,
        "pixel_format": fused.format,
        "frames": fused.frames,
        "seconds": round(fused.seconds, 3),
        "interrupted": fused.interrupted,
        "align": [placement.describe() for placement in fused.placements],
        "engine": fused.engine,
        "notes": fused.notes,
    }


@contextmanager
def _showing(*, quiet: bool) -> Iterator[Callable[[int, float, float | None], None]]:
    """A bar on a terminal, with frames a second."""
    if quiet or not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
        yield lambda frames, second, total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (BarColumn(), TextColumn("{task.description}", markup=False), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task, begun = bar.add_task("looking at the clips", total=None), 0.0

        def show(frames: int, second: float, total: float | None) -> None:
            nonlocal begun
            begun = begun or time.monotonic()
            rate = (frames - 1) / max(time.monotonic() - begun, 1e-3)
            bar.update(task, description=f"{frames} frames, {rate:.1f} a second", completed=second, total=total)

        yield show

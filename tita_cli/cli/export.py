"""``tita export``: a model becomes an ONNX file, for tita itself and for any other runtime."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tita_cli.cli import options
from tita_cli.cli.console import envelope, results, say
from tita_cli.errors import OutputError, UsageError

if TYPE_CHECKING:
    from tita_cli.export.export import Exported


def command(
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            metavar="OUT.onnx",
            rich_help_panel=options.OUTPUT,
            help="The file to write.",
            show_default=False,
        ),
    ],
    model: options.Model = "tita-lite",
    precision: Annotated[
        str,
        typer.Option(
            "--precision",
            metavar="fp32|fp16|int8",
            rich_help_panel=options.OUTPUT,
            help="Of the numbers inside: fp16 halves the file and is for GPUs, int8 needs --calibrate.",
        ),
    ] = "fp32",
    calibrate: Annotated[
        list[Path] | None,
        typer.Option(
            "--calibrate",
            metavar="FILE",
            rich_help_panel=options.INPUT,
            show_default=False,
            help="For int8: the two sources of each of four scenes or more, one after the other, repeating the option.",
        ),
    ] = None,
    opset: Annotated[
        int, typer.Option("--opset", rich_help_panel=options.OUTPUT, help="Version of ONNX's operations, 18 to 23.")
    ] = 20,
    size: Annotated[
        str | None,
        typer.Option(
            "--size",
            metavar="HxW",
            rich_help_panel=options.OUTPUT,
            show_default=False,
            help="The only size that the file takes, for runtimes that want one  \\[default: --dynamic].",
        ),
    ] = None,
    dynamic: Annotated[
        bool, typer.Option("--dynamic", rich_help_panel=options.OUTPUT, help="Any size and number of images at once.")
    ] = False,
    force: options.Force = False,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
) -> None:
    """Write a model as an ONNX file, and check it against PyTorch on sizes that the exporter has not seen.

    A file that differs by more than 1e-4 (fp32), 1/255 (fp16) or, on scenes that did not calibrate it, half a level of
    255 on average (int8) is not written.

    The file stands for itself: luminance a and b go in, N×1×H×W in 0..1, and fused, weights and gate come out. It takes
    a minute or two.
    """  # fmt: skip
    if output.suffix.lower() != ".onnx":
        raise OutputError(f"{output}: an exported model is an .onnx file", hint="name the output OUT.onnx")
    if dynamic and size is not None:
        raise UsageError("--dynamic and --size contradict each other")
    height_width = _size(size)
    from tita_cli.images.atomic import check_writable
    from tita_cli.models.find import find_model

    path = find_model(model, suffix=".safetensors")
    if path.suffix.lower() == ".onnx":
        raise UsageError(f"{path}: is an ONNX file already")
    check_writable(output, overwrite=force)
    from tita_cli.export.export import export

    with results() as stdout:
        done = export(
            path, output, precision=precision, images=calibrate or (), opset=opset, size=height_width, overwrite=force
        )
        if as_json:
            stdout.write(envelope("export", _report(done)))
    if not quiet and not as_json:
        sizes = ", ".join(f"{check.batch}×{check.height}×{check.width}" for check in done.checks)
        say(f"{done.path}: {done.variant}, {done.precision}, opset {done.opset}, {done.size / 1e6:.1f} MB")
        say(f"largest difference from PyTorch on {sizes}: {done.worst:.1e}, on average {done.average:.1e}")


def _report(done: Exported) -> dict[str, object]:
    return {
        "output": str(done.path),
        "variant": done.variant,
        "opset": done.opset,
        "precision": done.precision,
        "bytes": done.size,
        "checks": [check._asdict() for check in done.checks],
        "difference": done.worst,
        "average_difference": done.average,
    }


def _size(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    match = re.fullmatch(r"(\d+)[x×](\d+)", text)
    if match is None:
        raise UsageError(f"--size {text}: not HxW", hint="as in --size 480x640")
    return int(match[1]), int(match[2])

"""``tita export``: a model becomes an ONNX file, for tita itself and for any other runtime."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

import typer

from tita_cli.cli.console import envelope, results, say
from tita_cli.cli.expand import Only, expand
from tita_cli.cli.stages import showing
from tita_cli.errors import OutputError, UsageError, is_installed, need
from tita_cli.options import Network, Reporting, Writing, option

if TYPE_CHECKING:
    from tita_cli.export.export import Exported


def parse_height_width(text: str) -> tuple[int, int]:
    """``HxW``. Raises ValueError."""
    match = re.fullmatch(r"(\d+)[x×](\d+)", text)
    if match is None:
        raise ValueError(f"{text!r} is not HxW, as in 480x640")
    return int(match[1]), int(match[2])


@dataclass(frozen=True, kw_only=True)
class File(Writing):
    """What the ONNX file is like."""

    PANEL: ClassVar[str] = "Output"

    precision: Literal["fp32", "fp16"] = option("fp32", "Of the numbers inside: fp16 halves the file and is for GPUs.")
    opset: int = option(20, "Version of ONNX's operations, 18 to 20.", metavar="N")
    size: tuple[int, int] | None = option(
        None, "The only size that the file takes, for runtimes that want one.", metavar="HxW", parse=parse_height_width,
        unset="--dynamic", many=False,
    )  # fmt: skip
    dynamic: bool = option(False, "Any size and number of images at once.")


@expand
def command(
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            metavar="OUT.onnx",
            rich_help_panel="Output",
            help="The file to write.",
            show_default=False,
        ),
    ],
    network: Annotated[Network, Only(("model",))],
    file: Annotated[File, Only(("precision", "opset", "size", "dynamic", "force"))],
    reporting: Annotated[Reporting, Only(("json", "quiet"))],
) -> None:
    """Write a model as an ONNX file, and check it against PyTorch on sizes that the exporter has not seen.

    A file that differs by more than 1e-4 (fp32) or 1/255 (fp16) is not written. Without PyTorch, a model that ships is
    written as the file that ships, for any size.

    The file stands for itself: luminance a and b go in, N×1×H×W in 0..1, and fused and weights come out. Of a
    network for sets, images, hidden and role go in, and shares, gains, direct and weights come out.
    """  # fmt: skip
    if output.suffix.lower() != ".onnx":
        raise OutputError(f"{output}: an exported model is an .onnx file", hint="name the output OUT.onnx")
    if file.dynamic and file.size is not None:
        raise UsageError("--dynamic and --size contradict each other")
    from tita_cli.images.atomic import check_writable
    from tita_cli.models.find import find_model, shipped_models

    by_default = replace(file, force=False, dynamic=False) == File()
    if by_default and network.model in shipped_models() and not is_installed("torch", "onnx"):
        _copy(find_model(network.model, suffix=".onnx"), output, network.model, file, reporting)
        return
    need("tita export", "torch", "onnx")
    path = find_model(network.model, suffix=".safetensors")
    if path.suffix.lower() == ".onnx":
        raise UsageError(f"{path}: is an ONNX file already")
    check_writable(output, overwrite=file.force, sources=[path])
    from tita_cli.export.export import export

    with results() as stdout, showing(quiet=reporting.quiet) as progress:
        done = export(
            path,
            output,
            precision=file.precision,
            opset=file.opset,
            size=file.size,
            overwrite=file.force,
            progress=progress,
        )
        if reporting.json:
            stdout.write(envelope("export", _report(done)))
    if not reporting.quiet and not reporting.json:
        sizes = ", ".join(f"{check.batch}×{check.height}×{check.width}" for check in done.checks)
        say(f"{done.path}: {done.variant}, {done.precision}, opset {done.opset}, {done.size / 1e6:.1f} MB")
        say(f"largest difference from PyTorch on {sizes}: {done.worst:.1e}")


def _copy(shipped: Path, output: Path, name: str, file: File, reporting: Reporting) -> None:
    """Write the export of a model that ships: the file that ``weights/refresh.py`` has exported and checked."""
    from tita_cli.images.atomic import atomic_output, check_writable

    check_writable(output, overwrite=file.force, sources=[shipped])
    model = shipped.read_bytes()
    with results() as stdout, atomic_output(output, overwrite=file.force) as target:
        target.write(model)
        if reporting.json:
            known = {"output": str(output), "variant": name, "opset": file.opset, "precision": file.precision}
            stdout.write(envelope("export", {**known, "bytes": len(model), "checks": [], "difference": None}))
    if not reporting.quiet and not reporting.json:
        say(f"{output}: {name}, {file.precision}, opset {file.opset}, {len(model) / 1e6:.1f} MB")
        say("it is the file that ships, which was compared with PyTorch when it was made; there is no PyTorch here")


def _report(done: Exported) -> dict[str, object]:
    return {
        "output": str(done.path),
        "variant": done.variant,
        "opset": done.opset,
        "precision": done.precision,
        "bytes": done.size,
        "checks": [check._asdict() for check in done.checks],
        "difference": done.worst,
    }

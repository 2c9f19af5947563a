"""Options that several commands share, declared once. Help is grouped by the stage of the pipeline it belongs to."""

from __future__ import annotations

from typing import Annotated

import typer

INPUT = "Input"
ALIGNMENT = "Alignment"
NETWORK = "Network"
OUTPUT = "Output"
REPORTING = "Reporting"

Model = Annotated[
    str,
    typer.Option(
        "--model", "-m", metavar="NAME|PATH", rich_help_panel=NETWORK,
        help="A shipped model (see [bold]tita models[/]) or a file: .safetensors, .pth or .onnx.",
    ),
]  # fmt: skip
Device = Annotated[
    str, typer.Option("--device", metavar="auto|cpu|cuda[:N]", rich_help_panel=NETWORK, help="Where the network runs.")
]
Backend = Annotated[
    str,
    typer.Option(
        "--backend", metavar="auto|torch|onnx", rich_help_panel=NETWORK,
        help="What runs the network: auto takes what is there for the model and the device.",
    ),
]  # fmt: skip
Provider = Annotated[
    str | None,
    typer.Option(
        "--provider", metavar="NAME", rich_help_panel=NETWORK, show_default=False,
        help="ONNX Runtime's execution provider: cpu, cuda, tensorrt …  \\[default: as --device says].",
    ),
]  # fmt: skip
Memory = Annotated[
    str | None,
    typer.Option(
        "--memory", metavar="SIZE", rich_help_panel=NETWORK, show_default=False,
        help="What the network may take, as 800M or 2G; larger images are cut into tiles, to the same result  "
        "\\[default: half of what is free].",
    ),
]  # fmt: skip
Threads = Annotated[
    int | None,
    typer.Option("--threads", min=1, rich_help_panel=NETWORK, help="CPU threads  \\[default: all cores]."),
]
Force = Annotated[
    bool, typer.Option("--force", "-f", rich_help_panel=OUTPUT, help="Replace an output that exists already.")
]
AsJson = Annotated[
    bool, typer.Option("--json", rich_help_panel=REPORTING, help="Print the result as one JSON document on stdout.")
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", rich_help_panel=REPORTING, help="Print errors only.")]
Verbose = Annotated[
    bool, typer.Option("--verbose", "-v", rich_help_panel=REPORTING, help="Say what is done, and with what.")
]
Align = Annotated[
    str,
    typer.Option(
        "--align", metavar="auto|none|strict|MODEL", rich_help_panel=ALIGNMENT,
        help="How the sources come into one frame: auto by the simplest motion that explains them and not at all where "
        "that cannot be trusted, strict fails then. MODEL is translation, similarity, affine, homography or flow.",
    ),
]  # fmt: skip
Reference = Annotated[
    int,
    typer.Option(
        "--reference", min=1, metavar="N", rich_help_panel=ALIGNMENT,
        help="The source, counted from 1, whose frame and size the result has.",
    ),
]  # fmt: skip
Border = Annotated[
    str,
    typer.Option(
        "--border", metavar="crop|fill|mask", rich_help_panel=ALIGNMENT,
        help="Where not all sources show something: crop it away, fill it from the reference, or make it transparent.",
    ),
]  # fmt: skip
AlignFrom = Annotated[
    str | None,
    typer.Option(
        "--align-from", metavar="FILE", rich_help_panel=ALIGNMENT, show_default=False,
        help="Apply a calibration that [bold]tita calibrate[/] measured, instead of estimating the motion.",
    ),
]  # fmt: skip
Deghost = Annotated[
    bool,
    typer.Option(
        "--deghost", rich_help_panel=ALIGNMENT,
        help="Brackets in which something moved: what does not fit the reference gives way to it.",
    ),
]  # fmt: skip
Page = Annotated[
    int | None,
    typer.Option(
        "--page", min=0, rich_help_panel=INPUT, show_default=False,
        help="Which picture of files that hold several, from 0  \\[default: the first].",
    ),
]  # fmt: skip
MaxPixels = Annotated[
    int | None,
    typer.Option(
        "--max-pixels", min=1, metavar="N", rich_help_panel=INPUT, show_default=False,
        help="Refuse images of more pixels before decoding them  \\[default: 268435456].",
    ),
]  # fmt: skip
Range = Annotated[
    str,
    typer.Option(
        "--range", metavar="auto|full|MIN,MAX", rich_help_panel=INPUT,
        help="Which values become black and white: by percentiles for thermal counts, the file type's own, or given.",
    ),
]  # fmt: skip
Invert = Annotated[
    list[int] | None,
    typer.Option(
        "--invert", metavar="N", min=1, rich_help_panel=INPUT, show_default=False,
        help="Swap black and white of source N, counted from 1 (black-hot infrared). May be repeated.",
    ),
]  # fmt: skip
FalseColor = Annotated[
    str,
    typer.Option(
        "--false-color", metavar="refuse|intensity|keep", rich_help_panel=INPUT,
        help="What to do with infrared that a palette has coloured: intensity turns it back to grey.",
    ),
]  # fmt: skip
Color = Annotated[
    str,
    typer.Option(
        "--color", metavar="auto|reference|grey", rich_help_panel=OUTPUT,
        help="Colour of the result: auto follows the source that is in focus, reference mixes as TITA's authors do.",
    ),
]  # fmt: skip
Depth = Annotated[
    str | None,
    typer.Option(
        "--depth", metavar="8|16|32", rich_help_panel=OUTPUT, show_default=False,
        help="Bits a sample, 32 is float  \\[default: the deepest source's, as far as the format has it].",
    ),
]  # fmt: skip
KeepMetadata = Annotated[
    str,
    typer.Option(
        "--metadata", metavar="N|none", rich_help_panel=OUTPUT,
        help="The source, counted from 1, whose EXIF, XMP and GPS the result bears.",
    ),
]  # fmt: skip

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
Threads = Annotated[
    int | None,
    typer.Option("--threads", min=1, rich_help_panel=NETWORK, help="CPU threads  [default: all cores]."),
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
    str, typer.Option("--align", metavar="none", rich_help_panel=ALIGNMENT, help="How the sources come into one frame.")
]

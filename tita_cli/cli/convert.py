"""``tita convert``: a checkpoint in the authors' layout becomes one of ours."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tita_cli.cli.console import envelope, results, say
from tita_cli.cli.expand import Only, expand
from tita_cli.options import Reporting, Writing


@expand
def command(
    source: Annotated[Path, typer.Argument(metavar="IN.pth", help="A checkpoint, the TITA authors' or ours.")],
    target: Annotated[Path, typer.Argument(metavar="OUT.safetensors", help="The file to write.")],
    writing: Annotated[Writing, Only(("force",))],
    reporting: Annotated[Reporting, Only(("json", "quiet"))],
) -> None:
    """Convert a checkpoint to safetensors, with the network's sizes in the header.

    Nothing in the source is executed: it is read as tensors or refused.
    """
    from tita_cli.errors import OutputError, need
    from tita_cli.images.atomic import check_writable

    if target.suffix.lower() != ".safetensors":
        raise OutputError(f"{target}: a converted model is a .safetensors file", hint="name the output OUT.safetensors")
    check_writable(target, overwrite=writing.force, sources=[source])
    need("tita convert", "torch")
    from tita_cli.models.checkpoint import load_network, save_network

    with results() as stdout:
        network, config, info = load_network(source)
        save_network(target, network.state_dict(), config, {**info, "source": source.name})
        parameters = sum(p.numel() for p in network.parameters())
        if reporting.json:
            stdout.write(
                envelope("convert", {"output": str(target), "config": config.to_dict(), "parameters": parameters})
            )
    if not reporting.quiet and not reporting.json:
        say(f"{target}: {config.variant}, C = {config.dim}, {parameters:,} parameters")

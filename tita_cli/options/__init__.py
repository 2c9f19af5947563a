"""Every option once: its type, choices, default and help.

The command line, :func:`tita_cli.api.fuse`, ``tita batch``, ``tita.toml``, ``TITA_*`` variables, provenance and
docs/reference/cli.md derive from the dataclasses below and in ``options.batch``. A field with a ``Literal`` type has
its values as choices. Errors and notes name a field in backquotes; ``options.flags`` puts the flag there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from os import PathLike
from typing import Any, ClassVar, Literal, get_args

from tita_cli.options.declaration import Group, Option, OptionError, check_choice, declared, flag_of, option
from tita_cli.options.per_source import ROLES, PerSource, Role
from tita_cli.options.values import (
    BACKENDS,
    BORDERS,
    DEFAULT_MODEL,
    MODES,
    Backend,
    Border,
    ColorRule,
    Denoise,
    Depth,
    FalseColor,
    FormatName,
    MatrixModel,
    Mode,
    PaletteName,
    Polarity,
    RangeSetting,
    parse_balance,
    parse_device,
    parse_quality,
    parse_range,
    parse_size,
    range_text,
    source_or_none,
)

__all__ = [
    "BACKENDS",
    "BORDERS",
    "DEFAULT_MODEL",
    "MODES",
    "ROLES",
    "Alignment",
    "Backend",
    "Border",
    "ColorRule",
    "Denoise",
    "Depth",
    "FalseColor",
    "FormatName",
    "FuseOptions",
    "Group",
    "Input",
    "MatrixModel",
    "Mode",
    "Network",
    "Option",
    "OptionError",
    "Output",
    "PerSource",
    "Polarity",
    "RangeSetting",
    "Reporting",
    "Role",
    "Writing",
    "check_choice",
    "declared",
    "flag_of",
    "merged",
    "option",
    "parse_device",
    "parse_range",
    "parse_size",
]


@dataclass(frozen=True, kw_only=True)
class Input(Group):
    """How sources are read."""

    PANEL: ClassVar[str] = "Input"

    resize: bool = option(False, "Bring all sources to the reference's size.", recorded=True)
    max_pixels: int | None = option(
        None, "Refuse images of more pixels before decoding them.", minimum=1, metavar="N", unset="268435456"
    )
    value_range: PerSource[RangeSetting] | Mapping[int | str, RangeSetting] | RangeSetting = option(
        PerSource(),
        "Which values become black and white: auto takes what the sensor used, full the file type's own. Without a "
        "source, MIN,MAX means the sources that hold counts or temperatures.",
        flag="range", metavar="[N|NAME:]auto|full|MIN,MAX", parse=parse_range, per_source=True, many=True,
        unset="auto", recorded=True,
    )  # fmt: skip
    polarity: PerSource[Polarity] | Mapping[int | str, Polarity] | Polarity = option(
        PerSource(), "Whether hot is white or black in the infrared.", choices=get_args(Polarity), per_source=True,
        metavar="[N|NAME:]white-hot|black-hot", many=True, unset="white-hot", recorded=True,
    )  # fmt: skip
    role: PerSource[Role] | Mapping[int | str, Role] | Role = option(
        PerSource(), "What a source is, where names, metadata and content do not say so.", choices=ROLES,
        metavar="N|NAME:infrared|visible", per_source=True, many=True, unset="found out", recorded=True,
    )  # fmt: skip
    false_color: PerSource[FalseColor] | Mapping[int | str, FalseColor] | FalseColor = option(
        PerSource(),
        "What to do with infrared that a palette has coloured: intensity turns it back to grey, auto where the palette "
        "is certain.",
        choices=get_args(FalseColor), metavar="[N|NAME:]auto|intensity|keep|refuse", per_source=True, many=True,
        unset="auto", recorded=True,
    )  # fmt: skip
    denoise: Denoise = option(
        "auto",
        "Reduce noise of the infrared's sensor: auto stripes, of counts also grain; on both in any infrared.",
        recorded=True,
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Alignment(Group):
    """How sources come into one frame."""

    PANEL: ClassVar[str] = "Alignment"

    align: Mode = option(
        "auto",
        "How the sources come into one frame. auto takes the simplest motion that explains them; where that cannot be "
        "trusted, two stay as they are, and of more the outlier is left out; strict fails then.",
        recorded=True,
    )
    reference: int | None = option(
        None, "The source, counted from 1, whose frame and size the result has.", metavar="N", counts=True,
        unset="the photograph beside infrared, else the first of two, of more the one that crops least; of a batch's "
        "bracket, the middle",
    )  # fmt: skip
    border: Border = option(
        "crop",
        "Where not all sources show something: crop it away, fill it from those that do, or make it transparent.",
    )
    align_from: str | PathLike[str] | Mapping[str, Any] | None = option(
        None, "Apply a calibration that [bold]tita calibrate[/] measured, instead of estimating the motion.",
        metavar="FILE",
    )  # fmt: skip
    deghost: bool = option(
        False,
        "For brackets in which something moved: --reference, or the middle exposure, replaces what differs from it.",
        recorded=True,
    )


@dataclass(frozen=True, kw_only=True)
class Network(Group):
    """Which network runs, and where."""

    PANEL: ClassVar[str] = "Network"

    model: str = option(
        DEFAULT_MODEL, "A shipped model (see [bold]tita models[/]) or a file: .safetensors, .pth or .onnx.",
        short="m", metavar="NAME|PATH", decides=False,
    )  # fmt: skip
    device: str = option(
        "auto", "Where the network runs.", metavar="auto|cpu|cuda[:N]", parse=parse_device, decides=False
    )
    backend: Backend = option(
        "auto", "What runs the network: auto takes what suits the model and the device.", decides=False
    )
    provider: str | None = option(
        None, "ONNX Runtime's execution provider: cpu, cuda, tensorrt …", metavar="NAME", unset="as --device says",
        decides=False,
    )  # fmt: skip
    memory: int | None = option(
        None, "What the network may take, as 800M or 2G: `tita` cuts larger images into tiles, to the same result.",
        metavar="SIZE", parse=parse_size, unset="half of what is free", decides=False,
    )  # fmt: skip
    threads: int | None = option(
        None, "CPU threads, for each worker of a batch.", minimum=1, maximum=1024, metavar="N", unset="all cores",
        decides=False,
    )  # fmt: skip

    def engine_settings(self) -> dict[str, Any]:
        """What :func:`tita_cli.runtime.load_engine` takes beside the model."""
        return {name: value for name, value in self.values().items() if name in declared(Network) and name != "model"}


@dataclass(frozen=True, kw_only=True)
class Output(Group):
    """What the result is."""

    PANEL: ClassVar[str] = "Output"

    color: ColorRule = option(
        "auto", "Colour of the result: auto takes it from the sources as they are blended.",
        recorded=True,
    )  # fmt: skip
    balance: float = option(
        0.5,
        "Between two sources: 0 shows the photograph, or the first; 1 the infrared, or the second; 0.5 the network's.",
        metavar="0…1", parse=parse_balance, recorded=True,
    )  # fmt: skip
    palette: PaletteName | None = option(
        None, "Colour the result by the infrared; its luminance keeps the detail of all sources.", recorded=True
    )
    overlay: float | None = option(
        None, "Colour only what is hotter than T, in °C where the infrared file tells temperatures, else in its units.",
        metavar="T", recorded=True,
    )  # fmt: skip
    scale_bar: bool = option(
        False, "Add a bar at the right that tells what the colours of --palette or --overlay mean, in the same units.",
        recorded=True,
    )  # fmt: skip
    depth: Depth | None = option(
        None, "Bits a sample; 32 is float.", aliases={"32f": 32}, unset="the deepest source's, if the format has it"
    )
    metadata: int | Literal["none"] | None = option(
        None, "The source, counted from 1, whose EXIF, XMP and GPS the result bears.",
        metavar="N|none", parse=source_or_none, unset="the reference",
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class FuseOptions(Input, Alignment, Network, Output):
    """All that :func:`tita_cli.api.fuse` takes. Indices of sources count from 0."""

    def provenance(self) -> dict[str, Any]:
        """What the provenance in a picture holds, by the names of the command line."""
        known = declared(type(self))
        values = {}
        for name, value in self.values(only=lambda how: how.recorded).items():
            told = isinstance(value, PerSource)
            text = value.text(range_text if name == "value_range" else str) if told else ""
            values[known[name].flag] = (text or known[name].unset) if told else value
        return values

    def deciding(self) -> dict[str, Any]:
        """The options that change the picture, model aside, for the journal of a batch."""
        values = self.values(only=lambda how: how.decides)
        return {name: value.plain() if isinstance(value, PerSource) else value for name, value in values.items()}


def merged(*groups: Group) -> FuseOptions:
    """One record from the groups of a command; what none of them has keeps its default."""
    known = declared(FuseOptions)
    given = {name: value for group in groups for name, value in group.values().items()}
    return FuseOptions(**{name: value for name, value in given.items() if name in known})


@dataclass(frozen=True, kw_only=True)
class Writing(Group):
    """How the file is written."""

    PANEL: ClassVar[str] = "Output"

    format: FormatName | None = option(
        None, "Format of the result.", unset="by the file name's suffix, png for stdout; in a batch, the reference's",
        aliases={"jpg": "jpeg", "jpe": "jpeg", "tif": "tiff", "ppm": "pnm", "pgm": "pnm"},
    )  # fmt: skip
    quality: int | None = option(
        None, "Quality of JPEG, AVIF and WebP, 1 to 100; WebP is lossless without it.", minimum=1, metavar="1..100",
        parse=parse_quality, unset="95 for JPEG, 90 for AVIF",
    )  # fmt: skip
    force: bool = option(False, "Replace an output that exists already.", short="f", config=False, decides=False)


@dataclass(frozen=True, kw_only=True)
class Reporting(Group):
    """What a command prints."""

    PANEL: ClassVar[str] = "Reporting"

    json: bool = option(False, "Print the result as JSON on stdout.")
    quiet: bool = option(False, "Print errors only.", short="q")
    verbose: bool = option(False, "Say what is done, and with what.", short="v")

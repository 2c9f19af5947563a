"""Opening inputs, here and at addresses such as ``s3://bucket/key``, and naming the pictures in them."""

from __future__ import annotations

from tita_cli.files.address import Address, is_address, path_of, resolved
from tita_cli.files.opening import (
    drained,
    file_of,
    is_handed_over,
    names_several,
    open_input,
    parse_json,
    read_input,
    read_toml,
    split_page,
)

__all__ = [
    "Address",
    "drained",
    "file_of",
    "is_address",
    "is_handed_over",
    "names_several",
    "open_input",
    "parse_json",
    "path_of",
    "read_input",
    "read_toml",
    "resolved",
    "split_page",
]

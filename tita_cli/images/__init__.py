"""Files ⇄ float pictures: reading, writing, colour, metadata. Nothing here knows a network."""

from __future__ import annotations

from tita_cli.images.atomic import atomic_output, check_writable
from tita_cli.images.picture import Metadata, Picture
from tita_cli.images.read import list_pages, read_picture
from tita_cli.images.write import Written, write_picture

__all__ = [
    "Metadata",
    "Picture",
    "Written",
    "atomic_output",
    "check_writable",
    "list_pages",
    "read_picture",
    "write_picture",
]

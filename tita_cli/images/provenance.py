"""How a fused picture came about, kept inside it as one XMP property that ``tita show`` prints.

Nothing in it depends on the clock, the machine or the folder, so that the same inputs and options give the same bytes.
XMP: ISO 16684-1. Packets of other programs are kept; ours is one description beside theirs.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from html import escape  # xml.sax brings a client for HTTP with it
from pathlib import PurePath

from tita_cli.files import parse_json

_NAMESPACE = "urn:tita:xmp:1.0/"
_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_OURS = re.compile(rb'<rdf:Description rdf:about="" xmlns:tita="[^"]*">.*?</rdf:Description>', re.DOTALL)
_EMPTY_PACKET = (
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
    f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="{_RDF}"></rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
).encode()

Value = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Provenance:
    """What a picture was fused from, and with what.

    ``sources``: file names without folders, in the order in which they were given. ``model``: the name of a shipped
    model, or the name of a file. ``version``: of tita. ``options``: those that shape the picture, by name.
    """

    sources: tuple[str, ...]
    model: str
    version: str
    options: Mapping[str, Value] = field(default_factory=dict)

    @classmethod
    def of(cls, sources: Iterable[str], model: str, options: Mapping[str, Value]) -> Provenance:
        """A record by this version of tita; folders are cut off, for they say where a user lives."""
        from tita_cli import __version__

        return cls(tuple(PurePath(source).name for source in sources), PurePath(model).name, __version__, dict(options))

    def as_dict(self) -> dict[str, object]:
        """For JSON, with the options in the order of their names."""
        options = dict(sorted(self.options.items()))
        return {"sources": list(self.sources), "model": self.model, "version": self.version, "options": options}


def add_provenance(packet: bytes | None, provenance: Provenance) -> bytes:
    """``packet`` with ``provenance`` in place of an older one; a packet of an unusual shape is replaced."""
    record = json.dumps(provenance.as_dict(), ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    ours = (
        f'<rdf:Description rdf:about="" xmlns:tita="{_NAMESPACE}">'
        f"<tita:provenance>{escape(record, quote=False)}</tita:provenance></rdf:Description>"
    ).encode(errors="replace")
    kept = _OURS.sub(b"", packet) if packet is not None else _EMPTY_PACKET
    if kept.count(b"</rdf:RDF>") != 1:
        kept = _EMPTY_PACKET
    return kept.replace(b"</rdf:RDF>", ours + b"</rdf:RDF>")


def find_provenance(packet: bytes | None) -> Provenance | None:
    """The record in an XMP packet; None where there is none, or none that can be understood."""
    if packet is None or _NAMESPACE.encode() not in packet:
        return None
    from xml.etree import ElementTree

    try:
        root = ElementTree.fromstring(packet.rstrip(b"\0 "))
        record = parse_json(root.findtext(f".//{{{_NAMESPACE}}}provenance") or "null")
        sources, model, version, options = (record[key] for key in ("sources", "model", "version", "options"))
    except (ElementTree.ParseError, RecursionError, ValueError, TypeError, KeyError):
        return None
    if not isinstance(sources, list) or not isinstance(options, dict):
        return None
    texts, values = [*sources, model, version], options.values()
    if not all(isinstance(text, str) for text in texts):
        return None
    if not all(value is None or isinstance(value, (str, int, float)) for value in values):
        return None
    return Provenance(tuple(sources), model, version, options)

"""Files that are small and ask for a lot: memory, time, depth. Each is read or refused, soon, within a GiB."""

from __future__ import annotations

import io
import json
import struct
import zipfile
import zlib
from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter
from pathlib import Path

import numpy as np
import trust_mutations

_HUGE = 0x7FFFFFFF


def detonate(folder: Path) -> dict[str, str]:
    """What was wrong with each bomb, empty where nothing was."""
    said: dict[str, str] = {}
    for reader, group in groupby(sorted(bombs(), key=itemgetter(1)), itemgetter(1)):
        names, _, contents = zip(*group, strict=True)
        found = trust_mutations.Findings()
        trust_mutations.read_all(reader, contents.__getitem__, range(len(contents)), folder, found)
        faults = {number: fault for _, number, fault in found.faults}
        said |= {name: faults.get(number, "") for number, name in enumerate(names)}
    return said


def bombs() -> Iterator[tuple[str, str, bytes]]:
    """Name, reader and content."""
    yield from ((f"picture: {name}", "picture", content) for name, content in _pictures())
    deep = b"[" * 1_000_000
    for reader in ("journal", "log", "manifest.jsonl", "calibration"):
        yield f"{reader}: nested a million deep", reader, deep
        yield f"{reader}: nested objects", reader, b'{"event":' * 100_000
        yield f"{reader}: a number of a million digits", reader, b'{"event": ' + b"9" * 1_000_000 + b"}"
    for reader in ("toml", "config"):
        yield f"{reader}: nested a hundred thousand deep", reader, b"a = " + b"[" * 100_000
        yield f"{reader}: a key of many parts", reader, b".".join([b"a"] * 20_000) + b" = 1"
    for reader in ("manifest.csv", "published"):
        yield f"{reader}: an open quote", reader, b'image,method,metric,value\n"' + b"x" * 5_000_000
        yield f"{reader}: many columns", reader, b"a," * 500_000
    for length in (_HUGE, 2**63, 2**64 - 1):
        yield f"safetensors: a header of {length}", "safetensors", struct.pack("<Q", length) + b"{}"
    header = json.dumps({"x": {"dtype": "F32", "shape": [2**40, 2**40], "data_offsets": [0, 4]}}).encode()
    yield "safetensors: a tensor of 2^80 numbers", "safetensors", struct.pack("<Q", len(header)) + header + b"\0" * 4
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("tita.json", b" " * (200 << 20))
    yield "onnx: an archive of 200 MiB in 200 KiB", "onnx", stream.getvalue()
    yield "graph: nested a thousand deep", "graph", _nested_graph(1000)
    yield "pth: nested a hundred thousand deep", "pth", b"\x80\x02" + b"]" * 100_000 + b"a" * 99_999 + b"."


def _nested_graph(depth: int) -> bytes:
    graph = b""
    for _ in range(depth):
        attribute = b"\x32" + _length(graph)  # g
        node = b"\x2a" + _length(attribute)
        graph = b"\x0a" + _length(node)
    return b"\x3a" + _length(graph)


def _length(content: bytes) -> bytes:
    size, out = len(content), bytearray()
    while size > 0x7F:
        out.append(size & 0x7F | 0x80)
        size >>= 7
    return bytes([*out, size]) + content


def _pictures() -> Iterator[tuple[str, bytes]]:
    import tifffile
    from PIL import Image

    yield "PNG of 2^31 by 2^31", _png(_HUGE, _HUGE, b"")
    yield "PNG of 60000 by 60000", _png(60_000, 60_000, zlib.compress(b"\0" * 10_000_000))
    yield "PNG, a profile of 200 MiB", _png(4, 4, b"", b"iCCP", b"x\0\0" + _squeezed(200 << 20))
    yield "PNG, a text of 200 MiB", _png(4, 4, b"", b"zTXt", b"x\0\0" + _squeezed(200 << 20))
    yield "PNG, XMP of 100,000 brackets", _png(4, 4, b"", b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + b"<a>" * 100_000)
    for width, height in ((_HUGE, _HUGE), (65_535, 65_535), (100_001, 1)):
        yield f"PNM of {width} by {height}", b"P5 %d %d 255\n" % (width, height)
        yield f"PFM of {width} by {height}", b"PF\n%d %d\n-1.0\n" % (width, height)
        yield (
            f"Radiance of {width} by {height}",
            b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y  %d +X %d\n" % (height, width),
        )
    yield "GIF of 65535 by 65535", b"GIF89a\xff\xff\xff\xff\0\0\0,\0\0\0\0\xff\xff\xff\xff\0\x08\x01\0;"
    yield (
        "BMP of 2^31",
        b"BM" + struct.pack("<IHHIIiiHHIIiiII", 54, 0, 0, 54, 40, _HUGE, _HUGE, 1, 24, 0, 0, 0, 0, 0, 0),
    )
    yield "WebP of 34 bytes, 16384 by 16384", b"RIFF\x1a\0\0\0WEBPVP8L\x0d\0\0\0\x2f\xff\xff\xff\x0f" + b"\0" * 9
    stream = io.BytesIO()
    Image.new("L", (8_000, 8_000)).save(stream, "JPEG")
    yield "JPEG of 64 megapixels", stream.getvalue()
    for pages in (20_000,):
        yield f"TIFF of {pages} pages", _tiff_pages(pages)
    yield "TIFF whose folder follows itself", b"II*\0\x08\0\0\0\0\0\x08\0\0\0"
    for inner in ("PNG", "JPEG"):
        stream = io.BytesIO()
        Image.new("L", (6_000, 6_000)).save(stream, inner)
        yield (
            f"TIFF of 16 by 16 that holds a {inner} of 6000 by 6000",
            _tiff_strip(stream.getvalue(), 7 if inner == "JPEG" else 34933),
        )
    stream = io.BytesIO()
    tifffile.imwrite(stream, np.zeros((16, 16), np.uint8))
    content = stream.getvalue()
    for tag in (256, 257, 277, 258):  # width, height, samples, bits
        place = content.find(struct.pack("<H", tag), 8)
        yield f"TIFF, tag {tag} of 2^31", content[: place + 8] + struct.pack("<I", _HUGE) + content[place + 12 :]


def _squeezed(size: int) -> bytes:
    packer = zlib.compressobj(1)
    return b"".join(packer.compress(b"\0" * (1 << 20)) for _ in range(size >> 20)) + packer.flush()


def _png(width: int, height: int, data: bytes, kind: bytes = b"tEXt", content: bytes = b"a\0b") -> bytes:
    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    data = data or zlib.compress(b"\0" * (width + 1) * height if width * height < 100 else b"")
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(kind, content) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    )


def _tiff_pages(count: int) -> bytes:
    entries = [
        (256, 4, 1, 1),
        (257, 4, 1, 1),
        (258, 3, 1, 8),
        (259, 3, 1, 1),
        (262, 3, 1, 1),
        (273, 4, 1, 0),
        (279, 4, 1, 1),
    ]
    out = bytearray(b"II*\0\x08\0\0\0")
    for page in range(count):
        out += struct.pack("<H", len(entries)) + b"".join(struct.pack("<HHII", *entry) for entry in entries)
        out += struct.pack("<I", len(out) + 4 if page < count - 1 else 0)
    return bytes(out)


def _tiff_strip(strip: bytes, compression: int) -> bytes:
    entries = [(256, 4, 1, 16), (257, 4, 1, 16), (258, 3, 1, 8), (259, 3, 1, compression), (262, 3, 1, 1),
               (273, 4, 1, 8 + 2 + 8 * 12 + 4), (278, 4, 1, 16), (279, 4, 1, len(strip))]  # fmt: skip
    folder = struct.pack("<H", len(entries)) + b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return b"II*\0\x08\0\0\0" + folder + b"\0" * 4 + strip

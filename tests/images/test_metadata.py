"""EXIF, XMP, ICC and provenance survive, and stay true."""

from __future__ import annotations

import io
import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import ExifTags, Image

from tita_cli.images import Metadata, Picture, read_picture, write_picture
from tita_cli.images.metadata import sized_exif, upright_exif, upright_xmp
from tita_cli.images.provenance import Provenance, add_provenance, find_provenance

COLOR = np.random.default_rng(0).random((6, 9, 3), np.float32)
RECORD = Provenance(("ir.png", "vis <&> été.png"), "tita-lite", "1.2.3", {"align": "none", "seed": 3, "resize": False})
XMP = (
    b'<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
    b'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about=""'
    b' xmlns:dc="http://purl.org/dc/elements/1.1/" dc:source="kept"/></rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
)


def _exif() -> bytes:
    exif = Image.Exif()
    exif[0x010F], exif[0x0112], exif[0x0132] = "Maker", 6, "2024:01:02 03:04:05"
    exif.get_ifd(0x8769).update({0x829A: 0.02, 0x9003: "2024:01:02 03:04:05", 0xA002: 4000, 0xA003: 3000})
    exif.get_ifd(0x8825).update({1: "N", 2: (48.0, 8.0, 30.0)})
    return exif.tobytes()


def _parsed(block: bytes | None) -> Image.Exif:
    assert block is not None
    exif = Image.Exif()
    exif.load(block)
    return exif


def _through(picture: Picture, format: str) -> tuple[Picture, bytes, tuple[str, ...]]:
    buffer = io.BytesIO()
    written = write_picture(picture, buffer, format=format)
    buffer.seek(0)
    return read_picture(buffer), buffer.getvalue(), written.notes


@pytest.mark.parametrize("format", ["png", "jpeg", "tiff", "webp", "avif"])
def test_everything_survives(format: str) -> None:
    from PIL import ImageCms

    icc = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    metadata = Metadata(upright_exif(_exif()), icc, XMP, RECORD)
    after, _, notes = _through(Picture(COLOR, metadata=metadata), format)
    assert notes == ()
    assert after.metadata.icc == icc
    assert after.metadata.provenance == RECORD
    assert after.metadata.xmp is not None and b'dc:source="kept"' in after.metadata.xmp
    exif = _parsed(after.metadata.exif)
    assert exif[0x010F] == "Maker" and exif.get(0x0112, 1) == 1
    assert exif.get_ifd(0x8769)[0x829A] == pytest.approx(0.02)
    assert (exif.get_ifd(0x8769)[0xA002], exif.get_ifd(0x8769)[0xA003]) == (9, 6)
    assert exif.get_ifd(0x8825)[1] == "N" and exif.get_ifd(0x8825)[2] == (48.0, 8.0, 30.0)


def test_pillow_and_others_can_read_what_we_wrote() -> None:
    metadata = Metadata(upright_exif(_exif()), None, None, RECORD)
    for format in ("png", "tiff", "jpeg", "webp"):
        _, content, _ = _through(Picture(COLOR, metadata=metadata), format)
        with Image.open(io.BytesIO(content)) as image:
            image.load()
            assert image.getexif()[0x010F] == "Maker"
            assert image.getexif().get_ifd(0x8825)[1] == "N"


def test_bigtiff_keeps_exif(monkeypatch: pytest.MonkeyPatch) -> None:
    from tita_cli.images.formats import tiff

    monkeypatch.setattr(tiff, "_CLASSIC_BYTES", 0)
    after, content, _ = _through(Picture(COLOR, metadata=Metadata(upright_exif(_exif()), None, XMP)), "tiff")
    assert content[:4] == b"II+\0"
    exif = _parsed(after.metadata.exif)
    assert exif[0x010F] == "Maker" and exif.get_ifd(0x8825)[1] == "N" and after.metadata.xmp == XMP


def test_deep_png_keeps_metadata() -> None:
    after, _, _ = _through(Picture(COLOR, depth=16, metadata=Metadata(upright_exif(_exif()), xmp=XMP)), "png")
    assert after.depth == 16 and after.metadata.xmp == XMP
    assert _parsed(after.metadata.exif)[0x0132] == "2024:01:02 03:04:05"


@pytest.mark.parametrize(("format", "lost"), [("bmp", "EXIF, XMP"), ("hdr", "EXIF, XMP")])
def test_what_does_not_fit_is_told(format: str, lost: str) -> None:
    _, _, notes = _through(Picture(COLOR, metadata=Metadata(upright_exif(_exif()), xmp=XMP)), format)
    assert len(notes) == 1 and lost in notes[0]


def test_too_long_for_jpeg_is_told() -> None:
    long = XMP.replace(b"kept", b"k" * 70_000)
    after, _, notes = _through(Picture(COLOR, metadata=Metadata(xmp=long)), "jpeg")
    assert after.metadata.xmp is None and "longer than JPEG allows" in notes[0]


def test_grey_profile_does_not_tag_colour() -> None:
    import imagecodecs

    grey = imagecodecs.cms_profile("gray", whitepoint=(0.3457, 0.3585, 1.0), gamma=2.2)
    assert _through(Picture(COLOR, metadata=Metadata(icc=grey)), "png")[0].metadata.icc is None
    assert _through(Picture(COLOR[..., :1], metadata=Metadata(icc=grey)), "png")[0].metadata.icc == grey


def test_upright_exif_changes_nothing_else() -> None:
    block = _exif().removeprefix(b"Exif\0\0")
    patched = upright_exif(block)
    assert patched is not None and len(patched) == len(block)
    assert sum(a != b for a, b in zip(block, patched, strict=True)) == 1
    assert _parsed(patched)[0x0112] == 1


def test_thumbnail_is_unlinked() -> None:
    exif = bytearray(_exif().removeprefix(b"Exif\0\0"))
    entries = int.from_bytes(exif[8:10], "big")
    exif[10 + 12 * entries : 14 + 12 * entries] = (len(exif)).to_bytes(4, "big")
    exif += b"\0\1" + bytes.fromhex("0201000400000001") + b"\0\0\0\0" + b"\0\0\0\0"
    assert _parsed(bytes(exif)).get_ifd(ExifTags.IFD.IFD1)
    assert not _parsed(upright_exif(bytes(exif))).get_ifd(ExifTags.IFD.IFD1)


@given(st.binary(max_size=80))
def test_damaged_exif_is_left_as_it_is(block: bytes) -> None:
    for damaged in (block, b"II*\0" + block, b"MM\0*" + block):
        patched = upright_exif(damaged)
        assert patched is not None and len(sized_exif(patched, 3, 4)) == len(patched)


@pytest.mark.parametrize("packet", [b'<a tiff:Orientation="6"/>', b"<tiff:Orientation>8</tiff:Orientation>"])
def test_xmp_orientation(packet: bytes) -> None:
    upright = upright_xmp(packet)
    assert upright is not None and b"1" in upright and b"6" not in upright and b"8" not in upright


def test_provenance_replaces_an_older_one() -> None:
    newer = replace(RECORD, model="tita")
    packet = add_provenance(add_provenance(XMP, RECORD), newer)
    assert find_provenance(packet) == newer
    assert packet.count(b"tita:provenance>") == 2 and b"kept" in packet


def test_provenance_names_no_folder_and_has_a_fixed_form() -> None:
    made = Provenance.of(["/home/me/ir.png", "vis.png"], "/models/own.safetensors", {"b": 1, "a": None})
    assert made.sources == ("ir.png", "vis.png") and made.model == "own.safetensors"
    again = Provenance.of(["elsewhere/ir.png", "vis.png"], "own.safetensors", {"a": None, "b": 1})
    assert add_provenance(None, made) == add_provenance(None, again)
    assert list(json.loads(json.dumps(made.as_dict()))["options"]) == ["a", "b"]


@given(st.lists(st.text(), max_size=3), st.text(), st.dictionaries(st.text(), st.integers() | st.text(), max_size=3))
def test_provenance_holds_any_text(sources: list[str], model: str, options: dict[str, int | str]) -> None:
    record = Provenance(tuple(sources), model, "1", options)
    found = find_provenance(add_provenance(None, record))
    control = any(
        not c.isprintable() and c not in "\t\n\r"
        for c in "".join([*sources, model, *options, *map(str, options.values())])
    )
    assert found == record or (control and found is None)


def _recorded(text: str) -> bytes:
    return f'<a xmlns:t="urn:tita:xmp:1.0/"><t:provenance>{text}</t:provenance></a>'.encode()


@pytest.mark.parametrize(
    "packet",
    [
        b"",
        b"<broken",
        b"urn:tita:xmp:1.0/",
        _recorded("[" * 100_000),
        b"<a>" * 100_000 + b"urn:tita:xmp:1.0/",
        _recorded('{"sources":["a"],"model":"m","version":"v","options":["o"]}'),
        _recorded('{"sources":{"a":1},"model":"m","version":"v","options":{}}'),
        _recorded('{"sources":["a"],"model":1,"version":"v","options":{}}'),
        _recorded('{"sources":["a"],"model":"m","version":"v","options":{"o":[[]]}}'),
        b'<a xmlns:t="urn:tita:xmp:1.0/"><t:provenance>[1]</t:provenance></a>',
    ],
)
def test_no_provenance(packet: bytes) -> None:
    assert find_provenance(packet) is None

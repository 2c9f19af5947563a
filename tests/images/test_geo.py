"""The place on the map, and what drones and multispectral cameras say of a picture, in the result of a fusion."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import ExifTags, Image

from tita_cli.api import fuse
from tita_cli.images import read_picture, write_picture
from tita_cli.images.geo import GDAL_METADATA, KEYS, RPC, SCALE, TEXT, TIEPOINTS, TRANSFORMATION, GeoTags

# UTM zone 33N, WGS 84, a pixel is an area.
DIRECTORY = (1, 1, 0, 4, 1024, 0, 1, 1, 1025, 0, 1, 1, 1026, TEXT, 12, 0, 3072, 0, 1, 32633)
GDAL = b'<GDALMetadata><Item name="SURVEY">north</Item><Item name="STATISTICS_MEAN" sample="0">4</Item></GDALMetadata>'
UTM: tuple[Any, ...] = (
    (SCALE, "d", 3, (0.5, 0.5, 0.0), True),
    (TIEPOINTS, "d", 6, (0.0, 0.0, 0.0, 500_000.0, 5_400_000.0, 0.0), True),
    (KEYS, "H", len(DIRECTORY), DIRECTORY, True),
    (TEXT, "s", 0, b"UTM zone 33|", True),
    (GDAL_METADATA, "s", 0, GDAL, True),
)
DJI = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'<rdf:Description rdf:about="" xmlns:drone-dji="http://www.dji.com/drone-dji/1.0/"'
    b' xmlns:Camera="http://pix4d.com/camera/1.0" drone-dji:GimbalPitchDegree="-89.90"'
    b' drone-dji:RelativeAltitude="+60.10" Camera:BandName="NIR" Camera:CentralWavelength="840"/>'
    b"</rdf:RDF></x:xmpmeta>"
)


def _scene(seed: int = 0, size: tuple[int, int] = (48, 64)) -> np.ndarray:
    import cv2

    noise = np.random.default_rng(seed).random(size, dtype=np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 2)
    return ((smooth - smooth.min()) / (smooth.max() - smooth.min()) * 60_000).astype(np.uint16)


def _tiff(path: Path, pixels: np.ndarray, tags: tuple[Any, ...] = UTM, **how: Any) -> Path:
    tifffile.imwrite(path, pixels, extratags=tags, metadata=None, **how)
    return path


def _tags(path: Path) -> dict[int, Any]:
    with tifffile.TiffFile(path) as file:
        return {tag.code: tag.value for tag in file.pages.first.tags}


def test_a_fused_map_lies_where_its_reference_lies(tmp_path: Path, tiny_model: Path) -> None:
    map_ = _tiff(tmp_path / "map.tif", _scene())
    other = _tiff(tmp_path / "other.tif", _scene(1), ())
    fuse(map_, other, model=str(tiny_model), align="none", reference=0).save(tmp_path / "out.tif")
    tags = _tags(tmp_path / "out.tif")
    assert tags[SCALE] == (0.5, 0.5, 0.0)
    assert tags[TIEPOINTS] == (0.0, 0.0, 0.0, 500_000.0, 5_400_000.0, 0.0)
    assert tags[KEYS] == DIRECTORY and tags[TEXT] == "UTM zone 33|"
    assert "SURVEY" in tags[GDAL_METADATA] and "STATISTICS" not in tags[GDAL_METADATA]
    # The frame is the reference's, whichever source lends its other metadata.
    fuse(map_, other, model=str(tiny_model), align="none", reference=0, metadata=1).save(tmp_path / "two.tif")
    assert _tags(tmp_path / "two.tif")[TIEPOINTS] == tags[TIEPOINTS]
    fuse(map_, other, model=str(tiny_model), align="none", reference=1).save(tmp_path / "three.tif")
    assert TIEPOINTS not in _tags(tmp_path / "three.tif")


def test_a_crop_moves_the_place(tmp_path: Path, tiny_model: Path) -> None:
    """What alignment cuts off at the left and at the top is taken from the place of the picture's corner."""
    big = _scene(3, (120, 160))
    map_ = _tiff(tmp_path / "map.tif", big[:100, :140])
    moved = _tiff(tmp_path / "moved.tif", big[7:107, 9:149], ())
    fusion = fuse(map_, moved, model=str(tiny_model), align="translation", reference=0)
    height, width = fusion.picture.pixels.shape[:2]
    assert (height, width) != (100, 140)
    fusion.save(tmp_path / "out.tif")
    column, row, _, x, y, _ = _tags(tmp_path / "out.tif")[TIEPOINTS]
    assert (x, y) == (500_000.0, 5_400_000.0)
    assert (-column, -row) == pytest.approx((9, 7), abs=1)


def test_all_that_places_a_picture_is_shifted() -> None:
    matrix = (0.5, 0.1, 0, 100.0, 0.2, -0.5, 0, 200.0, 0, 0, 0, 0, 0, 0, 0, 1.0)
    points = (1.0, 2.0, 0.0, 5.0, 6.0, 0.0, 30.0, 40.0, 0.0, 7.0, 8.0, 0.0)
    rpc = tuple(float(value) for value in range(92))
    shifted = GeoTags(tiepoints=points, transformation=matrix, rpc=rpc).shifted(10, 4)
    assert shifted.tiepoints == (-9.0, -2.0, 0.0, 5.0, 6.0, 0.0, 20.0, 36.0, 0.0, 7.0, 8.0, 0.0)
    old, new = (np.array(each).reshape(4, 4) for each in (matrix, shifted.transformation))
    assert np.allclose(new @ (3, 5, 0, 1), old @ (13, 9, 0, 1))
    assert shifted.rpc[2:4] == (2.0 - 4, 3.0 - 10) and shifted.rpc[4:] == rpc[4:]
    assert GeoTags(tiepoints=points).shifted(0, 0).tiepoints == points


@pytest.mark.parametrize(
    "damaged",
    [
        (SCALE, "d", 2, (1.0, 2.0), True), (TIEPOINTS, "d", 1, float("nan"), True), (KEYS, "H", 4, (1, 1, 0, 9), True),
        (TRANSFORMATION, "s", 0, b"sixteen", True), (RPC, "d", 3, (1.0, 2.0, 3.0), True),
    ],
)  # fmt: skip
def test_damaged_tags_are_left_out_with_a_note(damaged: Any, tmp_path: Path) -> None:
    picture = read_picture(_tiff(tmp_path / "x.tif", _scene(), (damaged,)))
    assert picture.metadata.geo is None
    assert [note for note in picture.notes if "GeoTIFF" in note]


def test_what_is_no_tiff_says_that_the_place_is_lost(tmp_path: Path) -> None:
    picture = read_picture(_tiff(tmp_path / "map.tif", _scene()))
    written = write_picture(picture, tmp_path / "map.png")
    assert any("place on the map (GeoTIFF): left out" in note for note in written.notes)


def test_where_no_source_has_a_value_the_result_is_transparent(tmp_path: Path, tiny_model: Path) -> None:
    pixels = _scene()
    pixels[:10] = 7
    nodata = (42113, "s", 0, b"7", True)
    map_ = _tiff(tmp_path / "map.tif", pixels, (*UTM, nodata))
    pixels = _scene(1)
    pixels[:14] = 7
    other = _tiff(tmp_path / "other.tif", pixels, (nodata,))
    fuse(map_, other, model=str(tiny_model), align="none", reference=0).save(tmp_path / "out.tif")
    with tifffile.TiffFile(tmp_path / "out.tif") as file:
        alpha = file.asarray()[..., -1]
        assert file.pages.first.extrasamples == (2,)
    assert (alpha[:10] == 0).all() and (alpha[16:] > 0).all()


def test_a_map_of_floats_says_by_nan_where_it_has_no_value(tmp_path: Path, tiny_model: Path) -> None:
    # GDAL reads no mask from an alpha of floats.
    degrees = _scene().astype(np.float32) / 3000
    degrees[:10] = -9999
    map_ = _tiff(tmp_path / "map.tif", degrees, (*UTM, (42113, "s", 0, b"-9999", True)))
    other = _tiff(tmp_path / "other.tif", np.where(np.arange(48)[:, None] < 14, np.float32(np.nan), degrees), ())
    fuse(map_, other, model=str(tiny_model), align="none", reference=0).save(tmp_path / "out.tif")
    with tifffile.TiffFile(tmp_path / "out.tif") as file:
        assert file.pages.first.tags[42113].value == "nan"
        fused = file.asarray()
    assert np.isnan(fused[:10, :, 0]).all() and np.isfinite(fused[10:, :, 0]).all() and not fused[:10, :, 1].any()
    again = read_picture(tmp_path / "out.tif")
    assert again.alpha is not None and not again.alpha[:10].any() and again.alpha[10:].all()


@pytest.mark.parametrize("suffix", [".jpg", ".tif"])
def test_gimbal_band_and_gps_reach_the_result(
    suffix: str, tmp_path: Path, tiny_model: Path, picture_file: Callable[..., Path]
) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Make], exif[ExifTags.Base.Model] = "DJI", "M3M"
    exif.get_ifd(ExifTags.IFD.GPSInfo).update({1: "N", 2: (48.0, 8.0, 30.0), 3: "E", 4: (11.0, 30.0, 0.0), 6: 512.5})
    exif.get_ifd(ExifTags.IFD.Exif).update({ExifTags.Base.FocalLength: 12.29})
    reference = picture_file("drone.jpg", exif=exif, xmp=DJI)
    thermal = picture_file("thermal.png", color=False, seed=1)
    out = tmp_path / f"out{suffix}"
    fuse(reference, thermal, model=str(tiny_model), align="none", reference=0).save(out)
    metadata = read_picture(out).metadata
    assert metadata.xmp is not None and metadata.exif is not None
    for kept in (b'GimbalPitchDegree="-89.90"', b'RelativeAltitude="+60.10"', b'Camera:BandName="NIR"'):
        assert kept in metadata.xmp
    after = Image.Exif()
    after.load(metadata.exif)
    assert after[ExifTags.Base.Model] == "M3M"
    assert after.get_ifd(ExifTags.IFD.GPSInfo)[2] == (48.0, 8.0, 30.0)
    assert float(after.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.FocalLength]) == pytest.approx(12.29)
    assert io.BytesIO(out.read_bytes()).getvalue().count(b"GimbalPitchDegree") == 1

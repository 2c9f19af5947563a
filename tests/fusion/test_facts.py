"""What is told of single sources, what of all that it can mean, and which source is the infrared."""

from __future__ import annotations

import numpy as np
import pytest

from tita_cli import Picture
from tita_cli.errors import UsageError
from tita_cli.fusion.look import Look
from tita_cli.fusion.plan import Plan
from tita_cli.fusion.roles import judge_roles
from tita_cli.fusion.source import Source, describe_sources
from tita_cli.images import Metadata
from tita_cli.images.palettes import palettes
from tita_cli.images.picture import FloatArray, Thermal
from tita_cli.images.roles import role_of_name, roles_of_letters, roles_of_names
from tita_cli.options import Input, PerSource


def _waves(*shape: int, seed: int = 0) -> FloatArray:
    """A smooth random scene in 0..1."""
    import cv2

    rng = np.random.default_rng(seed)
    smooth = cv2.GaussianBlur(rng.random(shape, dtype=np.float32), (0, 0), 3)
    return np.asarray((smooth - smooth.min()) / np.ptp(smooth), np.float32)


def _photograph(name: str = "b.png", *, seed: int = 0) -> Picture:
    tint = np.array([1.0, 0.9, 0.7], np.float32)
    return Picture(_waves(48, 64, seed=seed)[..., None] * tint, name=name, levels=(0, 255))


def _counts(name: str = "a.tif") -> Picture:
    pixels = (29375 + 688 * _waves(48, 64, seed=1)[..., None]) / np.float32(65535)
    return Picture(pixels, depth=16, name=name, levels=(0, 65535))


def _grey(name: str, low: float = 0.0, high: float = 1.0, *, seed: int = 1) -> Picture:
    return Picture(low + (high - low) * _waves(48, 64, seed=seed)[..., None], name=name, levels=(0, 255))


def _of_camera(name: str, xmp: bytes) -> Picture:
    return Picture(_waves(48, 64, seed=2)[..., None], name=name, metadata=Metadata(xmp=xmp))


def _plan(*sources: Picture | Source, **options: object) -> Plan:
    how = Input(**options)  # type: ignore[arg-type]
    told = {name: PerSource.of(getattr(how, name)) for name in ("value_range", "polarity", "role", "false_color")}
    return Plan(describe_sources(sources, **told), align="none", options=how)


@pytest.mark.parametrize("told", [(29375.0, 29719.0), {0: (29375.0, 29719.0)}, {"infrared": (29375.0, 29719.0)}])
def test_a_range_in_counts_leaves_the_photograph_alone(told: object) -> None:
    photograph = _photograph()
    plan = _plan(_counts(), photograph, value_range=told, denoise="off")
    np.testing.assert_array_equal(plan.read(1).pixels, photograph.pixels)
    values = plan.read(0).pixels
    assert values.min() == 0 and (values == 1).mean() > 0.3
    assert any("taken to mean a.tif" in note for note in plan.notes) == isinstance(told, tuple)


def test_a_range_that_no_source_can_mean_is_refused() -> None:
    with pytest.raises(UsageError, match="`value_range` 7,9: no source holds counts"):
        _plan(_photograph("a.png"), _photograph("b.png", seed=3), value_range=(7.0, 9.0))


def test_polarity_means_the_infrared() -> None:
    plan = _plan(_photograph(), _grey("ir.png"), polarity="black-hot")
    np.testing.assert_allclose(plan.read(1).pixels, 1 - _grey("ir.png").pixels)
    np.testing.assert_array_equal(plan.read(0).pixels, _photograph().pixels)
    assert any("black-hot is taken to mean ir.png" in note for note in plan.notes)
    with pytest.raises(UsageError, match="`polarity` black-hot"):
        _plan(_grey("a.png"), _grey("b.png", seed=5), polarity="black-hot")


def test_flat_infrared_of_8_bits_is_as_bright_as_the_same_in_counts() -> None:
    counts, flat = _plan(_counts("ir.tif"), _photograph()).read(0), _plan(_grey("ir.png", 0.14, 0.55), _photograph())
    np.testing.assert_allclose(flat.read(0).pixels, counts.pixels, atol=0.02)
    full = _plan(_grey("ir.png", 0.14, 0.55), _photograph(), value_range="full").read(0)
    np.testing.assert_array_equal(full.pixels, _grey("ir.png", 0.14, 0.55).pixels)


def test_infrared_that_uses_most_of_8_bits_stays_as_it_is() -> None:
    wide = _grey("ir.png", 0.1, 0.8)
    np.testing.assert_array_equal(_plan(wide, _photograph()).read(0).pixels, wide.pixels)


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("ir/0001.png", "infrared"), ("vis/0001.png", "visible"), ("x_thermal.tif", "infrared"),
        ("LWIR-3.png", "infrared"), ("bird.png", None),
        ("0001_THRM.JPG", "infrared"), ("0002_WIDE.JPG", "visible"), ("vis_ir/a.png", None),
        ("FLIR0123.jpg@visible", "visible"), ("FLIR0123.jpg@thermal", "infrared"), ("ir/x.tif@3", "infrared"),
    ],
)  # fmt: skip
def test_words_in_names(name: str, role: str | None) -> None:
    assert role_of_name(name) == role


def test_a_folder_that_all_sources_are_in_says_nothing() -> None:
    assert roles_of_names(["thermal/DJI_0001_T.JPG", "thermal/DJI_0001_V.JPG"]) == [None, None]
    assert roles_of_names(["ir/0001.png", "vis/0001.png"]) == ["infrared", "visible"]
    assert roles_of_names(["ir/0001_vis.png", "ir/0001.png"]) == ["visible", None]
    sources = describe_sources([_grey("thermal/DJI_1_V.JPG", seed=2), _grey("thermal/DJI_1_T.JPG")])
    assert judge_roles(sources, [Look.at(source.read()) for source in sources]).infrared == 1


def test_letters_count_where_each_source_has_one() -> None:
    assert roles_of_letters(["DJI_0001_T.JPG", "DJI_0002_W.JPG"]) == ["infrared", "visible"]
    assert roles_of_letters(["plan_T.png", "plan_U.png"]) == [None, None]


@pytest.mark.parametrize(
    ("infrared", "visible"),
    [
        (_grey("x_ir.png"), _grey("x.png", seed=2)),
        (_grey("x.png"), _grey("x_vis.png", seed=2)),
        (_grey("x.png"), _photograph("y.png")),
        (_counts("x.tif"), _grey("y.png", seed=2)),
        (Picture(_waves(48, 64)[..., None], name="x", thermal=Thermal("maker")), _grey("y", seed=2)),
        (Picture(_waves(20, 30)[..., None], name="x"), _grey("y", seed=2)),
        (_grey("x.png"), _of_camera("y", b'ImageSource="WideCamera"')),
        (Source(_grey("x_vis.png"), role="infrared"), _grey("x_ir.png", seed=2)),
    ],
    ids=["name", "name of the other", "colour", "counts", "thermal file", "size", "xmp", "told"],
)  # fmt: skip
def test_the_infrared_is_found_in_either_order(infrared: Picture | Source, visible: Picture) -> None:
    for first, pair in enumerate(((infrared, visible), (visible, infrared))):
        sources = describe_sources(pair)
        roles = judge_roles(sources, [Look.at(source.read()) for source in sources])
        assert (roles.infrared, roles.photograph) == (first, 1 - first)


def test_two_pictures_of_one_kind_have_no_roles() -> None:
    scene = _photograph("a.png")
    dark = Picture((0.4 * scene.pixels).mean(axis=2, keepdims=True), name="b.png")
    assert _plan(scene, dark).roles.of == (None, None)
    assert _plan(_grey("ir_1.png"), _grey("ir_2.png", seed=2)).roles.photograph is None


def test_the_photograph_gives_frame_and_size_in_either_order() -> None:
    small = Picture(_waves(24, 32)[..., None], name="ir.png")
    for pair in ((small, _photograph()), (_photograph(), small)):
        plan = Plan(describe_sources(pair), align="none", resize=True)
        assert plan.looks[plan.reference].name == "b.png"
        assert {plan.read(index).size for index in (0, 1)} == {"64×48"}
    assert Plan(describe_sources((small, _photograph())), align="none", resize=True, reference=0).reference == 0


@pytest.mark.parametrize(
    ("name", "told", "turned"),
    [
        ("ir/a.png", None, True), ("set/a_thermal.png", None, True), ("set/a.png", None, False),
        ("set/a.png", {0: "infrared"}, True), ("ir/a.png", {0: "visible"}, False),
    ],
)  # fmt: skip
def test_hot_is_certain_where_role_or_name_say_infrared(name: str, told: object, turned: bool) -> None:
    y, x = np.mgrid[0:96, 0:128]
    steps = (127 + 80 * np.sin(x / 17) + 47 * np.cos(y / 11)).clip(0, 255).astype(np.uint8)
    coloured = Picture(palettes()["hot"][steps] / np.float32(255), name=name)
    role = PerSource() if told is None else PerSource.of(told)
    source, _ = describe_sources([coloured, _photograph("set/b.png")], role=role)
    read = source.read()
    assert read.palette == ("hot" if turned else None) and read.is_color is not turned
    assert ("may be infrared" in read.notes[-1]) is not turned


@pytest.mark.parametrize(("name", "kept"), [("a.png", True), ("a_ir.png", True), ("a_vis.png", False)])
def test_false_color_may_be_told_of_a_role(name: str, kept: bool) -> None:
    y, x = np.mgrid[0:96, 0:128]
    steps = (127 + 80 * np.sin(x / 17) + 47 * np.cos(y / 11)).clip(0, 255).astype(np.uint8)
    coloured = Picture(palettes()["inferno"][steps] / np.float32(255), name=name)
    told = PerSource.of({"infrared": "keep"})
    assert describe_sources([coloured, _photograph()], false_color=told)[0].read().is_color is kept


@pytest.mark.parametrize(
    ("name", "told", "turned"),
    [
        ("a.png", {0: "intensity"}, True),
        ("a.png", {"a.png": "intensity"}, True),
        ("a_ir.png", {"infrared": "intensity"}, True),
        ("a.png", {"infrared": "intensity"}, False),  # nothing says that it is
        ("a.png", "intensity", False),
        ("a_ir.png", "intensity", False),
        ("a.png", {1: "intensity"}, False),
        ("a.png", None, False),
    ],
)
def test_who_says_that_a_source_is_coloured_infrared_is_obeyed_or_told(name: str, told: object, turned: bool) -> None:
    part = palettes()["jet"][100 + (40 * _waves(48, 64, seed=4)).astype(int)] / np.float32(255)
    sources = [Picture(part, name=name), _grey("b_vis.png")]
    plan = _plan(*sources, **({} if told is None else {"false_color": told}))
    assert (plan.looks[0].palette == "jet") is turned and plan.looks[0].is_color is not turned
    assert any("nothing was turned back" in note for note in plan.notes) is (told is not None and not turned)
    if turned:
        assert plan.roles.of == ("infrared", "visible")


@pytest.mark.parametrize(
    ("names", "roles"),
    [
        (("ir/FLIR_1.jpg", "vis/FLIR_1.jpg"), ["infrared", "visible"]),
        (("FLIR_1_vis.jpg", "FLIR_1_ir.jpg"), ["visible", "infrared"]),
        (("a/FLIR_1.jpg", "a/FLIR_2.jpg"), ["infrared", "infrared"]),
        (("ir/thermal_1.png", "ir/thermal_2.png"), ["infrared", "infrared"]),
        (("FLIR_1.jpg", "photo.jpg"), ["infrared", "visible"]),
        (("x.png@thermal", "x.png@visible"), ["infrared", "visible"]),
    ],
)
def test_a_word_that_all_names_have_tells_none_from_the_others(names: tuple[str, ...], roles: list[str]) -> None:
    assert roles_of_names(names) == roles

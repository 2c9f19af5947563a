"""Loading a manifest's folders, and batches that depend on nothing but seed, rank and step."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from tita_cli.errors import TrainingError
from tita_cli.training import crops
from tita_cli.training.data import TrainingData
from tita_cli.training.manifest import Manifest
from tita_cli.training.pairs import PairBatch, PairDraw
from tita_cli.training.synthesis_infrared import Reference
from tita_cli.training.synthesis_patches import exposure_reference

CROP = 32


def picture(seed: int, size: tuple[int, int] = (60, 72)) -> np.ndarray:
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 256, (12, 14), dtype=np.uint8)
    return cv2.resize(small, size[::-1], interpolation=cv2.INTER_CUBIC)


def save(path: Path, image: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), image)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A little of each kind of data."""
    for n in range(3):
        sharp = picture(n)
        blurred = cv2.GaussianBlur(sharp, (0, 0), 3)
        left, right = sharp.copy(), blurred.copy()
        left[:, 36:], right[:, 36:] = blurred[:, 36:], sharp[:, 36:]
        for role, image in (("a", left), ("b", right), ("sharp", sharp)):
            save(tmp_path / "focus" / role / f"{n}.png", image)
        save(tmp_path / "vis" / f"{n}.jpg", cv2.merge([sharp] * 3))
        save(tmp_path / "ir" / f"{n}.png", picture(n + 10))
        save(tmp_path / "regions" / f"{n}.png", np.arange(60 * 72).reshape(60, 72).astype(np.uint8) // 64)
        for k, level in enumerate((0.3, 1.0, 1.8)):
            save(tmp_path / "brackets" / f"scene{n}" / f"{k}.png", np.clip(sharp * level, 0, 255).astype(np.uint8))
    return tmp_path


PAIRS = {"task": "ivf", "kind": "pairs", "a": "vis", "b": "ir"}
SERIES = {"task": "mef", "kind": "series", "scenes": "brackets"}
TRIPLES = {"task": "mff", "kind": "triples", "a": "focus/a", "b": "focus/b", "sharp": "focus/sharp"}
STILLS = {"task": "mff", "kind": "stills", "stills": "focus/sharp", "regions": "regions"}
EXPOSED = {"task": "mef", "kind": "stills", "stills": "focus/sharp"}
EVERYTHING = [PAIRS, SERIES, TRIPLES, STILLS, EXPOSED]


def data(root: Path, tables: list[dict[str, object]], **options: object) -> TrainingData:
    settings = {"crop": CROP, "seed": 7, "workers": 0, **options}
    manifest = Manifest.from_tables(tables, root=root)
    return TrainingData(manifest, PairDraw(settings.pop("batch", 4), manifest.tasks), **settings)


def planes(batches: dict[str, PairBatch]) -> dict[str, np.ndarray]:
    return {
        f"{task}.{name}": getattr(batch, name).numpy()
        for task, batch in batches.items()
        for name in ("a", "b", "target", "has_target", "mask", "has_mask")
    }


def assert_same(one: dict[str, PairBatch], other: dict[str, PairBatch]) -> None:
    for name, plane in planes(one).items():
        np.testing.assert_array_equal(plane, planes(other)[name], err_msg=name)


def test_a_batch_has_every_task_in_order_with_shapes_and_ranges(root: Path) -> None:
    with data(root, EVERYTHING[::-1], batch={"ivf": 2, "mef": 3, "mff": 5}) as loader:
        batches = loader.batch(0)

    assert tuple(batches) == loader.tasks == ("ivf", "mef", "mff")
    for batch, size in zip(batches.values(), (2, 3, 5), strict=True):
        for plane in (batch.a, batch.b, batch.target, batch.mask):
            assert tuple(plane.shape) == (size, 1, CROP, CROP)
            assert 0 <= float(plane.min()) <= float(plane.max()) <= 1
        assert tuple(batch.has_target.shape) == tuple(batch.has_mask.shape) == (size,)
    assert batches["ivf"].has_target.all()
    assert not batches["ivf"].has_mask.any()
    assert batches["mef"].has_target.all()
    assert not batches["mef"].mask.any()
    assert batches["mff"].has_target.all()
    assert batches["mff"].has_mask.all()
    assert all(str(plane.dtype) == "float32" for plane in planes(batches).values())


def test_a_batch_depends_on_seed_rank_and_step_alone(root: Path) -> None:
    with data(root, EVERYTHING, workers=2) as first:
        wanted = {step: first.batch(step) for step in range(6)}
    with data(root, EVERYTHING) as resumed:
        for step in (4, 5, 1, 4):
            assert_same(wanted[step], resumed.batch(step))
    for change in ({"seed": 8}, {"rank": 1}):
        with data(root, EVERYTHING, **change) as other:
            assert not np.array_equal(wanted[0]["ivf"].a.numpy(), other.batch(0)["ivf"].a.numpy())
    assert not np.array_equal(wanted[0]["mff"].a.numpy(), wanted[1]["mff"].a.numpy())


def test_a_task_gets_the_same_crops_whatever_other_tasks_there_are(root: Path) -> None:
    with data(root, EVERYTHING) as everything, data(root, [SERIES, EXPOSED]) as exposures:
        np.testing.assert_array_equal(everything.batch(3)["mef"].a.numpy(), exposures.batch(3)["mef"].a.numpy())


def test_order_is_kept_without_swap(root: Path) -> None:
    with data(root, [SERIES | {"swap": 0.0}], batch=16) as loader:
        batch = loader.batch(0)["mef"]
    assert (batch.a.mean(dim=(1, 2, 3)) >= batch.b.mean(dim=(1, 2, 3)) - 0.02).all()
    with data(root, [SERIES | {"swap": 1.0}], batch=16) as loader:
        swapped = loader.batch(0)["mef"]
    np.testing.assert_array_equal(swapped.a.numpy(), batch.b.numpy())
    np.testing.assert_array_equal(swapped.target.numpy(), batch.target.numpy())


def test_the_mask_of_a_triple_picks_the_sharp_side(root: Path) -> None:
    with data(root, [TRIPLES], batch=16) as loader:
        batch = loader.batch(0)["mff"]
    picked = batch.mask * batch.a + (1 - batch.mask) * batch.b
    wrong = batch.mask * batch.b + (1 - batch.mask) * batch.a
    assert (picked - batch.target).abs().mean() < 0.3 * (wrong - batch.target).abs().mean()


def test_entries_come_up_by_weight(root: Path) -> None:
    flat = [np.full((60, 72), level, np.uint8) for level in (0, 255)]
    for name, image in zip(("black", "white"), flat, strict=True):
        save(root / name / "0.png", image)
    tables = [
        {"task": "mef", "kind": "pairs", "a": name, "b": name, "weight": weight}
        for name, weight in (("black", 1), ("white", 9))
    ]
    with data(root, tables, batch=400) as loader:
        share = float((loader.batch(0)["mef"].a.mean(dim=(1, 2, 3)) > 0.5).float().mean())
    assert 0.82 < share < 0.97


def test_references_can_be_switched_off(root: Path) -> None:
    with data(root, [SERIES | {"reference": False}, EXPOSED | {"reference": False}], batch=8) as loader:
        assert not loader.batch(0)["mef"].has_target.any()


def test_an_infrared_reference_is_made_of_the_pictures_as_stored(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crops, "infrared_reference", lambda visible, infrared, contrast: Reference(visible, infrared))
    with data(root, [PAIRS | {"swap": 0.0}], batch=32) as loader:
        batch = loader.batch(0)["ivf"]
    np.testing.assert_array_equal(batch.target.numpy(), batch.a.numpy())  # noise and JPEG in some of them, too
    np.testing.assert_array_equal(batch.hot.numpy(), batch.b.numpy())


def test_exposures_get_the_reference_of_the_very_pixels_that_are_shown(root: Path) -> None:
    with data(root, [SERIES | {"swap": 0.0}, EXPOSED | {"swap": 0.0}], batch=8) as loader:
        batch = loader.batch(0)["mef"]
    assert batch.has_target.all()
    for a, b, target in zip(batch.a[:, 0].numpy(), batch.b[:, 0].numpy(), batch.target[:, 0].numpy(), strict=True):
        np.testing.assert_allclose(exposure_reference(a, b), target, atol=1e-5)


def test_scenes_smaller_than_the_crop_are_left_out_and_counted(root: Path) -> None:
    save(root / "vis" / "tiny.png", picture(0, (20, 20)))
    save(root / "ir" / "tiny.png", picture(1, (20, 20)))
    with data(root, [PAIRS]) as loader:
        assert "3 scenes, 1 smaller than the crop left out" in loader.describe()[0]
    with pytest.raises(TrainingError, match="every image is smaller than the crop of 64×64"):
        data(root, [PAIRS], crop=64)
    with pytest.raises(TrainingError, match="smaller than the crop"):
        data(root, [PAIRS | {"crop_border": 40}])


def test_a_crop_may_be_as_large_as_the_image(root: Path) -> None:
    with data(root, EVERYTHING, crop=60) as loader:
        assert loader.batch(0)["mff"].a.shape[-1] == 60


def test_entries_that_read_the_same_folder_share_its_images(root: Path) -> None:
    with data(root, [EXPOSED, EXPOSED | {"task": "mff", "weight": 3}]) as loader:
        one, other = loader.sources
    assert one.scenes[0].frames[0] is other.scenes[0].frames[0]
    assert (one.entry.task, other.entry.task) == ("mef", "mff")


def test_a_batch_for_other_tasks_is_refused(root: Path) -> None:
    with pytest.raises(TrainingError, match="batch is given for ivf, mef, the data are for ivf"):
        data(root, [PAIRS], batch={"ivf": 2, "mef": 2})


def broken(root: Path, what: str) -> None:
    if what == "text":
        (root / "vis" / "0.jpg").write_text("no image")
    elif what == "empty file":
        (root / "vis" / "0.jpg").write_bytes(b"")
    elif what == "no partner":
        (root / "ir" / "1.png").unlink()
    elif what == "other size":
        save(root / "ir" / "1.png", picture(0, (50, 72)))
    elif what == "twice":
        save(root / "vis" / "1.png", picture(0))
    elif what == "two exposures":
        (root / "brackets" / "scene1" / "0.png").unlink()
    elif what == "colour labels":
        save(root / "regions" / "1.png", cv2.merge([picture(0)] * 3))
    elif what == "label size":
        save(root / "regions" / "1.png", picture(0, (30, 30)))


@pytest.mark.parametrize(
    ("table", "what", "fault"),
    [
        (PAIRS, "text", r"0\.jpg: is (not an image|empty)"),
        (PAIRS, "empty file", r"0\.jpg: is (not an image|empty)"),
        (PAIRS, "no partner", r"ir: no image named '1'"),
        (PAIRS, "other size", r"1\.png is 72×50, its partner .*1\.jpg is 72×60"),
        (PAIRS, "twice", r"a second image named '1'"),
        (PAIRS | {"b": "nowhere"}, "", r"nowhere: cannot read this folder: No such file"),
        (PAIRS | {"b": "brackets"}, "", r"brackets: no image in this folder"),
        (SERIES, "two exposures", r"scene1: 2 exposures, a series has three or more"),
        (SERIES | {"scenes": "vis"}, "", r"vis: no folders of exposures"),
        (STILLS, "colour labels", r"1\.png: a label image has one channel, this has 3"),
        (STILLS, "label size", r"1\.png is 30×30, its partner .* is 72×60"),
    ],
)
def test_data_at_fault_are_named_in_one_line(root: Path, table: dict[str, object], what: str, fault: str) -> None:
    broken(root, what)
    with pytest.raises(TrainingError, match=fault) as caught:
        data(root, [table])
    assert "\n" not in caught.value.message

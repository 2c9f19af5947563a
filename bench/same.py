"""Tell whether a change of the code changes what tita writes: hashes of its results over the dev sets.

    python bench/same.py DIR                             # writes DIR/CASE/*, and every hash to DIR.json
    python bench/same.py DIR --against OLD.json          # and compares with an earlier run (its pictures lie in OLD/)
    python bench/same.py DIR --tree CHECKOUT             # runs the code of another checkout
    python bench/same.py DIR --only fuse-ivf,align-      # the cases whose names begin so

Each case is one command line of ``tita`` in a process of its own. Compared are the exit code, the names of the files,
their bytes (which hold the metadata and the provenance) and their decoded samples, as OpenCV and tifffile read them.
The exit code is 1 where anything differs. Needs ../shared/data/dev, and for some cases ../shared/cases/people.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import tifffile

HERE = Path(__file__).resolve().parents[1]
SHARED = HERE.parent / "shared"
DEV = SHARED / "data/dev"
PEOPLE = SHARED / "cases/people"
Record = dict[str, Any]


def _pair(folder: str, name: str, first: str = "vis", second: str = "ir") -> list[str]:
    """The two files called ``name`` in the parallel folders ``first`` and ``second``."""
    return [str(next((DEV / folder / side).glob(f"{name}.*"))) for side in (first, second)]


def _all(folder: str) -> list[str]:
    """The images of ``folder``, by name."""
    return [str(path) for path in sorted((DEV / folder).iterdir()) if path.suffix.lower() in (".jpg", ".png", ".bmp")]


def _people(*names: str) -> list[str]:
    return [str(PEOPLE / name) for name in names]


def make_inputs(folder: Path) -> None:
    """Files that the dev sets lack, made from theirs: 16 bits, float, alpha, unequal sizes, folders for a batch."""
    folder.mkdir(parents=True, exist_ok=True)
    over, under = (cv2.imread(name) for name in reversed(_all("mef/mefb30/Church")))
    assert over is not None and under is not None
    for name, picture in (("over", over), ("under", under)):
        # 257 brings 255 to 65535; the ramp makes the low byte carry something.
        deep = picture.astype(np.uint16) * 257
        deep ^= (np.arange(deep.shape[1], dtype=np.uint16) % 128)[None, :, None]
        cv2.imwrite(str(folder / f"{name}16.png"), deep)
        cv2.imwrite(str(folder / f"{name}16.tif"), deep)
        tifffile.imwrite(folder / f"{name}32.tif", picture[:, :, ::-1].astype(np.float32) / 255, photometric="rgb")
        alpha = np.full(picture.shape[:2], 255, np.uint8)
        alpha[:40, :60] = 0
        cv2.imwrite(str(folder / f"{name}-alpha.png"), np.dstack([picture, alpha]))
    visible, infrared = (cv2.imread(name) for name in _pair("ivf/vifb", "manlight"))
    assert visible is not None and infrared is not None
    cv2.imwrite(str(folder / "vis.png"), visible)
    cv2.imwrite(str(folder / "ir-half.png"), cv2.resize(infrared, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA))
    far = cv2.imread(_all("align/multifocus/00")[0])
    assert far is not None
    cv2.imwrite(str(folder / "far.png"), far)
    cv2.imwrite(str(folder / "far-small.png"), cv2.resize(far, None, fx=0.75, fy=0.75, interpolation=cv2.INTER_AREA))
    cv2.imwrite(str(folder / "tiny-a.png"), visible[:5, :3])
    cv2.imwrite(str(folder / "tiny-b.png"), infrared[:5, :3])
    for side in ("vis", "ir"):
        for name in ("manlight", "snow", "elecbike"):
            source = Path(_pair("ivf/vifb", name)[side == "ir"])
            target = folder / "night" / side / source.name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(source.read_bytes())
    for scene in ("Church", "Tower"):
        for source in map(Path, _all(f"mefseq/{scene}")):
            target = folder / "brackets" / scene / source.name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(source.read_bytes())
    for scene in ("01", "05"):
        for letter in "AB":
            target = folder / "focus" / f"{scene}_{letter}.jpg"
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes((DEV / f"mff/lytro/lytro_{scene}/{letter}.jpg").read_bytes())


def cases(tree: Path, made: Path) -> dict[str, list[str]]:
    """Case to arguments of tita; ``OUT`` in an argument stands for the case's folder."""
    manlight, church = _pair("ivf/vifb", "manlight"), _all("mefseq/Church")
    bracket = _all("mef/mefb30/Church")
    lytro, tno = _all("mff/lytro/lytro_05"), _pair("ivf/tno", "tno_05")
    room, beetle = _all("photos/bracket_seven"), _all("stacks/focus_beetle")
    thermal = _people("dji0_V.jpg", "dji0_T.jpg")

    def made_of(*names: str) -> list[str]:
        return [str(made / name) for name in names]

    def unregistered(number: str) -> list[str]:
        return [str(DEV / f"align/vis_ir/{number}_{letter}.png") for letter in "ab"]

    def fuse(sources: list[str], *options: str, to: str = "fused.png") -> list[str]:
        return ["fuse", *sources, "-o", f"OUT/{to}", "--quiet", *options]

    def align(sources: list[str], *options: str) -> list[str]:
        return ["align", *sources, "-o", "OUT/aligned", "--quiet", *options]

    def batch(folder: str, *options: str) -> list[str]:
        return ["batch", str(made / folder), "-o", "OUT/fused", "--quiet", *options]

    return {
        # infrared + visible
        "fuse-ivf-colour": fuse(manlight),
        "fuse-ivf-ir-first": fuse(manlight[::-1]),
        "fuse-ivf-no-align": fuse(_pair("ivf/vifb", "elecbike"), "--align", "none"),
        "fuse-ivf-msrs": fuse(_pair("ivf/msrs", "00036N"), "--weights-map", "OUT/map.png"),
        "fuse-ivf-grey": fuse(tno),
        "fuse-ivf-invert": fuse(tno, "--polarity", "2:black-hot", "--align", "none"),
        "fuse-ivf-color-grey": fuse(manlight, "--color", "grey"),
        "fuse-ivf-jpeg": fuse(manlight, to="fused.jpg"),
        "fuse-ivf-webp": fuse(manlight, to="fused.webp"),
        "fuse-ivf-range": fuse(tno, "--range", "20,200"),
        # exposures
        "fuse-mef-png": fuse(_all("mef/mefb30/Church")),
        "fuse-mef-jpg": fuse(_all("mef/mefb30/Door")),
        "fuse-mef-color-grey": fuse(_all("mef/mefb30/Church"), "--color", "grey"),
        "fuse-mef-three": fuse(church, "--weights-map", "OUT/map.png"),
        "fuse-mef-seven": fuse(room),
        "fuse-mef-seven-no-align": fuse(room, "--align", "none", "--reference", "4"),
        "fuse-mef-handheld": fuse(_all("photos/bracket_handheld")),
        "fuse-mef-handheld-fill": fuse(_all("photos/bracket_handheld"), "--border", "fill", "--reference", "2"),
        "fuse-mef-handheld-mask": fuse(_all("photos/bracket_handheld"), "--border", "mask"),
        "fuse-mef-deghost": fuse(_all("photos/bracket_moving"), "--deghost"),
        "fuse-mef-deghost-no-align": fuse(_all("dynamic/Seq_20"), "--deghost", "--align", "none", "--reference", "2"),
        # focus
        "fuse-mff-jpg": fuse(lytro),
        "fuse-mff-grey": fuse(_all("mff/mfifb/aymaz_06")),
        "fuse-mff-bmp": fuse(_all("mff/mfifb/aymaz_14"), to="fused.bmp"),
        "fuse-mff-stack": fuse(beetle[:5], "--weights-map", "OUT/map.png"),
        "fuse-mff-stack-no-align": fuse(beetle[:4], "--align", "none"),
        "fuse-mff-alpha": fuse(_all("photos/focus_test2")),
        # depth, alpha, sizes, formats
        "fuse-16-png": fuse(made_of("over16.png", "under16.png")),
        "fuse-16-tiff": fuse(made_of("over16.tif", "under16.tif"), to="fused.tif"),
        "fuse-16-to-8": fuse(made_of("over16.png", "under16.png"), "--depth", "8"),
        "fuse-float": fuse(made_of("over32.tif", "under32.tif"), to="fused.tif"),
        "fuse-float-full": fuse(made_of("over32.tif", "under32.tif"), "--range", "full", "--depth", "32", to="f.tif"),
        "fuse-8-to-16": fuse(lytro, "--depth", "16", "--align", "none"),
        "fuse-alpha": fuse(made_of("over-alpha.png", "under-alpha.png")),
        "fuse-sizes-align": fuse(made_of("far.png", "far-small.png")),
        "fuse-sizes-cannot-tell": fuse(made_of("vis.png", "ir-half.png")),
        "fuse-sizes-resize": fuse(made_of("vis.png", "ir-half.png"), "--resize", "--align", "none"),
        "fuse-sizes-refused": fuse(made_of("vis.png", "ir-half.png"), "--align", "none"),
        "fuse-tiny": fuse(made_of("tiny-a.png", "tiny-b.png")),
        "fuse-thermal": fuse(thermal),
        "fuse-thermal-celsius": fuse(_people("vis.png", "celsius.tif"), "--align", "none"),
        "fuse-tiff-16-colour": fuse(_people("c16A.tif", "c16B.tif"), to="fused.tif"),
        "fuse-tiff-12": fuse(_people("c12a.tif", "c12b.tif"), to="fused.tif"),
        "fuse-false-colour-refused": fuse(_people("dji0_V.jpg", "ironbow_eq.jpg"), "--resize"),
        "fuse-false-colour-intensity": fuse(_people("vis.png", "cm_VIRIDIS.jpg"), "--false-color", "intensity"),
        "fuse-orientation": fuse(_people("b6rot.png", "b6rot.png")),
        # alignment by each model of motion
        "fuse-unregistered-infrared": fuse(unregistered("04")),
        "fuse-unregistered-focus": fuse(_all("align/multifocus/06"), "--align", "homography"),
        "fuse-flow": fuse(_all("align/multifocus/06"), "--align", "flow"),
        "fuse-affine": fuse(_all("align/multifocus/03"), "--align", "affine"),
        # models and back ends
        "fuse-torch": fuse(manlight, "--backend", "torch"),
        "fuse-torch-three": fuse(church, "--backend", "torch", "--weights-map", "OUT/map.png"),
        "fuse-onnx-file": fuse(manlight, "--model", str(tree / "weights/tita-lite.onnx")),
        "fuse-safetensors-file": fuse(manlight, "--model", str(tree / "weights/tita-lite.safetensors")),
        "fuse-tita-onnx": fuse(tno, "--model", "tita"),
        "fuse-tita-torch": fuse(tno, "--model", "tita", "--backend", "torch"),
        "fuse-authors-file": fuse(tno, "--model", str(SHARED / "parity/official_small.pth")),
        "fuse-tiles-onnx": fuse(bracket, "--memory", "160M", "--align", "none"),
        "fuse-tiles-torch": fuse(bracket, "--memory", "160M", "--align", "none", "--backend", "torch"),
        # align
        "align-infrared": align(unregistered("01")),
        "align-infrared-fill": align(unregistered("08"), "--border", "fill"),
        "align-focus": align(_all("align/multifocus/00")),
        "align-focus-mask": align(_all("align/multifocus/09"), "--border", "mask", "--align", "similarity"),
        "align-bracket": align(_all("photos/bracket_handheld"), "--reference", "2"),
        "align-stack": align(beetle[:5]),
        "align-radar": align([str(DEV / f"align/crossmodal/cfog/optical_sar_{letter}.jpg") for letter in "ab"]),
        "align-strict": align([manlight[0], lytro[1]], "--align", "strict"),
        "align-sizes": align(made_of("far-small.png", "far.png")),
        # batch
        "batch-folders": batch("night"),
        "batch-folders-tita-off": batch("night", "--align", "none", "--color", "grey", "--workers", "1"),
        "batch-scenes": batch("brackets", "--by", "scenes"),
        "batch-names": batch("focus", "--format", "tiff", "--depth", "16"),
    }


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


def samples(path: Path) -> npt.NDArray[Any] | None:
    """The samples of a picture, H×W or H×W×C as the file has them; None for a file that is no picture."""
    if path.suffix in (".tif", ".tiff"):
        return tifffile.imread(path)
    if path.suffix not in (".png", ".jpg", ".jpeg", ".webp", ".bmp"):
        return None
    return cv2.imread(str(path), cv2.IMREAD_UNCHANGED)


def run(arguments: list[str], folder: Path, tree: Path) -> Record:
    """Run one command line of the code in ``tree``: its exit code, its files, and its message where it failed."""
    folder.mkdir(parents=True)
    command = [sys.executable, "-m", "tita_cli", *(word.replace("OUT/", f"{folder}/") for word in arguments)]
    environment = {**os.environ, "PYTHONPATH": str(tree), "NO_COLOR": "1"}
    start = time.monotonic()
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    record: Record = {"arguments": " ".join(arguments), "code": done.returncode, "files": {}}
    record["seconds"] = round(time.monotonic() - start, 1)
    if done.returncode:
        said = (done.stderr.strip().splitlines() or [""])[0]
        record["said"] = said.replace(str(folder.parent), "DIR").replace(str(tree), "TREE")
    for path in sorted(folder.rglob("*")):
        pixels = samples(path) if path.is_file() else None
        if pixels is not None:
            kind = f"{'×'.join(map(str, pixels.shape))} {pixels.dtype}"
            hashes = {"bytes": digest(path.read_bytes()), "pixels": digest(pixels.tobytes() + kind.encode())}
            record["files"][str(path.relative_to(folder))] = {**hashes, "kind": kind}
    return record


def difference(old: Path, new: Path) -> str:
    """How far two pictures are from each other, in the samples' own units."""
    a, b = samples(old), samples(new)
    if a is None or b is None:
        return "the earlier picture is not there"
    if a.shape != b.shape or a.dtype != b.dtype:
        return f"{a.shape} {a.dtype} was, {b.shape} {b.dtype} is"
    apart = np.abs(a.astype(np.float64) - b)
    return f"at most {apart.max():.6g}, {apart.mean():.3g} on average, {np.mean(apart > 0):.2%} of the samples"


def compare(old: dict[str, Record], new: dict[str, Record], old_folder: Path, new_folder: Path) -> list[str]:
    """One line for each thing that differs between two runs."""
    lines = []
    for case, now in new.items():
        if case not in old:
            lines.append(f"{case}: not in the earlier run")
            continue
        before = old[case]
        if before["code"] != now["code"]:
            lines.append(f"{case}: exit code {before['code']} was, {now['code']} is: {now.get('said', '')}")
        elif before.get("said") != now.get("said"):
            lines.append(f"{case}: says {now.get('said')!r}, said {before.get('said')!r}")
        for name in sorted(before["files"].keys() | now["files"].keys()):
            was, has = before["files"].get(name), now["files"].get(name)
            if was is None or has is None:
                lines.append(f"{case}/{name}: {'new' if was is None else 'gone'}")
            elif was["pixels"] != has["pixels"]:
                apart = difference(old_folder / case / name, new_folder / case / name)
                lines.append(f"{case}/{name}: pixels differ, {apart}")
            elif was["bytes"] != has["bytes"]:
                lines.append(f"{case}/{name}: equal pixels, other bytes")
    return lines


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="a new folder for the pictures; the hashes go to FOLDER.json")
    parser.add_argument("--against", type=Path, help="the .json of an earlier run")
    parser.add_argument("--tree", type=Path, default=HERE, help="the checkout whose code runs (default: this one)")
    parser.add_argument("--only", default="", help="beginnings of the names of the cases to run, separated by commas")
    options = parser.parse_args()
    folder, tree = options.folder.resolve(), options.tree.resolve()
    if folder.exists():
        parser.error(f"{folder} exists")
    made = folder / "inputs"
    make_inputs(made)
    chosen = {
        name: arguments
        for name, arguments in cases(tree, made).items()
        if any(name.startswith(start) for start in options.only.split(","))
    }
    records = {}
    for name, arguments in chosen.items():
        records[name] = run(arguments, folder / name, tree)
        print(f"{name}: {records[name]['seconds']} s, {records[name].get('said', 'done')}", file=sys.stderr, flush=True)
    folder.with_name(folder.name + ".json").write_text(json.dumps(records, indent=1, ensure_ascii=False) + "\n")
    if not options.against:
        return 0
    old = json.loads(options.against.read_text(encoding="utf-8"))
    lines = compare(old, records, options.against.resolve().with_suffix(""), folder)
    files = sum(len(record["files"]) for record in records.values())
    print("\n".join([*lines, f"{len(records)} cases, {files} files, {len(lines)} differences"]))
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())

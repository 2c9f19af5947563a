"""Mutated inputs over all readers: each must be read or refused with an error of tita's, soon and in bounded memory.

Inputs are made by code from a small valid file of every kind, and from a number: the same number gives the same input.
A reader runs in a process of its own, which may die or hang; what it had in hand is then the finding.
"""

from __future__ import annotations

import contextlib
import io
import json
import multiprocessing
import os
import random
import resource
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import camera_files
import numpy as np

from tita_cli.errors import TitaError

MEMORY = 1 << 30
"""Bytes of address space that reading may take, beyond what the process has before it."""
SECONDS = 10.0
"""Of the processor's time that reading one input may take."""
PATIENCE = 6
"""Times as long it may take by the clock, on a machine that has other things to do."""
PIXELS = 1 << 22
"""What readers are told to allow: seeds have a few hundred."""
_NUMBERS = (0, 1, 2, 127, 128, 255, 256, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)

Reader = Callable[[Path], object]


@dataclass
class Findings:
    """``outcomes``: how often what happened. ``faults``: reader, number and what was wrong with it."""

    outcomes: Counter[str] = field(default_factory=Counter)
    faults: list[tuple[str, int, str]] = field(default_factory=list)
    slowest: float = 0.0


def seeds() -> dict[str, tuple[list[bytes], str]]:
    """For every reader, valid files and the suffix that they bear."""
    return {
        "picture": (list(_pictures()), ".bin"),
        "camera": (list(_cameras()), ".bin"),
        **{name: (files, end) for name, files, end in _texts()},
    }


def readers() -> dict[str, Reader]:
    """Every reader of foreign bytes, by name."""
    from tita_cli.align import Calibration
    from tita_cli.batch import read_journal
    from tita_cli.files import read_toml
    from tita_cli.images import list_pages, read_picture
    from tita_cli.metrics.ranking import read_published
    from tita_cli.models.onnx_file import OnnxFile
    from tita_cli.models.onnx_graph import check_graph
    from tita_cli.pairing.capture import read_capture
    from tita_cli.pairing.manifest import read_manifest
    from tita_cli.pairing.scan import ImageFile
    from tita_cli.report.rows import make_rows
    from tita_cli.training.log import read_log

    def picture(path: Path) -> None:
        from tita_cli.images import write_picture

        read_capture(ImageFile(path, Path(path.name)))  # type: ignore[arg-type]
        found = read_picture(path, max_pixels=PIXELS)
        for format in ("png", "tiff", "jpeg"):  # metadata of one format goes into another
            write_picture(found, io.BytesIO(), format=format)

    def camera(path: Path) -> None:
        for page in list_pages(path)[:8]:
            read_picture(path, page=page.name, max_pixels=PIXELS)

    def journal(path: Path) -> None:
        folder = path.parent / "journal"
        folder.mkdir(exist_ok=True)
        (folder / "tita-batch.jsonl").write_bytes(path.read_bytes())
        for row in make_rows(read_journal(folder), folder):
            json.dumps(row.describe(), allow_nan=False)

    def manifest(path: Path) -> None:
        for _ in read_manifest(path).groups:
            pass

    def log(path: Path) -> None:
        from tita_cli.training.plot import build_panels

        build_panels(read_log(path))

    def onnx(path: Path) -> None:
        file = OnnxFile(path)
        file.steps(list(file._inputs))
        return file.spec

    found: dict[str, Reader] = {
        "picture": picture, "camera": camera, "journal": journal, "log": log, "manifest.csv": manifest,
        "manifest.jsonl": manifest, "calibration": Calibration.read, "published": read_published,
        "toml": read_toml, "onnx": onnx, "graph": lambda path: check_graph(path.read_bytes()),
    }  # fmt: skip
    with contextlib.suppress(ImportError):
        from tita_cli.models.checkpoint import load_network
        from tita_cli.training.config import read_config

        found |= {"safetensors": load_network, "pth": load_network, "config": read_config}
    return found


def mutated(name: str, files: list[bytes], number: int) -> bytes:
    """Input ``number`` of a reader: one of its files with one to four changes."""
    rng = random.Random(f"{name}:{number}")
    content = bytearray(rng.choice(files))
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        _change(content, rng, files)
    return bytes(content)


def _change(content: bytearray, rng: random.Random, files: list[bytes]) -> None:
    size = max(1, len(content))
    # Headers decide the most, and lie in front.
    region = rng.random()
    place = rng.randrange(min(size, 256) if region < 0.5 else size)
    if region > 0.8:  # or at the end, as in archives
        place = max(0, size - 1 - rng.randrange(4096))
    length = rng.randrange(1, 2 + min(size, 64))
    kind = rng.randrange(8)
    if kind == 0 and content:
        content[place % len(content)] ^= 1 << rng.randrange(8)
    elif kind == 1:
        content[place : place + 1] = bytes([rng.choice((0, 1, 9, 32, 45, 91, 123, 127, 128, 255))])
    elif kind == 2:
        del content[place:]
    elif kind == 3:
        del content[place : place + length]
    elif kind == 4:
        content[place:place] = content[place : place + length] * rng.choice((1, 2, 50))
    elif kind == 5:
        width = rng.choice((2, 4, 8))
        value = (rng.choice(_NUMBERS) % (1 << 8 * width)).to_bytes(width, rng.choice(("little", "big")))
        content[place : place + width] = value
    elif kind == 6:
        other = rng.choice(files)
        start = rng.randrange(max(1, len(other)))
        content[place : place + length] = other[start : start + length]
    else:
        content[place : place + length] = rng.randbytes(length)


def attack(count: int, folder: Path, *, only: str | None = None, first: int = 0) -> Findings:
    """Read ``count`` mutated inputs, divided among the readers; pictures, of many formats, get half of them.

    ``first``: the number that each reader begins with: another one gives other inputs.
    """
    found, known, made = Findings(), readers(), seeds()
    names = [name for name in known if name in made and only in (None, name)]
    for name in names:
        share = count if only else count // 2 if name == "picture" else -(-count // (2 * (len(names) - 1)))
        files = made[name][0]
        numbers = range(first, first + share)
        read_all(name, lambda number, name=name, files=files: mutated(name, files, number), numbers, folder, found)
    return found


def read_all(name: str, make: Callable[[int], bytes], numbers: range, folder: Path, found: Findings) -> None:
    """Read the inputs with ``numbers`` in a process, and in another one where that dies or hangs."""
    number = numbers.start
    while number < numbers.stop:
        ours, theirs = multiprocessing.Pipe(duplex=False)
        work = multiprocessing.get_context("fork").Process(
            target=_work, args=(name, make, range(number, numbers.stop), folder, theirs)
        )
        work.start()
        theirs.close()
        try:
            ours.recv()  # it is ready
            while number < numbers.stop:
                if not ours.poll(SECONDS * PATIENCE):
                    raise TimeoutError
                outcome, fault, seconds = ours.recv()
                found.slowest = max(found.slowest, seconds)
                found.outcomes[outcome] += 1
                if fault:
                    found.faults.append((name, number, fault))
                number += 1
        except (EOFError, TimeoutError) as error:
            dead = isinstance(error, EOFError)
            if dead:
                work.join()
            said = f"the process died with {work.exitcode}" if dead else f"longer than {SECONDS:.0f} s"
            found.outcomes["fault"] += 1
            found.faults.append((name, number, said))
            number += 1
        work.kill()
        work.join()


def _work(name: str, make: Callable[[int], bytes], numbers: range, folder: Path, pipe: Any) -> None:
    read, path = _prepared(name, folder)
    pipe.send("ready")
    for number in numbers:
        path.write_bytes(make(number))
        begun = time.process_time()
        outcome, fault = _tried(read, path)
        seconds = time.process_time() - begun
        pipe.send((outcome, fault or ("" if seconds < SECONDS else "took too long"), seconds))


def _prepared(name: str, folder: Path) -> tuple[Reader, Path]:
    """The reader, with memory for it limited, and where it may have its files."""
    files, suffix = seeds()[name]
    read = readers()[name]
    path = folder / f"input-{os.getpid()}{suffix}"
    with open(os.devnull, "wb") as nowhere:  # noqa: PTH123
        os.dup2(nowhere.fileno(), 2)  # libraries write what they like
    for content in files:  # libraries are loaded before memory is measured
        path.write_bytes(content)
        with contextlib.suppress(TitaError):
            read(path)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, used + MEMORY))
    return read, path


def _tried(read: Reader, path: Path) -> tuple[str, str]:
    """What became of a file, and what was wrong with that."""
    try:
        read(path)
    except TitaError as error:
        return "refused", "" if "\n" not in error.message else "a message of several lines"
    except MemoryError:
        return "fault", "out of memory"
    except BaseException as error:
        return "fault", f"{type(error).__name__}: {error}"[:200]
    return "read", ""


def _pictures() -> Iterator[bytes]:
    import tifffile
    from PIL import Image, ImageCms

    from tita_cli.images import Metadata, Picture, write_picture
    from tita_cli.images.formats import FORMATS
    from tita_cli.images.provenance import Provenance

    ramp = np.linspace(0, 1, 24 * 20, dtype=np.float32).reshape(20, 24, 1)
    exif = Image.Exif()
    exif[271], exif[274] = "Maker", 6
    exif.get_ifd(0x8769)[0x9003] = "2024:05:01 12:00:00"
    exif.get_ifd(0x8825)[1] = "N"
    icc = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    metadata = Metadata(exif.tobytes().removeprefix(b"Exif\0\0"), icc, None, Provenance(("a", "b"), "m", "1", {"x": 1}))
    for entry in FORMATS.values():
        if entry.encode is None or (entry.library and not entry.library.available):
            continue
        for channels in (1, 3) if entry.grey else (3,):
            for depth in entry.depths:
                stream = io.BytesIO()
                picture = Picture(np.repeat(ramp, channels, 2), depth=depth, metadata=metadata)
                write_picture(picture, stream, format=entry.name, depth=depth)
                yield stream.getvalue()
    bytes_ = (ramp[..., 0] * 255).astype(np.uint8)
    frames = [Image.fromarray(bytes_), Image.fromarray(255 - bytes_)]
    for kind, options in (("GIF", {"save_all": True}), ("WEBP", {"save_all": True}), ("TIFF", {"save_all": True}),
                          ("PNG", {"save_all": True})):  # fmt: skip
        stream = io.BytesIO()
        frames[0].save(stream, kind, append_images=frames[1:], **options)
        yield stream.getvalue()
    for kind, image in (("PNG", frames[0].convert("P")), ("JPEG", Image.merge("CMYK", frames * 2)),
                        ("TIFF", frames[0].convert("1")), ("BMP", frames[0].convert("P"))):  # fmt: skip
        stream = io.BytesIO()
        image.save(stream, kind)
        yield stream.getvalue()
    rgb = np.repeat(bytes_[..., None], 3, 2)
    for data, more in ((rgb, {"tile": (16, 16)}), (rgb, {"compression": "jpeg", "tile": (16, 16)}),
                       (rgb, {"compression": "lzw", "predictor": True}), (rgb, {"planarconfig": "separate"}),
                       (ramp[..., 0].astype(np.float64), {}), (bytes_.astype(np.int16), {"bigtiff": True}),
                       (bytes_, {"photometric": "miniswhite", "byteorder": ">"})):  # fmt: skip
        stream = io.BytesIO()
        tifffile.imwrite(stream, data, **more)
        yield stream.getvalue()
    yield b"P2\n# c\n4 2\n65535\n1 2 3 4 5 6 7 65535"
    yield b"P1\n4 2\n1 0 1 0 0 1 0 1"


def _cameras() -> Iterator[bytes]:
    y, x = np.mgrid[:12, :16]
    counts = (15000 + 700 * np.sin(x / 3) + 400 * np.cos(y / 2)).astype(np.uint16)
    photograph = np.stack([16 * x, 20 * y, 255 - 16 * x], 2).astype(np.uint8)
    for storing in ("swapped", "png", "plain"):
        for order in "<>":
            yield camera_files.flir(counts, photograph, storing=storing, order=order)
    yield camera_files.flir(counts, photograph, photograph_as="png", place=None)
    yield camera_files.flir(counts, None)
    yield camera_files.dji(counts)
    for storing in ("plain", "png", "jpeg-ls"):
        yield camera_files.flir_frame(counts, storing=storing) * 3
    yield camera_files.dng()
    yield camera_files.dng(packed=True)
    yield camera_files.rw2()


def _texts() -> Iterator[tuple[str, list[bytes], str]]:
    from tita_cli.models.find import shipped_models

    file = {"size": 1, "mtime_ns": 1, "sha256": "0"}
    done = {"event": "done", "output": "a.png", "sources": [{"path": "a", "file": file}], "reference": 1, "file": file,
            "result": {"width": 1, "height": 1, "align": [{"residual_px": 0.5}], "notes": ["n"]},
            "seconds": {"fuse": 1.5}, "options": "0", "model": "0"}  # fmt: skip
    failed = {**done, "event": "failed", "error": {"message": "m", "hint": None, "code": 3}}
    run = {"event": "run", "pid": 1, "options": {"align": "auto"}}
    yield "journal", [b"".join(json.dumps(record).encode() + b"\n" for record in (run, done, failed))], ".jsonl"
    means = {"losses": {"ivf": {"total": 1.5}}, "famo": {"ivf": 1}, "oaf": {"ivf": [0.1] * 6}, "lr": 0.1}
    step = {"event": "step", "step": 1, **means}
    yield "log", [b"".join(json.dumps({**step, "step": n}).encode() + b"\n" for n in range(3))], ".jsonl"
    yield "manifest.csv", [b"output,a,b\n1.png,vis/1.png,ir/1.png\n"], ".csv"
    yield "manifest.jsonl", [b'{"sources": ["vis/1.png", "ir/1.png"], "output": "1.png", "reference": 1}\n'], ".jsonl"
    one = {"size": [4, 3], "matrix": [[1, 0, 0], [0, 1, 0], [0, 0, 1]]}
    rig = {"kind": "calibration", "format": 1, "reference": 1, "sources": [one, one], "shots": 1, "spread_px": 0.5}
    yield "calibration", [json.dumps(rig).encode()], ".json"
    yield "published", [b"image,method,metric,value\n1,x,EN,7.1\n2,x,EN,-6.5e0\n"], ".csv"
    yield "toml", [b'align = "none"\n[batch]\nworkers = 2\nlist = [1, 2.5, "x"]\n'], ".toml"
    yield "config", [b'steps = 3\n[network]\nname = "tita-lite"\n[[data]]\nkind = "pairs"\ntask = "ivf"\n'], ".toml"
    shipped = shipped_models().get("tita-lite")
    if shipped is None:
        return
    exported, saved = shipped.file(".onnx"), shipped.file(".safetensors")
    if exported is not None:
        content = exported.read_bytes()
        yield "onnx", [content], ".onnx"
        yield "graph", [content], ".onnx"
    if saved is not None:
        yield "safetensors", [saved.read_bytes()], ".safetensors"
    with contextlib.suppress(ImportError):
        import torch

        files = []
        for zipped in (True, False):
            stream = io.BytesIO()
            content = {"params": {"conv_first1_A.weight": torch.zeros(4, 1, 3, 3)}}
            torch.save(content, stream, _use_new_zipfile_serialization=zipped)
            files.append(stream.getvalue())
        yield "pth", files, ".pth"

"""What an installation downloads, and what a plain one takes on the disk, by uv and by pip.

    python bench/install_sizes.py [--python 3.11] [--install] [--torch WHEEL]

Needs uv and a package index. uv resolves tita with each extra for this system, and the index states the size of every
file that would be fetched; nothing is downloaded. PyTorch's build for the CPU is in an index of its own: with --torch,
a file of that build, the extras that need PyTorch are counted with it, too. With --install a plain installation is made
in two fresh environments and its files are counted: pip leaves itself there, and bytecode.
Prints the table of docs/how-to/install.md.
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import tomllib
from packaging.tags import sys_tags
from packaging.utils import parse_wheel_filename

ROOT = Path(__file__).resolve().parents[1]
KINDS = {"plain": "", "heic, exr, raw": "[heic,exr,raw]", "train": "[train]", "gpu": "[gpu]", "dev": "[dev]"}
WITH_TORCH = ("train", "dev")


def download(extra: str, python: str, folder: Path, torch: Path | None = None) -> tuple[int, int]:
    """Number of packages beside tita, and bytes of their files; ``torch``: the file to take for that package."""
    wanted = [f"tita-cli{extra} @ {ROOT.as_uri()}", *([f"torch @ {torch.resolve().as_uri()}"] if torch else [])]
    (folder / "wanted.in").write_text("\n".join(wanted))
    lock = folder / "pylock.toml"
    options = ["--python-version", python, "--format", "pylock.toml", "-o", str(lock), "-q"]
    subprocess.run(["uv", "pip", "compile", str(folder / "wanted.in"), *options], check=True)
    packages = [each for each in tomllib.loads(lock.read_text())["packages"] if each["name"] != "tita-cli"]
    return len(packages), sum(map(_size, packages))


def _size(package: dict[str, Any]) -> int:
    """Of the file that fits this system best."""
    if "path" in package.get("archive", {}):
        return Path(package["archive"]["path"]).stat().st_size
    wheels = {Path(wheel.get("url", wheel.get("path", ""))).name: wheel for wheel in package.get("wheels", ())}
    order = {tag: rank for rank, tag in enumerate(sys_tags())}
    fitting = [
        (min(ranks), wheel["size"])
        for name, wheel in wheels.items()
        if (ranks := [order[tag] for tag in parse_wheel_filename(name)[3] if tag in order])
    ]
    return min(fitting)[1] if fitting else package["sdist"]["size"]


def on_disk(python: str, folder: Path, by: str) -> int:
    """Bytes of a plain installation by uv or pip in a fresh environment, interpreter aside."""
    environment = folder / by
    seed = ["--seed"] if by == "pip" else []
    subprocess.run(["uv", "venv", "-q", *seed, "--python", python, str(environment)], check=True)
    if by == "pip":
        subprocess.run([environment / "bin/pip", "install", "-q", "--no-cache-dir", str(ROOT)], check=True)
    else:
        where = ["--python", str(environment), "--link-mode", "copy"]
        subprocess.run(["uv", "pip", "install", "-q", *where, str(ROOT)], check=True)
    return sum(path.stat().st_size for path in environment.rglob("*") if path.is_file() and not path.is_symlink())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", default="3.11")
    parser.add_argument("--install", action="store_true")
    parser.add_argument("--torch", type=Path, metavar="WHEEL")
    options = parser.parse_args()
    print("| what | packages | download, MB |")
    print("|---|---:|---:|")
    with tempfile.TemporaryDirectory() as folder:
        for name, extra in KINDS.items():
            count, size = download(extra, options.python, Path(folder))
            print(f"| {name} | {count} | {size / 1e6:,.0f} |", flush=True)
        for name in WITH_TORCH if options.torch else ():
            count, size = download(KINDS[name], options.python, Path(folder), options.torch)
            print(f"| {name} with {options.torch.name} | {count} | {size / 1e6:,.0f} |", flush=True)
        for by in ("uv", "pip") if options.install else ():
            size = on_disk(options.python, Path(folder), by)
            print(f"a plain installation by {by}, on the disk: {size / 1e6:,.0f} MB", flush=True)


if __name__ == "__main__":
    main()

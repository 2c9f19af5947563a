"""Install the built wheel into an environment that has its dependencies but not the checkout, and fuse with it."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

PAIR = """
import numpy as np
from PIL import Image
rng = np.random.default_rng(0)
Image.fromarray(rng.integers(0, 255, (48, 64), dtype=np.uint8)).save("a.png")
Image.fromarray(rng.integers(0, 255, (48, 64, 3), dtype=np.uint8)).save("b.png")
"""


def main(work: Path) -> None:
    (wheel,) = (work / "dist").glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    weights = [f"weights/{name}{suffix}" for name in ("tita-lite", "tita") for suffix in (".safetensors", ".onnx")]
    for wanted in (*weights, "weights/SHA256SUMS", "py.typed"):
        if f"tita_cli/{wanted}" not in names:
            raise SystemExit(f"the wheel lacks {wanted}")
    # The dependencies of this environment, seen through a path file, spare a second download; the editable
    # installation of the checkout is found by none of these, because it lives in a path file of its own.
    packages = next(p for p in sys.path if p.endswith("site-packages"))
    target, away = work / "wheel", work / "away"
    away.mkdir()
    subprocess.run([sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", target, wheel], check=True)
    (away / "run.py").write_text(
        f"import sys; sys.path[:0] = [{str(target)!r}, {packages!r}]\n"
        "import tita_cli; assert 'wheel' in tita_cli.__file__, tita_cli.__file__\n"
        "from tita_cli.cli.main import run; sys.exit(run(sys.argv[1:]))\n"
    )
    subprocess.run([sys.executable, "-c", PAIR], cwd=away, check=True)
    command = [sys.executable, "-I", "-S", "run.py", "fuse", "a.png", "b.png", "-o", "out.png", "-v"]
    subprocess.run(command, cwd=away, check=True)
    if not (away / "out.png").stat().st_size:
        raise SystemExit("the wheel fused nothing")


main(Path(sys.argv[1]))

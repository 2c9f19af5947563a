"""Bring what is derived from the shipped weights up to date: the ONNX file and the hashes.

    python weights/refresh.py

To be run whenever a ``.safetensors`` file in this folder is replaced (needs the extra ``export``). Writes nothing where
the exported file does not give what the network gives.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from tita_cli.export.export import export

FOLDER = Path(__file__).parent


def main() -> None:
    lines = []
    for weights in sorted(FOLDER.glob("*.safetensors")):
        done = export(weights, weights.with_suffix(".onnx"), overwrite=True)
        print(f"{done.path.name}: {done.size / 1e6:.1f} MB, largest difference {done.worst:.1e}")
        for file in (done.path, weights):
            lines.append(f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n")
    (FOLDER / "SHA256SUMS").write_text("".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()

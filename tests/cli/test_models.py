"""``tita models`` and models of the user's own."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import platformdirs
import pytest

from tita_cli.cli.main import run
from tita_cli.errors import ExitCode
from tita_cli.models import find as models


@pytest.fixture
def folders(tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One shipped model, one of the user's, one cached engine."""
    for name in ("weights", "data/models", "cache/tensorrt"):
        (tmp_path / name).mkdir(parents=True)
    shutil.copy(tiny_model, tmp_path / "weights/light.safetensors")
    shutil.copy(tiny_model, tmp_path / "data/models/mine.safetensors")
    (tmp_path / "data/models/notes.txt").write_text("no model")
    (tmp_path / "cache/tensorrt/light.engine").write_bytes(b"engine")
    digest = hashlib.sha256(tiny_model.read_bytes()).hexdigest()
    (tmp_path / "weights" / models.SUMS).write_text(f"{digest}  light.safetensors\n")
    monkeypatch.setattr(models, "weights_folder", lambda: tmp_path / "weights")
    monkeypatch.setattr(platformdirs, "user_data_dir", lambda _: str(tmp_path / "data"))
    monkeypatch.setattr(platformdirs, "user_cache_dir", lambda _: str(tmp_path / "cache"))
    models.file_hash.cache_clear()
    return tmp_path


def _listed(capfdbinary: pytest.CaptureFixture[bytes], code: int = 0) -> dict[str, Any]:
    assert run(["models", "--json"]) == code
    document: dict[str, Any] = json.loads(capfdbinary.readouterr().out)
    return {f"{entry['origin']} {entry['name']}": entry["files"] for entry in document["models"]}


def test_shipped_own_and_cached_models_are_listed(
    folders: Path, capfdbinary: pytest.CaptureFixture[bytes], tiny_model: Path
) -> None:
    found = _listed(capfdbinary)
    assert list(found) == ["shipped light", "user mine", "cached tensorrt/light.engine"]
    (file,) = found["user mine"]
    assert file["bytes"] == tiny_model.stat().st_size
    assert file["sha256"] == hashlib.sha256(tiny_model.read_bytes()).hexdigest()
    assert file["about"]["config"]["variant"] == "tita-lite"
    assert run(["models"]) == 0
    lines = capfdbinary.readouterr().out.decode().splitlines()
    assert lines[0].split() == ["name", "use", "size", "licence"]
    assert any(line.split()[:3] == ["mine", "your", "own"] for line in lines)
    assert lines[-1].startswith(f"your own models: {folders / 'data/models'}")
    assert run(["models", "-v"]) == 0
    assert hashlib.sha256(tiny_model.read_bytes()).hexdigest() in capfdbinary.readouterr().out.decode()


def test_a_model_of_ones_own_has_a_name(folders: Path) -> None:
    assert models.find_model("mine") == folders / "data/models/mine.safetensors"
    assert models.find_model("mine", suffix=".onnx") == folders / "data/models/mine.safetensors"


def test_a_damaged_file_is_shown_and_fails(folders: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    (folders / "weights/light.safetensors").write_bytes(b"short")
    (folders / "data/models/mine.safetensors").write_bytes(b"short")
    models.file_hash.cache_clear()
    found = _listed(capfdbinary, ExitCode.MODEL)
    assert "SHA256SUMS" in found["shipped light"][0]["problem"]
    assert "damaged or truncated" in found["user mine"][0]["problem"]


def test_listing_loads_no_network_library() -> None:
    code = (
        "import sys; from tita_cli.cli.main import run; run(['models', '--json']);"
        "sys.exit(any(name in sys.modules for name in ('torch', 'onnxruntime', 'cv2')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, stdout=subprocess.DEVNULL).returncode == 0

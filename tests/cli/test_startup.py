"""What a command imports before it works: nothing heavy."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ("torch", "onnxruntime", "onnx", "cv2", "scipy", "numpy", "tifffile")


def _imported(arguments: list[str], cwd: Path) -> tuple[int, set[str]]:
    code = (
        "import sys; from tita_cli.cli.main import run; code = run(sys.argv[1:]); "
        f"print(*(m for m in {HEAVY!r} if m in sys.modules), file=sys.stderr); sys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=cwd, capture_output=True, text=True, check=False
    )
    return done.returncode, set(done.stderr.splitlines()[-1].split()) if done.stderr.strip() else set()


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--help"], 0),
        (["--version"], 0),
        (["fuse", "--help"], 0),
        (["train", "--help"], 0),
        (["fuse", "--colour"], 2),
        ([], 2),
    ],
)
def test_help_and_usage_errors_import_nothing_heavy(arguments: list[str], code: int, tmp_path: Path) -> None:
    got, heavy = _imported(arguments, tmp_path)
    assert heavy == set()
    assert got == code


def test_a_command_imports_itself_only_unless_a_file_names_options(tmp_path: Path) -> None:
    code = (
        "import sys; from tita_cli.cli.main import run; run(['models', '--json']); "
        "print(*sorted(m for m in sys.modules if m in ('tita_cli.cli.train', 'pydantic')), file=sys.stderr)"
    )

    def imported() -> str:
        done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
        return done.stderr.splitlines()[-1]

    assert imported() == ""
    (tmp_path / "tita.toml").write_text("[train]\nquiet = true\n")
    assert imported() == "tita_cli.cli.train"


def test_importing_the_package_imports_nothing_heavy() -> None:
    code = f"import sys, tita_cli; print([m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("variant", ["tita", "tita-lite"])
def test_loading_a_network_imports_no_compiler(variant: str) -> None:
    """A hundred megabytes, and a second."""
    code = (
        "import sys, torch; from tita_cli.runtime import load_engine\n"
        f"load_engine({variant!r}, backend='torch', device='cpu')\n"
        "print(sorted({'torch._dynamo', 'torch.onnx', 'sympy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_missing_input_is_told_before_torch_is_imported(tmp_path: Path) -> None:
    """A typing error in a file name must not cost the seconds that torch takes to import."""
    got, heavy = _imported(["fuse", "a.png", "b.png", "-o", "out.png"], tmp_path)
    assert got == 3
    assert "torch" not in heavy


@pytest.mark.parametrize("command", ["fuse", "models"])
def test_garbage_is_collected_again_once_a_command_runs(command: str, tmp_path: Path) -> None:
    code = (
        "import gc, sys; from tita_cli.cli.collecting import pause; pause(); import tita_cli.cli.main as main; "
        "main.run(sys.argv[1:]); print(gc.isenabled(), gc.get_freeze_count() > 1000)"
    )
    for name in "ab":
        (tmp_path / f"{name}.pgm").write_bytes(b"P5 64 64 255 " + bytes(64 * 64))
    arguments = ["fuse", "a.pgm", "b.pgm", "-o", "c.png", "--quiet"] if command == "fuse" else [command, "--json"]
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "True True"

"""Streams that are closed, full or left by their reader, and signals: a documented code, a sentence, no traceback."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tita_cli.errors import ExitCode

pytestmark = pytest.mark.skipif(os.name == "nt", reason="streams of a shell")
FULL = Path("/dev/full")


def shell(command: str, *arguments: object, **options: Any) -> subprocess.CompletedProcess[str]:
    """``command`` in a shell, in which $0 is Python and $1, $2 … are ``arguments``."""
    line = ["bash", "-o", "pipefail", "-c", command, sys.executable, *map(str, arguments)]
    return subprocess.run(line, capture_output=True, text=True, check=False, **options)


@pytest.mark.parametrize(
    ("streams", "code"),
    [(">&-", 4), (">/dev/full", 4), ("| true", 4), ("2>&-", 0), ("2>/dev/full", 0), ("<&-", 0)],
)
def test_a_result_on_stdout(streams: str, code: int, picture_file) -> None:
    if "full" in streams and not FULL.exists():
        pytest.skip("no /dev/full here")
    # So long that it cannot be over before the reader is gone.
    done = shell(f'"$0" -m tita_cli show "$1" {streams}', picture_file(f"{'n' * 200}.png"))
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr and "Exception" not in done.stderr
    if code:
        assert done.stderr == "" if "true" in streams else done.stderr.startswith("tita: error: <stdout>: cannot be")


def test_a_picture_is_written_with_all_streams_closed(picture_file, tiny_model: Path, tmp_path: Path) -> None:
    pair = [picture_file(f"{name}.png", seed=seed) for seed, name in enumerate("ab")]
    out = tmp_path / "out.png"
    command = '"$0" -m tita_cli fuse "$1" "$2" -o "$3" -m "$4" --align none <&- >&- 2>&-'
    assert shell(command, *pair, out, tiny_model).returncode == 0
    assert out.read_bytes()[:4] == b"\x89PNG"


def test_help_into_a_pipe_that_closes() -> None:
    done = shell('"$0" -m tita_cli --help | true')
    assert (done.returncode, done.stderr) in ((4, ""), (0, ""))  # unless the pipe took it all first


def test_other_encodings(picture_file) -> None:
    path = picture_file("日本.png")
    done = shell('"$0" -m tita_cli show "$1"', path, env={**os.environ, "PYTHONIOENCODING": "ascii"})
    assert (done.returncode, done.stderr) == (0, "")
    assert "??.png" in done.stdout


_STRUCK = """
import os, signal, sys
number = int(sys.argv[1])
signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)

class Strike:
    def find_spec(self, name, *rest):
        if name == sys.argv[2]:
            os.kill(os.getpid(), number)

sys.meta_path.insert(0, Strike())
from tita_cli.__main__ import main
sys.argv[1:] = ["config"]
main()
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("module", ["tita_cli.cli.streams", "tita_cli.cli.batch", "rich.table"])
def test_a_signal_while_modules_load(number: signal.Signals, module: str, tmp_path: Path) -> None:
    line = [sys.executable, "-c", _STRUCK.replace("sys.argv[2]", repr(module)), str(int(number))]
    done = subprocess.run(line, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 128 + number, done.stderr
    assert done.stderr.count("\n") <= 1 and "Traceback" not in done.stderr


def test_what_an_interrupt_breaks_in_a_library_is_no_fault_of_ours(tmp_path: Path) -> None:
    """Raised inside ``threading``, it can come out as "cannot release un-acquired lock"."""
    strike = "os.kill(os.getpid(), number)"
    broken = f"try: {strike}\n            except KeyboardInterrupt: raise RuntimeError('lock')"
    script = _STRUCK.replace("sys.argv[2]", "'rich.table'").replace(strike, broken)
    line = [sys.executable, "-c", script, str(int(signal.SIGTERM))]
    done = subprocess.run(line, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (143, "tita: error: stopped by SIGTERM\n")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_inside_exec_keeps_its_code(number: signal.Signals, tmp_path: Path) -> None:
    """As where a module with a dataclass loads. The interpreter itself would end by SIGINT, whatever the signal was."""
    strike = "os.kill(os.getpid(), number)"
    script = _STRUCK.replace("sys.argv[2]", "'rich.table'").replace(strike, f"exec('{strike}')")
    line = [sys.executable, "-c", script, str(int(number))]
    done = subprocess.run(line, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 128 + number and done.stderr.count("\n") == 1


def test_an_interrupt_before_our_own_handler_is_silent() -> None:
    line = [sys.executable, "-c", _STRUCK.replace("sys.argv[2]", "'tita_cli.cli.interrupt'"), str(int(signal.SIGINT))]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (-signal.SIGINT, "")


def test_terminal_escapes_in_names(tmp_path: Path, capfd) -> None:
    from tita_cli.cli.main import run

    assert run(["show", str(tmp_path / "\x1b[31mred\nline[/x]")]) == ExitCode.UNREADABLE_INPUT
    said = capfd.readouterr().err
    assert "\x1b" not in said and said.count("\n") == 2 and r"\x1b[31mred\nline[/x]" in said


@pytest.mark.parametrize("busy", [False, True])
def test_what_is_registered_for_the_end_is_done_and_threads_are_waited_for(busy: bool) -> None:
    code = (
        "import atexit, sys, threading, time; from tita_cli.cli.interrupt import leave; "
        "atexit.register(print, 'registered'); "
        "work = lambda: (time.sleep(0.3), print('worked')); "
        f"threading.Thread(target=work, daemon={not busy}).start(); print('before'); leave(3)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 3
    assert done.stdout.split() == ["before", *(["worked"] if busy else []), "registered"]
    assert not done.stderr

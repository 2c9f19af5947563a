"""ONNX Runtime: it records nothing and opens no connection; where it is missing or broken, PyTorch serves."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tita_cli import ort
from tita_cli.errors import DeviceError
from tita_cli.runtime.device import DeviceRequest
from tita_cli.runtime.select import select
from tita_cli.runtime.torch_runner import TorchRunner

_RUN = """
import os, sys
import numpy as np
from tita_cli.cli.doctor_checks import _SMALLEST_MODEL
from tita_cli.runtime.onnx_session import CPU, Place, open_session
session = open_session(_SMALLEST_MODEL, Place(CPU), 1)
session.run(None, {"x": np.zeros(1, np.float32)})
"""

_ALIGN = """
import os
import numpy as np
from tita_cli.align.features import features
features(np.zeros((64, 64), np.float32))
"""

_LIST = """
links = []
for number in os.listdir("/proc/self/fd"):
    try:
        links.append(os.readlink(f"/proc/self/fd/{number}"))
    except OSError:
        pass
print([link for link in links if link.startswith("socket:") or link.endswith(".db")])
"""


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="no list of descriptors here")
@pytest.mark.parametrize("writable", [True, False])
@pytest.mark.parametrize("work", [_RUN, _ALIGN])
def test_no_file_no_socket_and_no_line(work: str, writable: bool, tmp_path: Path) -> None:
    home = tmp_path if writable else Path("/proc/nowhere")
    unset = ("XDG_CACHE_HOME", "XDG_DATA_HOME", "TMPDIR", ort.SWITCH)
    environment = {key: value for key, value in os.environ.items() if key not in unset} | {"HOME": str(home)}
    done = subprocess.run(
        [sys.executable, "-c", work + _LIST], capture_output=True, text=True, check=True, cwd=tmp_path, env=environment
    )
    assert (done.stdout.strip(), done.stderr) == ("[]", "")
    assert list(tmp_path.rglob("*")) == []


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch):
    ort.load.cache_clear()
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    yield
    ort.load.cache_clear()


@pytest.mark.usefixtures("broken")
def test_without_it_pytorch_serves_with_a_note() -> None:
    runner, notes = select("tita", DeviceRequest("auto", "cpu", None), 1)
    assert isinstance(runner, TorchRunner)
    assert len(notes) == 1 and notes[0].startswith("ONNX Runtime cannot be loaded: ")


@pytest.mark.usefixtures("broken")
@pytest.mark.parametrize("request_", [("onnx", "cpu", None), ("auto", "cpu", "cpu")])
def test_what_is_asked_for_by_name_is_an_error(request_: tuple[str, str, str | None]) -> None:
    with pytest.raises(DeviceError, match="cannot be loaded"):
        select("tita-lite", DeviceRequest(*request_), 1)

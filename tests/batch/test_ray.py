"""``tita batch --on ray`` on a cluster of two nodes, which this file starts here, and of which it kills one."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from tita_cli.batch.ray_fleet import _connect
from tita_cli.cli.main import run
from tita_cli.errors import DeviceError, ExitCode

ray = pytest.importorskip("ray")
pytestmark = pytest.mark.slow
PAIRS = 48


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A head that takes no work, and two nodes with a CPU each; they ask for no token, and this user has one."""
    from ray.cluster_utils import Cluster

    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    small = {"object_store_memory": 80 << 20, "include_dashboard": False}
    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, **small})
    made.nodes = [made.add_node(num_cpus=1, object_store_memory=80 << 20) for _ in range(2)]
    monkeypatch.setenv("RAY_ADDRESS", made.address)
    monkeypatch.setenv("RAY_AUTH_TOKEN", "0" * 64)
    monkeypatch.delenv("RAY_AUTH_MODE")
    yield made
    ray.shutdown()
    made.shutdown()


@pytest.fixture
def folder(picture_file: Callable[..., Path], tmp_path: Path) -> Path:
    for number in range(PAIRS):
        picture_file(f"in/vis/{number:02}.png", seed=number, size=(240, 320))
        picture_file(f"in/ir/{number:02}.png", seed=50 + number, size=(240, 320), color=False)
    (tmp_path / "in/ir/07.png").write_bytes(b"no picture")
    return tmp_path / "in"


def records(out: Path) -> list[dict[str, Any]]:
    journal = out / "tita-batch.jsonl"
    return [json.loads(line) for line in journal.read_text().splitlines()] if journal.exists() else []


def events(out: Path, event: str) -> list[dict[str, Any]]:
    return [record for record in records(out) if record["event"] == event]


def kill_midway(cluster: Any, out: Path, ended: threading.Event) -> None:
    """Take a node away once both workers have joined and some results are there, however long that takes."""
    while not ended.wait(0.05):
        if len(events(out, "worker")) >= 2 and len(events(out, "done")) >= 4:
            cluster.remove_node(cluster.nodes.pop(), allow_graceful=False)
            return


def test_a_cluster_that_loses_a_node_gives_the_bytes_of_one_machine(
    cluster: Any, folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    how = ["--align", "none", "--threads", "1", "-q"]
    assert run(["batch", str(folder), "-o", str(here), "--workers", "1", *how]) == ExitCode.SOME_FAILED
    ended = threading.Event()
    killer = threading.Thread(target=kill_midway, args=(cluster, there, ended))
    killer.start()
    code = run(["batch", str(folder), "-o", str(there), "--on", "ray", *how[:-1]])
    ended.set()
    killer.join()
    assert code == ExitCode.SOME_FAILED, capfd.readouterr().err
    assert {path.name: path.read_bytes() for path in here.glob("*.png")} == {
        path.name: path.read_bytes() for path in there.glob("*.png")
    }
    states = [record["state"] for record in events(there, "worker")]
    assert states.count("joined") >= 2 and states.count("lost") >= 1
    (failed,) = events(there, "failed")
    assert failed["output"] == "07.png" and failed["error"]["code"] == ExitCode.UNREADABLE_INPUT
    assert len({record["output"] for record in events(there, "done")}) == PAIRS - 1
    assert "the worker was lost" in capfd.readouterr().err
    # A driver that was killed in the middle of a task: what it has not done is done, and nothing else.
    journal = there / "tita-batch.jsonl"
    kept = [record for record in records(there) if record.get("output") != "03.png" or record["event"] == "writing"]
    journal.write_text("".join(json.dumps(record) + "\n" for record in kept))
    before = (there / "05.png").stat().st_mtime_ns
    assert run(["batch", str(folder), "-o", str(there), "--on", "ray", *how]) == ExitCode.SOME_FAILED
    assert events(there, "end")[-1]["done"] == 1
    assert (there / "03.png").read_bytes() == (here / "03.png").read_bytes()
    assert (there / "05.png").stat().st_mtime_ns == before


def test_what_is_no_cluster_is_one_sentence(folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["batch", str(folder), "-o", str(tmp_path / "out"), "--on", "nowhere"]) == ExitCode.USAGE
    assert "--on: 'nowhere' is neither ray nor ray://HEAD:PORT" in capfd.readouterr().err


@pytest.fixture
def head(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address for clients of a head that asks for a token, which this user has."""
    monkeypatch.setenv("RAY_AUTH_TOKEN", "0" * 64)
    monkeypatch.delenv("RAY_AUTH_MODE", raising=False)
    ports = []
    for _ in range(2):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            ports.append(free.getsockname()[1])
    options = [f"--port={ports[0]}", f"--ray-client-server-port={ports[1]}", "--num-cpus=1"]
    options += ["--object-store-memory=80000000", "--include-dashboard=false", "--disable-usage-stats", "--block"]
    # Out of the way of what looks for a cluster of this machine; the names of sockets must be short.
    with tempfile.TemporaryDirectory(prefix="tita-", ignore_cleanup_errors=True) as home:
        command = [sys.executable, "-m", "ray.scripts.scripts", "start", "--head", f"--temp-dir={home}", *options]
        # Without the second, what the head forks for a client often dies at once, which takes half a minute to show.
        head = {"RAY_AUTH_MODE": "token", "GRPC_ENABLE_FORK_SUPPORT": "0"}
        process = subprocess.Popen(
            command, env=os.environ | head, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        assert any("runtime started" in line for line in process.stdout)
        yield f"ray://127.0.0.1:{ports[1]}"
        process.terminate()
        process.wait(30)


def test_a_driver_outside_the_cluster(head: str, picture_file: Callable[..., Path], tmp_path: Path) -> None:
    for number in range(3):
        picture_file(f"in/vis/{number}.png", seed=number)
        picture_file(f"in/ir/{number}.png", seed=50 + number, color=False)
    command = [sys.executable, "-m", "tita_cli", "batch", str(tmp_path / "in"), "-o", str(tmp_path / "out")]
    command += ["--on", head, "--align", "none"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stderr
    assert len(events(tmp_path / "out", "done")) == 3


@pytest.mark.parametrize(("failures", "answers"), [(1, True), (3, True), (4, False)])
def test_a_head_that_starts_no_process_is_asked_again(
    failures: int, answers: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    said = ["RuntimeError: Starting Ray client server failed. See x.err", "psutil.ZombieProcess: PID still exists"] * 2
    errors = [ConnectionAbortedError(f"Initialization failure from server:\n{each}") for each in said]
    results = iter([*errors[:failures], None])

    def init(**_: Any) -> None:
        result = next(results)
        if result is not None:
            raise result

    monkeypatch.setattr(ray, "init", init)
    with nullcontext() if answers else pytest.raises(DeviceError, match="no Ray cluster answers"):
        assert _connect("ray://head:10001") is ray


def test_a_head_that_refuses_is_not_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    asked = []

    def init(**_: Any) -> None:
        asked.append(1)
        raise ConnectionError("ray client connection timeout")

    monkeypatch.setattr(ray, "init", init)
    with pytest.raises(DeviceError, match="ray client connection timeout"):
        _connect("ray://head:10001")
    assert asked == [1]

"""Two processes on gloo: the same weights and task weights on both, and the same as one process with both batches."""

from __future__ import annotations

import importlib.util
import os
import socket
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from tita_cli.training.workers import Workers

SCRIPT = Path(__file__).with_name("ddp_worker.py")
pytestmark = pytest.mark.slow


def worker_module() -> ModuleType:
    spec = importlib.util.spec_from_file_location("ddp_worker", SCRIPT)
    if spec is None or spec.loader is None:
        raise FileNotFoundError(SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What each of two processes has at the end."""
    folder = tmp_path_factory.mktemp("ddp")
    shared = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port()), "OMP_NUM_THREADS": "1"}
    processes = [
        subprocess.Popen(
            [sys.executable, str(SCRIPT), str(folder)],
            env=os.environ | shared | {"RANK": str(rank), "LOCAL_RANK": str(rank)},
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in (0, 1)
    ]
    try:
        for process in processes:
            _, errors = process.communicate(timeout=180)
            assert process.returncode == 0, errors
    finally:
        for process in processes:
            process.kill()
    return [torch.load(folder / f"{rank}.pt", weights_only=True) for rank in (0, 1)]


def assert_equal_models(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert [name for name in one["model"] if not torch.equal(one["model"][name], other["model"][name])] == []
    assert torch.equal(one["famo"], other["famo"])


@pytest.mark.parametrize("mode", ["same-batch", "next-batch"])
def test_two_processes_train_one_network(pair: list[dict[str, Any]], mode: str) -> None:
    first, second = pair[0][mode], pair[1][mode]
    assert_equal_models(first, second)
    alone = worker_module().train(Workers(torch.device("cpu")), mode)
    torch.testing.assert_close(first["famo"], alone["famo"], atol=1e-4, rtol=0)
    for name, tensor in alone["model"].items():
        torch.testing.assert_close(first["model"][name], tensor, atol=2e-4, rtol=0)


def test_a_loss_that_is_no_number_on_one_process_is_skipped_by_both(pair: list[dict[str, Any]]) -> None:
    first, second = (results["spoilt"] for results in pair)
    assert first["skipped"] == second["skipped"] == [False, True, False, False]
    assert_equal_models(first, second)


def test_the_leader_has_the_clock_and_any_process_can_ask_to_stop(pair: list[dict[str, Any]]) -> None:
    for results in pair:
        assert results["same-batch"]["seconds"] == 1.0
        assert results["same-batch"]["stops"] == [False, False, True, False]

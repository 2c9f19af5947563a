"""A fleet of Ray's: workers are actors, each pinned to a machine of the cluster, with a GPU where that has one."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tita_cli.batch.cluster import DEPTH, Event, version_problem
from tita_cli.batch.cluster_worker import Worker
from tita_cli.batch.resume import Task
from tita_cli.batch.work import Work, describe_error
from tita_cli.errors import DeviceError, TitaError, first_line, need

_LOCAL = "ray"
_REST = 10.0
"""Seconds for which no worker is started where one was lost: Ray takes a while to see that a machine is gone."""
_AUTH_MODE = "RAY_AUTH_MODE"
_ANSWER = 150
"""Seconds that a cluster has to run a function, for which it may have to start a process."""
_NOT_STARTED = ("Starting Ray client server failed", "psutil.ZombieProcess", "psutil.NoSuchProcess")
"""What a head says where the process that it forks for a client dies at once. That is a race in the head, with gRPC's
threads (Ray 2.60; GRPC_ENABLE_FORK_SUPPORT=0 in its environment avoids it), and a later one lives."""
_ATTEMPTS = 4
_MEMORY = 1 << 30  # bytes that a worker on the CPU is counted with


@dataclass(frozen=True, slots=True)
class Place:
    """Workers that a machine can take: how many, and the CPUs and GPUs of each."""

    count: int
    cpus: float
    gpus: int


def place_workers(resources: Mapping[str, float], *, device: str, threads: int, most: int) -> Place:
    """How many workers a machine with these ``resources``, as Ray names them, takes; no more than ``most``.

    One for every GPU, unless ``device`` is the CPU; where there is none, one for every ``threads`` CPUs, as far as
    memory goes. Where ``device`` is a GPU, machines without one take none.
    """
    cpus, gpus = resources.get("CPU", 0.0), int(resources.get("GPU", 0))
    if gpus and device != "cpu":
        return Place(min(gpus, most), min(1.0, cpus / gpus), 1)
    if device.startswith("cuda"):
        return Place(0, 0.0, 1)
    by_memory = int(resources.get("memory", 1 << 62) // _MEMORY)
    return Place(max(0, min(int(cpus // threads), by_memory, most)), float(threads), 0)


@dataclass(slots=True)
class _Actor:
    handle: Any
    node: str
    joined: bool = False
    calls: dict[Any, int] = field(default_factory=dict)


class RayFleet:
    """Workers on the machines of a Ray cluster. Use once, and close."""

    def __init__(
        self, address: str, work: Work, *, model: tuple[str, bytes] | None = None, device: str = "auto",
        threads: int = 1, workers: int | None = None,
    ) -> None:  # fmt: skip
        """Connect. ``address``: ``ray`` for the cluster that this machine is part of, or else one of its own; or
        ``ray://HEAD:10001``. ``workers``: no more than these. Raises DeviceError where no cluster answers.
        """
        self._ray = _connect(address)
        self._device, self._threads, self._most = device, threads, workers or 1 << 30
        self._sent = self._ray.put((work, model))
        self._actors: dict[str, _Actor] = {}
        self._refs: dict[Any, str] = {}
        self._probes: dict[Any, str] = {}
        self._fit: set[str] = set()
        self._unfit: set[str] = set()
        self._resting: dict[str, float] = {}
        self._failures: Counter[str] = Counter()
        self._events: deque[Event] = deque()
        self._count = 0

    def grow(self) -> None:
        """See :meth:`tita_cli.batch.cluster.Fleet.grow`. A machine is asked for its tita first."""
        for node in self._ray.nodes():
            name = node["NodeID"]
            if not node["Alive"]:
                self._resting.pop(name, None)
            if not node["Alive"] or name in self._unfit or self._resting.get(name, 0.0) > time.monotonic():
                continue
            self._resting.pop(name, None)
            if name in self._fit:
                self._fill(name, node["Resources"])
            elif name not in self._probes.values():
                self._probes[self._probe(name)] = name

    def starting(self) -> int:
        return len(self._probes) + len(self._resting) + sum(not actor.joined for actor in self._actors.values())

    def send(self, worker: str, ticket: int, task: Task) -> None:
        actor = self._actors[worker]
        ref = actor.handle.do.remote(task)
        actor.calls[ref] = ticket
        self._refs[ref] = worker

    def wait(self, seconds: float) -> Event | None:
        deadline = time.monotonic() + seconds
        while not self._events:
            left = deadline - time.monotonic()
            refs = [*self._probes, *self._refs]
            if left <= 0 or not refs:
                return None
            ready, _ = self._ray.wait(refs, num_returns=1, timeout=left)
            if ready:  # and whatever else is there
                ready, _ = self._ray.wait(refs, num_returns=len(refs), timeout=0)
            for ref in ready:
                self._hear(ref)
        return self._events.popleft()

    def close(self) -> None:
        for actor in self._actors.values():
            self._ray.kill(actor.handle)
        self._actors.clear()
        self._ray.shutdown()

    def _hear(self, ref: Any) -> None:
        if ref in self._probes:
            self._judge(self._probes.pop(ref), ref)
            return
        worker = self._refs.pop(ref, None)
        if worker is None or worker not in self._actors:  # of a worker that is lost already
            return
        actor = self._actors[worker]
        ticket = actor.calls.pop(ref, None)
        try:
            value = self._ray.get(ref)
        except Exception as error:
            self._part(worker, actor, error)
            return
        if ticket is None:
            actor.joined = True
            self._events.append(Event("joined", worker, value=value))
        else:
            self._events.append(Event("done", worker, ticket, value))

    def _part(self, worker: str, actor: _Actor, error: Exception) -> None:
        """A worker that raised, which only its opening does, or is gone."""
        del self._actors[worker]
        for ref in actor.calls:
            self._refs.pop(ref, None)
        cause = getattr(error, "cause", None)
        known = cause if isinstance(cause, TitaError) else None
        if known is None and not actor.joined:
            self._failures[actor.node] += 1
        self._resting[actor.node] = time.monotonic() + _REST
        if known is not None or self._failures[actor.node] > 2:
            self._unfit.add(actor.node)  # the next one would fail as this one did
            del self._resting[actor.node]
        said = _said(cause) if cause is not None else type(error).__name__
        lost = DeviceError(f"{worker}: the worker was lost ({said}), what it had is done elsewhere")
        self._events.append(Event("lost" if known is None else "refused", worker, value=known or lost))
        self._ray.kill(actor.handle)

    def _judge(self, node: str, ref: Any) -> None:
        """Take a machine that has our version, or say why not."""
        try:
            host, version = self._ray.get(ref)
        except Exception as error:  # the machine went away; if it comes back it is another
            self._unfit.add(node)
            lost = DeviceError(f"{node[:8]}: the machine does not answer: {_said(error)}")
            self._events.append(Event("refused", node[:8], value=lost))
            return
        problem = version_problem(host, version)
        if problem is None:
            self._fit.add(node)
            self.grow()
        else:
            self._unfit.add(node)
            self._events.append(Event("refused", host, value=problem))

    def _probe(self, node: str) -> Any:
        """Ask a machine for its name and its tita. The function travels whole: there may be none to import."""

        def probe() -> tuple[str, str | None]:
            import platform

            try:
                import tita_cli
            except ImportError:
                return platform.node(), None
            return platform.node(), str(tita_cli.__version__)

        return self._ray.remote(probe).options(num_cpus=0, max_retries=0, **self._pinned(node)).remote()

    def _fill(self, node: str, resources: Mapping[str, float]) -> None:
        has = sum(actor.node == node for actor in self._actors.values())
        room = has + self._most - len(self._actors)
        place = place_workers(resources, device=self._device, threads=self._threads, most=room)
        for _ in range(has, place.count):
            self._count += 1
            worker = f"worker {self._count} on {node[:8]}"
            handle = (
                self._ray.remote(_Sent)
                .options(
                    num_cpus=place.cpus, num_gpus=place.gpus, max_concurrency=DEPTH + 1, max_restarts=0,
                    **self._pinned(node),
                )
                .remote(self._sent)
            )  # fmt: skip
            self._actors[worker] = _Actor(handle, node)
            self._refs[handle.open.remote()] = worker

    def _pinned(self, node: str) -> dict[str, Any]:
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        return {"scheduling_strategy": NodeAffinitySchedulingStrategy(node, soft=False)}


class _Sent(Worker):
    """A worker whose work and model came as one object, which every machine fetches once."""

    def __init__(self, sent: tuple[Work, tuple[str, bytes] | None]) -> None:
        super().__init__(*sent)


def _connect(address: str) -> Any:
    """Ray, connected. Raises DeviceError."""
    need("a cluster", "ray")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is sent anywhere
    if _AUTH_MODE not in os.environ and _has_token():
        # ray start asks for a token wherever there is one, and drivers and clients give it only where told so. But a
        # driver that gives it asks the cluster for it as well, and loses the actors of a cluster that has none.
        os.environ[_AUTH_MODE] = _mode_there() if address == _LOCAL else "token"
    import ray

    for attempt in range(1, _ATTEMPTS + 1):
        try:
            ray.init(
                address=None if address == _LOCAL else address, log_to_driver=False, logging_level="error",
                configure_logging=True, ignore_reinit_error=True,
            )  # fmt: skip
            break
        except Exception as error:  # of Ray, gRPC, and the network
            if attempt < _ATTEMPTS and any(sign in str(error) for sign in _NOT_STARTED):
                continue
            raise DeviceError(
                f"{address}: no Ray cluster answers: {_said(error)}",
                hint="ray start starts one; Ray, Python and the token in ~/.ray/auth_token are the same here and there",
            ) from error
    return ray


def _mode_there() -> str:
    """Whether the cluster of this machine asks for a token: Ray's name of the mode; "token" where there is none.

    Asked by a process of its own, since a driver's mode cannot be changed.
    """
    asking = (
        "import os, ray; ray.init('auto', log_to_driver=False, logging_level='error'); "
        f"mode = ray.remote(num_cpus=0)(lambda: os.environ.get('{_AUTH_MODE}', 'disabled')); "
        f"print(ray.get(mode.remote(), timeout={_ANSWER}))"
    )
    try:
        asked = subprocess.run(
            [sys.executable, "-c", asking], capture_output=True, text=True, check=False, timeout=2 * _ANSWER,
            env={**os.environ, _AUTH_MODE: "token"},
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return "token"
    return "disabled" if asked.stdout.strip().lower() == "disabled" else "token"


def _has_token() -> bool:
    """Whether this user has a token for clusters with authentication, as Ray looks for it."""
    named = os.environ.get("RAY_AUTH_TOKEN") or os.environ.get("RAY_AUTH_TOKEN_PATH")
    return bool(named) or Path("~/.ray/auth_token").expanduser().is_file()


def _said(error: BaseException) -> str:
    """The first line of a message, and the last of a traceback that follows it."""
    known = describe_error(error)["message"] if isinstance(error, TitaError) else first_line(error)
    if known.endswith(":"):
        known = f"{known} {str(error).strip().splitlines()[-1]}"
    return " ".join(known.split())[:160].rstrip(".")

"""One process or several: rank, device, and the values that all processes must share."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, distributed

from tita_cli.errors import DeviceError


@dataclass(frozen=True, slots=True)
class Workers:
    """This process among those that train one network."""

    device: torch.device
    rank: int = 0
    world: int = 1

    @property
    def leads(self) -> bool:
        """Whether this process writes the files and reports."""
        return self.rank == 0

    def average_gradients(self, parameters: Iterable[Tensor]) -> None:
        """Give every process the mean of all gradients; a parameter without one counts as 0.

        One message for all of them. PyTorch's wrapper for this wants every parameter used in every step, and a network
        for sets has some that only sets of three or more use.
        """
        if self.world == 1:
            return
        trained = [p for p in parameters if p.requires_grad]
        gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in trained]
        mean = self.mean(torch.cat([gradient.reshape(-1) for gradient in gradients]))
        for parameter, part in zip(trained, torch.split(mean, [p.numel() for p in trained]), strict=True):
            parameter.grad = torch.empty_like(parameter).copy_(part.view_as(parameter))  # in the order of its memory

    def mean(self, values: Tensor) -> Tensor:
        """The mean over all processes, bit-identical on each; NaN on any process is NaN on all."""
        if self.world == 1:
            return values
        total = values.to(self.device, copy=True)
        distributed.all_reduce(total)
        return (total / self.world).to(values.device)

    def agree(self, seconds: float, stop: bool) -> tuple[float, bool]:
        """``seconds`` of the leading process, so that all follow one schedule; whether any process is to stop."""
        if self.world == 1:
            return seconds, stop
        shared = torch.tensor([seconds if self.leads else 0.0, float(stop)], dtype=torch.float64, device=self.device)
        distributed.all_reduce(shared)
        return float(shared[0]), bool(shared[1] > 0)


@contextmanager
def join_workers(device: str) -> Iterator[Workers]:
    """Join the process group that ``torchrun`` set up in the environment, or train in this process alone.

    ``device``: "auto", "cpu", "cuda" or "cuda:N". Raises ``DeviceError`` if it does not exist.
    """
    world = int(os.environ.get("WORLD_SIZE", "1"))
    place = _device(device, int(os.environ.get("LOCAL_RANK", "0")))
    if world == 1:
        yield Workers(place)
        return
    distributed.init_process_group("nccl" if place.type == "cuda" else "gloo")
    try:
        yield Workers(place, distributed.get_rank(), distributed.get_world_size())
    finally:
        distributed.destroy_process_group()


def _device(name: str, local_rank: int) -> torch.device:
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    kind, _, number = name.partition(":")
    if kind == "cpu" and not number:
        return torch.device("cpu")
    if kind != "cuda" or (number and not number.isdecimal()):
        raise DeviceError(f"unknown device {name!r}", hint="known: auto, cpu, cuda, cuda:N")
    index = int(number) if number else local_rank
    if index >= torch.cuda.device_count():
        there = torch.cuda.device_count()
        raise DeviceError(f"device {name}: PyTorch sees {there} CUDA devices", hint='device = "cpu" trains on the CPU')
    torch.cuda.set_device(index)
    return torch.device("cuda", index)

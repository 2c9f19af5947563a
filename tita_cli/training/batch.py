"""What a step works on and what it reports, whatever the kind of network."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor
from typing_extensions import Self

from tita_cli.errors import TrainingError


@dataclass(frozen=True, slots=True)
class Batch:
    """The crops of one task in one step: a subclass has tensors, or None, as its fields."""

    @property
    def pixels(self) -> int:
        """Pixels of all sources."""
        raise NotImplementedError

    def to(self, device: torch.device) -> Self:
        """The batch on ``device``."""
        return self if device.type == "cpu" else self._each(lambda plane: plane.to(device, non_blocking=True))

    def pin_memory(self) -> Self:
        """The batch in page-locked memory, from which a GPU copies while it computes."""
        return self._each(lambda plane: plane.pin_memory())

    def _each(self, change: Callable[[Tensor], Tensor]) -> Self:
        planes = {field.name: getattr(self, field.name) for field in fields(self)}
        return replace(self, **{name: change(plane) for name, plane in planes.items() if plane is not None})


def by_task(size: int | Mapping[str, int], name: str, tasks: Sequence[str]) -> dict[str, int]:
    """``size`` for each of ``tasks``. Raises ``TrainingError`` if it names other tasks than there are."""
    sizes = dict.fromkeys(tasks, size) if isinstance(size, int) else dict(size)
    if set(sizes) != set(tasks):
        raise TrainingError(
            f"{name} is given for {', '.join(sorted(sizes))}, the data are for {', '.join(tasks)}",
            hint="give one number for all tasks, or one for each task that has data",
        )
    return sizes


@dataclass(frozen=True, slots=True)
class TaskReport:
    """Losses of one task: ``terms`` are scalars, "total" among them; ``oaf`` the mean of OAF's weights.

    ``oaf``: six numbers for a network for pairs, three for A and three for B; three for one for sets, each the sum over
    the sources.
    """

    terms: dict[str, Tensor]
    oaf: Tensor

    def detached(self) -> TaskReport:
        """The same without the graph, which would keep the memory of a step."""
        return TaskReport({name: term.detach() for name, term in self.terms.items()}, self.oaf)

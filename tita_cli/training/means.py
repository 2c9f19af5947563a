"""Means over the steps that one line of the log sums up."""

from __future__ import annotations

from collections import defaultdict

import torch
from torch import Tensor


class Means:
    """Running means of named scalars and vectors, kept where the tensors are, so that a GPU need not wait."""

    def __init__(self) -> None:
        self._sums: dict[tuple[str, ...], Tensor] = {}
        self._counts: dict[tuple[str, ...], int] = defaultdict(int)

    def __bool__(self) -> bool:
        return bool(self._sums)

    def add(self, key: tuple[str, ...], value: Tensor) -> None:
        value = value.detach()
        self._sums[key] = value.clone() if key not in self._sums else self._sums[key] + value
        self._counts[key] += 1

    def vector(self) -> Tensor:
        """All means behind each other, in the order of first mention: to be averaged over processes."""
        return torch.cat([(total / self._counts[key]).reshape(-1).float() for key, total in self._sums.items()])

    def spread(self, vector: Tensor) -> dict[tuple[str, ...], list[float]]:
        """The inverse of :meth:`vector`."""
        sizes = [total.numel() for total in self._sums.values()]
        parts = torch.split(vector.cpu(), sizes)
        return {key: [float(v) for v in part] for key, part in zip(self._sums, parts, strict=True)}

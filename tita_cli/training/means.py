"""Means over the steps of one record of the log."""

from __future__ import annotations

from collections import defaultdict

import torch
from torch import Tensor


class Means:
    """Running means of named scalars and vectors, kept on their device to avoid synchronisation."""

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
        """All means concatenated, in the order of first use, to be averaged over processes."""
        return torch.cat([(total / self._counts[key]).reshape(-1).float() for key, total in self._sums.items()])

    def spread(self, vector: Tensor) -> dict[tuple[str, ...], list[float]]:
        """The inverse of :meth:`vector`."""
        sizes = [total.numel() for total in self._sums.values()]
        parts = torch.split(vector.cpu(), sizes)
        return {key: [float(v) for v in part] for key, part in zip(self._sums, parts, strict=True)}

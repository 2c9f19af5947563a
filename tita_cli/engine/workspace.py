"""Memory for what ``tita_cli.engine.kernels`` computes on the way, with every view of it made once."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from tita_cli.engine.windows import TOKENS


def value_rows(size: int) -> int:
    """Rows for a head's values and their row of ones: products of 4k rows are the fast ones."""
    return -(-(size + 1) // 4) * 4


class Projected(NamedTuple):
    """Queries, keys and values of one source, as matrix products make them, and by head and window.

    Each in memory of its own: products in bf16 would copy a view of something wider.
    """

    queries: Tensor
    keys: Tensor
    values: Tensor
    q: Tensor
    k: Tensor
    v: Tensor


class Related(NamedTuple):
    """What IPA's linear layers make of one source (``all``), by what they are for."""

    all: Tensor
    as_own: Tensor
    as_partner: Tensor
    query: Tensor
    value: Tensor
    partners_value: Tensor
    key_bias: Tensor


class Workspace:
    """For a chunk of ``n`` windows of ``c`` channels. ``_1`` marks what has a row of ones beneath its channels."""

    def __init__(self, flat: Tensor, n: int, c: int, heads: int) -> None:
        self._flat, self._top, self._n = flat, 0, n
        d, rows = c // heads, value_rows(c // heads)
        by_head = (n, heads, d, TOKENS)
        self.normed_a_1, self.normed_b_1 = self._take(c + 1), self._take(c + 1)
        self.attended_1, self.mixed_1 = self._take(c + 1), self._take(c + 1)
        self.x_1, self.y_1 = self._take(c + 1), self._take(c + 1)
        self.normed_a, self.normed_b, self.x, self.y, self.mixed = (
            part[:, :c] for part in (self.normed_a_1, self.normed_b_1, self.x_1, self.y_1, self.mixed_1)
        )
        self.attended, self.mixed_by_head = self.attended_1[:, :c].view(by_head), self.mixed.view(by_head)
        self.mean = self._take(1)
        shared = self._top

        self.hidden_1 = self._take(2 * c + 1)
        self.square = flat[shared : shared + n * c * TOKENS].view(n, c, TOKENS)
        self._top = shared

        # Attention and IPA take turns.
        self.a, self.b = self._projected(heads, d, rows), self._projected(heads, d, rows)
        self.scores = self._take(heads * TOKENS).view(n * heads, TOKENS, TOKENS)
        self.scores_by_head = self.scores.view(n, heads, TOKENS, TOKENS)
        self.sums = self._take(heads * rows).view(n * heads, rows, TOKENS)
        self.weighted = self.sums.view(n, heads, rows, TOKENS)[:, :, :d]
        self.total = self.sums.view(n, heads, rows, TOKENS)[:, :, d : d + 1]
        self.totals = self.sums[:, d]  # the same, flat
        self._top = shared

        self.of_x, self.of_y = self._related(c, by_head), self._related(c, by_head)
        self.inner, self.powers, self.key = self._take(c), self._take(c), self._take(c)
        self.key_by_head = self.key.view(by_head)
        self.relation_total = self.mean
        self.relation_total_by_head = self.mean.view(n, 1, 1, TOKENS)

    @staticmethod
    def size(n: int, c: int, heads: int) -> int:
        """Numbers that a workspace needs."""
        kept = 6 * (c + 1) + 1
        attention = heads * (2 * (2 * (c // heads) + value_rows(c // heads)) + TOKENS + value_rows(c // heads))
        return n * TOKENS * (kept + max(2 * c + 1, attention, 13 * c + 2 * heads))

    def restore_ones(self) -> None:
        """Before the first use, and after a workspace of another size was used on the same memory."""
        for part in (self.normed_a_1, self.normed_b_1, self.attended_1, self.mixed_1):
            part[:, -1] = 1

    def _take(self, rows: int) -> Tensor:
        start, self._top = self._top, self._top + self._n * rows * TOKENS
        return self._flat[start : self._top].view(self._n, rows, TOKENS)

    def _projected(self, heads: int, d: int, rows: int) -> Projected:
        queries, keys, values = (self._take(heads * each) for each in (d, d, rows))
        q, k, v = (part.view(self._n * heads, -1, TOKENS) for part in (queries, keys, values))
        return Projected(queries, keys, values, q, k.transpose(1, 2), v)

    def _related(self, c: int, by_head: tuple[int, ...]) -> Related:
        everything = self._take(5 * c + by_head[1])
        parts = torch.split(everything[:, : 5 * c], c, 1)
        key_bias = everything[:, 5 * c :].unsqueeze(2)
        query, value, partners_value = (part.view(by_head) for part in parts[2:])
        return Related(everything, parts[0], parts[1], query, value, partners_value, key_bias)


class Workspaces:
    """The workspaces of one worker, one for each size of chunk, all in the same memory."""

    def __init__(self, dtype: torch.dtype = torch.float32) -> None:
        self._flat = torch.empty(0, dtype=dtype)
        self._spaces: dict[tuple[int, int, int], Workspace] = {}
        self._current: Workspace | None = None

    def __call__(self, n: int, c: int, heads: int) -> Workspace:
        """The workspace for ``n`` windows, its rows of ones in place."""
        space = self._spaces.get((n, c, heads))
        if space is None:
            if self._flat.numel() < Workspace.size(n, c, heads):
                self._flat = self._flat.new_empty(Workspace.size(n, c, heads))
                self._spaces.clear()
            space = self._spaces[n, c, heads] = Workspace(self._flat, n, c, heads)
        if space is not self._current:
            space.restore_ones()
            self._current = space
        return space

"""The network's blocks on one core, on a chunk of windows that stays near it: PyTorch operations into fixed memory.

The same function as ``tita_cli.engine.folded``, arranged for speed:

- every linear layer is one matrix times each window, its bias one more column that meets a row of ones;
- scores stand keys × queries, so that values × scores needs no transposing and runs at four times the speed;
- a softmax is 2^score without subtracting the maximum, log₂e being folded into the weights, and its sum comes out of
  the product that weighs the values: half the time. Scores out of fp32's range show in that sum; then the chunk is done
  again the careful way;
- memory and views are made once for each size of chunk (``tita_cli.engine.workspace``): making them costs as much as an
  operation does.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import cast

import torch
from torch import Tensor, nn

from tita_cli.engine.folded import (
    FoldedAttention,
    FoldedCross,
    FoldedIPA,
    FoldedMlp,
    FoldedPixelAttention,
    FoldedSwin,
    Linear,
    Norm,
)
from tita_cli.engine.windows import bands
from tita_cli.engine.workspace import Projected, Related, Workspace, value_rows

LOG2E = math.log2(math.e)
MASKED = -1000.0
GELU_ONE = 1.1444507183528787
"""GELU of this is 1."""
_LEAST, _MOST = 2.0**-60, 2.0**100
"""A sum of 2^score within these is exact enough, and neither it nor what it divides overflows."""


def _gelu(x: Tensor) -> None:
    """In place."""
    torch._C._nn.gelu(x, out=x)  # type: ignore[call-arg]


class Bank:
    """What all the matrices of a block have in common: their type, and memory that only the block in work needs."""

    def __init__(self, dtype: torch.dtype) -> None:
        self.dtype = dtype
        self.repeated: dict[tuple[int, int], Tensor] = {}

    def matrix(self, weight: Tensor) -> Matrix:
        return Matrix(weight, self)

    def rest(self) -> None:
        """Until its turn comes again."""
        self.repeated.clear()


class Matrix:
    """A constant matrix that every window of a chunk is multiplied with."""

    def __init__(self, weight: Tensor, bank: Bank) -> None:
        self.weight = weight.to(bank.dtype).contiguous()
        self._bank = bank

    def times(self, x: Tensor, out: Tensor) -> Tensor:
        return torch.bmm(self._for(x.shape[0]), x, out=out)

    def add_times(self, x: Tensor, total: Tensor) -> None:
        total.baddbmm_(self._for(x.shape[0]), x)

    def _for(self, n: int) -> Tensor:
        if self.weight.dtype != torch.bfloat16:
            return self.weight.expand(n, -1, -1)
        key = id(self), n  # products in bf16 copy what is repeated by its stride alone: once a block is often enough
        repeated = self._bank.repeated.get(key)
        if repeated is None:
            repeated = self._bank.repeated[key] = self.weight.repeat(n, 1, 1)
        return repeated


def _columns(linear: Linear, scale: float = 1.0) -> Tensor:
    """Weight and bias as one matrix, for activations with a row of ones."""
    weight = linear.weight[:, :, 0]
    bias = torch.zeros(weight.shape[0]) if linear.bias is None else linear.bias
    return torch.cat((weight, bias[:, None]), 1) * scale


def _with_row(columns: Tensor, value: float) -> Tensor:
    """One more row, ``value`` times the row of ones."""
    return torch.cat((columns, value * torch.eye(columns.shape[1])[-1:]))


class _Norm:
    """LayerNorm without its affine part, and with it."""

    def __init__(self, c: int, eps: float, bank: Bank) -> None:
        self._average = bank.matrix(torch.full((1, c), 1 / c))
        self._eps = torch.full((1, 1, 1), eps, dtype=bank.dtype)

    def __call__(self, x: Tensor, out: Tensor, w: Workspace) -> Tensor:
        torch.sub(x, self._average.times(x, w.mean), out=out)
        torch.mul(out, out, out=w.square)
        torch.add(self._average.times(w.square, w.mean), self._eps, out=w.mean)
        return out.mul_(w.mean.rsqrt_())

    def apply(self, norms: Iterable[nn.Module], x: Tensor, w: Workspace) -> None:
        """Whole LayerNorms in place."""
        for norm in cast(Iterable[Norm], norms):
            torch.addcmul(norm.bias, self(x, w.normed_a, w), norm.weight, out=x)


class _Attention:
    """Attention of one source to itself or another. ``shown`` makes the keys and values that it shows others."""

    def __init__(self, folded: FoldedAttention, shown: FoldedAttention, bank: Bank) -> None:
        h, d = folded.heads, folded.size
        self._size = d
        self._q, self._k = bank.matrix(_columns(folded.q, LOG2E)), bank.matrix(_columns(shown.k))
        values = torch.zeros(h, value_rows(d), self._q.weight.shape[1])
        values[:, :d] = _columns(shown.v).view(h, d, -1)
        values[:, d, -1] = 1
        self._v = bank.matrix(values.flatten(0, 1))
        self.proj = _columns(folded.proj)
        side = torch.from_numpy(bands())
        apart = ((side[..., :, None] * side[..., None, :]) < 0).any(1)
        table = folded.bias.transpose(1, 2) * LOG2E
        self._bias = [table.masked_fill(apart[kind], MASKED).to(bank.dtype).contiguous() for kind in range(4)]

    def project(self, normed_1: Tensor, out: Projected) -> None:
        """This source's queries, and the keys and values that it shows others."""
        self._q.times(normed_1, out.queries)
        self._k.times(normed_1, out.keys)
        self._v.times(normed_1, out.values)

    def __call__(self, own: Projected, source: Projected, kind: int, w: Workspace) -> Tensor:
        """The weighted values, N×(C+1)×64, not yet projected."""
        self._score(own, source, kind, w)
        torch.bmm(source.v, w.scores.exp2_(), out=w.sums)
        if not _in_range(w.totals):
            self._score(own, source, kind, w)
            w.scores.sub_(w.scores.amax(1, keepdim=True)).exp2_()
            torch.bmm(source.v, w.scores, out=w.sums)
        torch.div(w.weighted, w.total, out=w.attended)
        return w.attended_1

    def _score(self, own: Projected, source: Projected, kind: int, w: Workspace) -> None:
        """A copy of the table costs less than adding it afterwards."""
        w.scores_by_head.copy_(self._bias[kind])
        w.scores.baddbmm_(source.k, own.q)


def _in_range(total: Tensor) -> bool:
    least, most = total.aminmax()
    return least.item() > _LEAST and most.item() < _MOST


class _Mlp:
    def __init__(self, folded: FoldedMlp, bank: Bank) -> None:
        self._norm = _Norm(folded.fc1.weight.shape[1], folded.eps, bank)
        self._fc1 = bank.matrix(_with_row(_columns(folded.fc1), GELU_ONE))
        self._fc2 = bank.matrix(_columns(folded.fc2))

    def add_to(self, x: Tensor, w: Workspace) -> None:
        self._norm(x, w.normed_a, w)
        hidden = self._fc1.times(w.normed_a_1, w.hidden_1)
        _gelu(hidden)
        self._fc2.add_times(hidden, x)


class SwinKernel:
    """A Swin block on N×C×64, in place."""

    def __init__(self, folded: FoldedSwin, dtype: torch.dtype = torch.float32) -> None:
        self.bank = bank = Bank(dtype)
        self._enter, self._leave = list(folded.enter), list(folded.leave)
        self._norm = _Norm(folded.mlp.fc1.weight.shape[1], folded.eps, bank)
        self._attention = _Attention(folded.attention, folded.attention, bank)
        self._proj = bank.matrix(self._attention.proj)
        self._mlp = _Mlp(folded.mlp, bank)

    def __call__(self, x: Tensor, kind: int, w: Workspace) -> None:
        self._norm.apply(self._enter, x, w)
        self._norm(x, w.normed_a, w)
        self._attention.project(w.normed_a_1, w.a)
        self._proj.add_times(self._attention(w.a, w.a, kind, w), x)
        self._mlp.add_to(x, w)
        self._norm.apply(self._leave, x, w)


class _PixelAttention:
    """One direction of IPA, given what both sources' linear layers made of them.

    With the relation's powers e = 2^(R·hidden) and its bias β, the relation score is r = e·2^β / Σ e·2^β. The factor
    2^β goes into the key's weights, the sum is divided by after the channels of a head are summed up, and the key's
    bias, times the query, is a linear function of the source: three passes less over everything.
    """

    def __init__(self, folded: FoldedPixelAttention, relation: Linear, bank: Bank) -> None:
        scaled = _columns(relation, LOG2E)
        self._relation = bank.matrix(scaled[:, :-1])
        # Less the largest of them, which a softmax does not feel.
        bias = scaled[:, -1:] - scaled[:, -1].max()
        self._relation_bias, factor = bias.to(bank.dtype), bias.exp2()
        self._total = bank.matrix(factor.T)
        self._key = bank.matrix(folded.k.weight[:, :, 0] * factor.T)
        self._out = bank.matrix(_columns(folded.out))
        self.query, self.value = _columns(folded.q), _columns(folded.v)
        bias = torch.zeros(len(factor), 1) if folded.k.bias is None else folded.k.bias[:, None]
        self.key_bias = (bias * self.query).reshape(folded.heads, -1, self.query.shape[1]).sum(1)

    def add_to(self, total: Tensor, x: Tensor, own: Related, partner: Related, w: Workspace) -> None:
        torch.add(own.as_own, partner.as_partner, out=w.inner)
        _gelu(w.inner)
        self._relation.times(w.inner, w.powers).exp2_()
        self._total.times(w.powers, w.relation_total)
        if not _in_range(w.relation_total):
            self._relation.times(w.inner, w.powers)
            w.powers.sub_((w.powers + self._relation_bias).amax(1, keepdim=True)).exp2_()
            self._total.times(w.powers, w.relation_total)
        torch.mul(w.powers, x, out=w.inner)
        self._key.times(w.inner, w.key)
        w.key_by_head.mul_(own.query)
        p = w.key_by_head.sum(2, keepdim=True).div_(w.relation_total_by_head).add_(own.key_bias).sigmoid_()
        torch.lerp(partner.partners_value, own.value, p, out=w.mixed_by_head)
        self._out.add_times(w.mixed_1, total)


class _IPA:
    def __init__(self, folded: FoldedIPA, bank: Bank) -> None:
        self._a, self._b = (_PixelAttention(f, folded.fc2, bank) for f in (folded.attend_a, folded.attend_b))
        relation = _columns(folded.fc1)
        c = relation.shape[0]
        as_own, as_partner = relation[:, [*range(c), 2 * c]], relation[:, c:].clone()
        as_partner[:, -1] = 0
        for_all = (as_own, as_partner)
        of_x = *for_all, self._a.query, self._a.value, self._b.value, self._a.key_bias
        of_y = *for_all, self._b.query, self._b.value, self._a.value, self._b.key_bias
        self._of_x, self._of_y = (bank.matrix(torch.cat(parts)) for parts in (of_x, of_y))

    def add_to(self, a: Tensor, b: Tensor, w: Workspace) -> None:
        """What IPA makes of the attended features in ``w`` is added to both sources."""
        self._of_x.times(w.x_1, w.of_x.all)
        self._of_y.times(w.y_1, w.of_y.all)
        self._a.add_to(a, w.x, w.of_x, w.of_y, w)
        self._b.add_to(b, w.y, w.of_y, w.of_x, w)


class CrossKernel:
    """A cross block on N×C×64 of both sources, in place."""

    def __init__(self, folded: FoldedCross, dtype: torch.dtype = torch.float32) -> None:
        self.bank = bank = Bank(dtype)
        self._enter, self._leave = list(folded.enter_a), list(folded.leave_a)
        self._enter_b, self._leave_b = list(folded.enter_b), list(folded.leave_b)
        self._norm = _Norm(folded.mlp_a.fc1.weight.shape[1], folded.eps, bank)
        self._attention_a = _Attention(folded.attention_a, folded.attention_b, bank)
        self._attention_b = _Attention(folded.attention_b, folded.attention_a, bank)
        self._proj_a = bank.matrix(_with_row(self._attention_a.proj, 1))
        self._proj_b = bank.matrix(_with_row(self._attention_b.proj, 1))
        self._ipa = None if folded.ipa is None else _IPA(folded.ipa, bank)
        self._mlp_a, self._mlp_b = _Mlp(folded.mlp_a, bank), _Mlp(folded.mlp_b, bank)

    def __call__(self, a: Tensor, b: Tensor, kind: int, w: Workspace) -> None:
        self._norm.apply(self._enter, a, w)
        self._norm.apply(self._enter_b, b, w)
        self._norm(a, w.normed_a, w)
        self._norm(b, w.normed_b, w)
        self._attention_a.project(w.normed_a_1, w.a)
        self._attention_b.project(w.normed_b_1, w.b)
        self._proj_a.times(self._attention_a(w.a, w.b, kind, w), w.x_1)
        self._proj_b.times(self._attention_b(w.b, w.a, kind, w), w.y_1)
        a.add_(w.x)
        b.add_(w.y)
        if self._ipa is not None:
            self._ipa.add_to(a, b, w)
        self._mlp_a.add_to(a, w)
        self._mlp_b.add_to(b, w)
        self._norm.apply(self._leave, a, w)
        self._norm.apply(self._leave_b, b, w)

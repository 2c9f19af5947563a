"""IPA: Interaction-enhanced Pixel Attention (TITA, section "Interaction-enhanced Pixel Attention").

Each pixel of one source attends to two tokens: itself and the same pixel of the partner. How far the two are related
decides how the keys are bent. Two keys make a softmax a sigmoid, so the module has an exact closed form:

    r  = softmax over channels of MLP([a ; b])            relation score
    Δk = W_k (n_k − n_v − 2 a⊙r)                          difference of the two keys; their bias cancels
    p  = σ(⟨W_q a + b_q, Δk⟩ / √d)                        per head: how much of a, against b, to take
    o  = (W_v b + b_v) + p · W_v (a − b)
    a ← a + W_o o + b_o

with ``n_k``, ``n_v`` learned vectors per source (the paper's noise). The literal two-token attention that this equals
stands in the tests.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tita_cli.network.swin import Mlp


class PixelAttention(nn.Module):
    """One direction: the source that is updated attends to itself and to its partner."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.q = nn.Linear(dim, dim)
        self.k = nn.Linear(dim, dim, bias=False)
        self.v = nn.Linear(dim, dim)
        self.out = nn.Linear(dim, dim)

    def forward(self, own: Tensor, partner: Tensor, relation: Tensor, noise: Tensor) -> Tensor:
        """``own``, ``partner``, ``relation``: …×C; ``noise``: C, n_k − n_v. → …×C, to be added to ``own``."""
        shape = (-1, self.heads, int(own.shape[-1]) // self.heads)
        q = self.q(own)
        dk = self.k(noise - 2 * own * relation)
        p = torch.sigmoid((q * dk).reshape(shape).sum(-1, keepdim=True) * shape[-1] ** -0.5)
        v_own, v_partner = self.v(own), self.v(partner)
        mixed = v_partner.reshape(shape) + p * (v_own - v_partner).reshape(shape)
        return torch.as_tensor(self.out(mixed.reshape_as(own)))


class IPA(nn.Module):
    """Both directions, sharing the relation score's MLP. Purely pixel-wise: any leading dimensions."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.relation = Mlp(2 * dim, dim, dim)
        self.noise_k = nn.Parameter(torch.randn(2, dim))
        self.noise_v = nn.Parameter(torch.randn(2, dim))
        self.attend_a = PixelAttention(dim, heads)
        self.attend_b = PixelAttention(dim, heads)

    def forward(self, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
        """``a``, ``b``: …×C → the same, each enriched by its partner."""
        noise = self.noise_k - self.noise_v
        r_a = self.relation(torch.cat((a, b), -1)).softmax(-1)
        r_b = self.relation(torch.cat((b, a), -1)).softmax(-1)
        return a + self.attend_a(a, b, r_a, noise[0]), b + self.attend_b(b, a, r_b, noise[1])

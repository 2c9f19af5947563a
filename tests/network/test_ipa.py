"""IPA's closed form against a literal attention over two tokens, and its gradients."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from tita_cli.network.ipa import IPA, PixelAttention
from tita_cli.network.oaf import OAF


def _two_token_attention(direction: PixelAttention, own: Tensor, partner: Tensor, r: Tensor, noise: Tensor) -> Tensor:
    """What the paper draws: one query, two keys, two values a pixel, through a stock multi-head attention."""
    dim = own.shape[-1]
    mha = nn.MultiheadAttention(dim, direction.heads, batch_first=True, dtype=own.dtype)
    key_bias = torch.randn(dim, dtype=own.dtype)  # any: it must cancel
    with torch.no_grad():
        mha.in_proj_weight.copy_(torch.cat((direction.q.weight, direction.k.weight, direction.v.weight)))
        mha.in_proj_bias.copy_(torch.cat((direction.q.bias, key_bias, direction.v.bias)))
        mha.out_proj.weight.copy_(direction.out.weight)
        mha.out_proj.bias.copy_(direction.out.bias)
    keys = torch.stack((noise[0] + own - own * r, noise[1] + own + own * r), 1)
    values = torch.stack((own, partner), 1)
    return mha(own[:, None], keys, values, need_weights=False)[0][:, 0]


@settings(max_examples=40, deadline=None)
@given(
    heads=st.integers(1, 4),
    width=st.integers(1, 6),
    pixels=st.integers(1, 9),
    seed=st.integers(0, 2**31),
    scale=st.floats(0.01, 10),
)
def test_closed_form_equals_two_token_attention(heads: int, width: int, pixels: int, seed: int, scale: float) -> None:
    torch.manual_seed(seed)
    dim = heads * width
    ipa = IPA(dim, heads).double()
    a, b = scale * torch.randn(2, pixels, dim, dtype=torch.float64)
    got_a, got_b = ipa(a, b)
    r_a = ipa.relation(torch.cat((a, b), -1)).softmax(-1)
    r_b = ipa.relation(torch.cat((b, a), -1)).softmax(-1)
    for got, own, partner, r, direction, i in (
        (got_a, a, b, r_a, ipa.attend_a, 0),
        (got_b, b, a, r_b, ipa.attend_b, 1),
    ):
        noise = torch.stack((ipa.noise_k[i], ipa.noise_v[i]))
        expected = own + _two_token_attention(direction, own, partner, r, noise)
        torch.testing.assert_close(got, expected, rtol=1e-9, atol=1e-9)


def test_gradients_of_the_closed_form() -> None:
    torch.manual_seed(0)
    ipa = IPA(4, 2).double()
    a, b = torch.randn(2, 3, 4, dtype=torch.float64).requires_grad_().unbind(0)
    names = [name for name, _ in ipa.named_parameters()]

    def forward(a: Tensor, b: Tensor, *parameters: Tensor) -> tuple[Tensor, Tensor]:
        return torch.func.functional_call(ipa, dict(zip(names, parameters, strict=True)), (a, b))

    assert torch.autograd.gradcheck(forward, (a, b, *ipa.parameters()))


def test_gradients_of_oaf() -> None:
    torch.manual_seed(0)
    oaf = OAF(2).double()
    x, y = torch.randn(2, 1, 2, 3, 4, dtype=torch.float64).requires_grad_().unbind(0)
    assert torch.autograd.gradcheck(lambda x, y: oaf.merge(x, y, oaf.weigh(oaf.pool(x, y))), (x, y))


def test_low_pass_kernels_sum_to_one() -> None:
    """A flat map has no high-pass part, whatever the kernels."""
    torch.manual_seed(0)
    flat = torch.full((1, 4, 6, 7), 3.0)
    high = OAF(4).operations_a(flat).high
    torch.testing.assert_close(high, torch.zeros_like(high), atol=1e-5, rtol=0)

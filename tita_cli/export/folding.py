"""The network's blocks rewritten for inference: the same function, fewer operations, channels before tokens.

Windows are N×C×64 in the token order of ``tita_cli.runtime.windows``. What can be computed once is folded into weights:
LayerNorm's scale and shift and the query's 1/√d into the linear layers that follow, the position table into a bias. The
windows that a map's edge divides need no mask of their own: see :class:`FoldedAttention`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tita_cli.network.attention import WindowAttention
from tita_cli.network.cross import CrossBlock, CrossStage
from tita_cli.network.ipa import IPA, PixelAttention
from tita_cli.network.oaf import OAF, Operations
from tita_cli.network.swin import Mlp, SwinBlock, SwinStage
from tita_cli.network.tita import Tita
from tita_cli.runtime.windows import TOKENS, token_order

TAPS = 9
"""Of the 3×3 kernels that OAF's high-pass predicts."""
Norms = Sequence[nn.LayerNorm]


def _fixed(x: Tensor) -> nn.Parameter:
    return nn.Parameter(x.detach().contiguous(), requires_grad=False)


class Linear(nn.Module):
    """A linear layer over the channels of N×C×T: a convolution of width 1, so that its bias costs nothing."""

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        super().__init__()
        self.weight, self.bias = _fixed(weight.unsqueeze(-1)), _fixed(bias)

    @classmethod
    def fold(cls, linear: nn.Linear, norm: nn.LayerNorm | None = None, scale: float = 1.0) -> Linear:
        """``linear`` after the affine part of ``norm``, times ``scale``."""
        weight, bias = _after(norm, linear)
        return cls(weight * scale, bias * scale)

    def forward(self, x: Tensor) -> Tensor:
        return F.conv1d(x, self.weight, self.bias)


def _after(norm: nn.LayerNorm | None, linear: nn.Linear) -> tuple[Tensor, Tensor]:
    """Weight and bias of a linear layer with the affine part of the norm before it multiplied in."""
    if norm is None:
        return linear.weight, linear.bias
    return linear.weight * norm.weight, linear.bias + linear.weight @ norm.bias


def normalised(x: Tensor, eps: float) -> Tensor:
    """LayerNorm over the channels of N×C×T without its affine part."""
    centred = x - x.mean(1, keepdim=True)
    return centred * torch.rsqrt((centred * centred).mean(1, keepdim=True) + eps)


class Norm(nn.Module):
    """LayerNorm over the channels of N×C×T."""

    def __init__(self, norm: nn.LayerNorm) -> None:
        super().__init__()
        self.eps, self.weight, self.bias = norm.eps, _fixed(norm.weight[:, None]), _fixed(norm.bias[:, None])

    def forward(self, x: Tensor) -> Tensor:
        return normalised(x, self.eps) * self.weight + self.bias


def _sequence(norms: Norms) -> nn.Sequential:
    return nn.Sequential(*map(Norm, norms))


class FoldedMlp(nn.Module):
    """LayerNorm and MLP: what is added to the residual stream."""

    def __init__(self, mlp: Mlp, norm: nn.LayerNorm) -> None:
        super().__init__()
        self.eps, self.fc1, self.fc2 = norm.eps, Linear.fold(mlp.fc1, norm), Linear.fold(mlp.fc2)

    def forward(self, x: Tensor) -> Tensor:
        return cast(Tensor, self.fc2(F.gelu(self.fc1(normalised(x, self.eps)))))


class FoldedAttention(nn.Module):
    """Windowed attention on normalised windows.

    ``sides``: N×2×64, ±SIDE_SCORE, says on which side of the map's edge a token of a shifted window lies. It replaces
    Swin's mask, which would be (H/8 · W/8)×64×64 numbers to make, read and add in every second block.
    """

    def __init__(self, attention: WindowAttention, norm_own: nn.LayerNorm, norm_source: nn.LayerNorm) -> None:
        super().__init__()
        c = attention.q.in_features
        self.heads, self.size = attention.heads, c // attention.heads
        weight, bias = _after(norm_source, attention.kv)
        self.q = Linear.fold(attention.q, norm_own, self.size**-0.5)
        self.k, self.v = Linear(weight[:c], bias[:c]), Linear(weight[c:], bias[c:])
        self.proj = Linear.fold(attention.proj)
        order = torch.from_numpy(token_order())
        self.bias = _fixed(attention.bias.forward()[0][:, order][:, :, order])  # h×64 queries×64 keys

    def forward(self, own: Tensor, source: Tensor, sides: Tensor | None) -> Tensor:
        """N×C×64 twice → N×C×64."""
        split = (-1, self.heads, self.size, TOKENS)
        q, k, v = self.q(own).reshape(split), self.k(source).reshape(split), self.v(source).reshape(split)
        if sides is not None:
            channels = sides[:, None].expand(-1, self.heads, -1, -1)
            q, k = torch.cat((q, channels), 2), torch.cat((k, channels), 2)
        share = (q.transpose(2, 3) @ k + self.bias).softmax(-1)
        out = v @ share.transpose(2, 3)
        return cast(Tensor, self.proj(out.reshape(-1, self.heads * self.size, TOKENS)))


class FoldedSwin(nn.Module):
    """A Swin block, with the norms that stand right before or behind its stage."""

    def __init__(self, block: SwinBlock, enter: Norms, leave: Norms) -> None:
        super().__init__()
        self.eps, self.enter, self.leave = block.norm1.eps, _sequence(enter), _sequence(leave)
        self.attention = FoldedAttention(block.attention, block.norm1, block.norm1)
        self.mlp = FoldedMlp(block.mlp, block.norm2)

    def forward(self, x: Tensor, sides: Tensor | None) -> Tensor:
        """N×C×64 → N×C×64."""
        x = self.enter(x)
        n = normalised(x, self.eps)
        x = x + self.attention(n, n, sides)
        return cast(Tensor, self.leave(x + self.mlp(x)))


class FoldedPixelAttention(nn.Module):
    """One direction of IPA."""

    def __init__(self, attend: PixelAttention, noise: Tensor) -> None:
        super().__init__()
        self.heads = attend.heads
        self.q = Linear.fold(attend.q, scale=(attend.q.in_features // attend.heads) ** -0.5)
        # Δk = W_k (noise − 2 a⊙r): the noise becomes a bias, the −2 a weight.
        self.k = Linear(-2 * attend.k.weight, attend.k.weight @ noise)
        self.v, self.out = Linear.fold(attend.v), Linear.fold(attend.out)

    def forward(self, own: Tensor, partner: Tensor, relation: Tensor) -> Tensor:
        n, c, t = own.shape
        heads = (n, self.heads, c // self.heads, t)
        p = (self.q(own) * self.k(own * relation)).reshape(heads).sum(2, keepdim=True).sigmoid()
        v = self.v(partner)
        mixed = v + ((self.v(own) - v).reshape(heads) * p).reshape(n, c, t)
        return cast(Tensor, self.out(mixed))


class FoldedIPA(nn.Module):
    """Both directions of IPA: what is added to each source."""

    def __init__(self, ipa: IPA) -> None:
        super().__init__()
        noise = (ipa.noise_k - ipa.noise_v).detach()
        self.fc1, self.fc2 = Linear.fold(ipa.relation.fc1), Linear.fold(ipa.relation.fc2)
        self.attend_a = FoldedPixelAttention(ipa.attend_a, noise[0])
        self.attend_b = FoldedPixelAttention(ipa.attend_b, noise[1])

    def forward(self, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
        r_a = self.fc2(F.gelu(self.fc1(torch.cat((a, b), 1)))).softmax(1)
        r_b = self.fc2(F.gelu(self.fc1(torch.cat((b, a), 1)))).softmax(1)
        return self.attend_a(a, b, r_a), self.attend_b(b, a, r_b)


class FoldedCross(nn.Module):
    """A cross block, with the norms that stand right before or behind the fusion stage, [for a, for b]."""

    def __init__(self, block: CrossBlock, enter: Sequence[Norms], leave: Sequence[Norms]) -> None:
        super().__init__()
        self.eps = block.norm1_a.eps
        self.enter_a, self.enter_b = map(_sequence, enter)
        self.leave_a, self.leave_b = map(_sequence, leave)
        self.attention_a = FoldedAttention(block.attention_a, block.norm1_a, block.norm1_b)
        self.attention_b = FoldedAttention(block.attention_b, block.norm1_b, block.norm1_a)
        self.ipa = None if block.ipa is None else FoldedIPA(block.ipa)
        self.mlp_a, self.mlp_b = FoldedMlp(block.mlp_a, block.norm2_a), FoldedMlp(block.mlp_b, block.norm2_b)

    def forward(self, a: Tensor, b: Tensor, sides: Tensor | None) -> tuple[Tensor, Tensor]:
        """N×C×64 of both sources → the same."""
        a, b = self.enter_a(a), self.enter_b(b)
        n_a, n_b = normalised(a, self.eps), normalised(b, self.eps)
        x, y = self.attention_a(n_a, n_b, sides), self.attention_b(n_b, n_a, sides)
        a, b = a + x, b + y
        if self.ipa is not None:
            x, y = self.ipa(x, y)
            a, b = a + x, b + y
        return self.leave_a(a + self.mlp_a(a)), self.leave_b(b + self.mlp_b(b))


class FoldedMerge(nn.Module):
    """OAF's ``merge``: features B×C×H×W of both sources and OAF's weights → B×C×H×W, with few passes over the features.

        Σ w_h (s − low) + w_a (s + add) + w_m s⊙mul  =  s ⊙ (w_m mul + w_h + w_a)  +  w_a add  −  w_h low

    The three convolutions of a source become one.
    """

    def __init__(self, oaf: OAF) -> None:
        super().__init__()
        self.a, self.b = _FoldedOperations(oaf.operations_a), _FoldedOperations(oaf.operations_b)

    def forward(self, x: Tensor, y: Tensor, weights: Tensor) -> Tensor:
        of_x, of_y = torch.split(weights[..., None, None, None], 3, 1)
        return cast(Tensor, self.a(x, *of_x.unbind(1)) + self.b(y, *of_y.unbind(1)))


class _FoldedOperations(nn.Module):
    window: Tensor

    def __init__(self, operations: Operations) -> None:
        super().__init__()
        self.compress = operations.compress
        parts = [operations.factor, operations.addend, operations.low_kernel]
        self.weight = _fixed(torch.cat([part.weight for part in parts]))
        self.bias = _fixed(torch.cat([cast(Tensor, part.bias) for part in parts]))
        self.register_buffer("window", operations.hamming.clone())

    def forward(self, s: Tensor, high: Tensor, add: Tensor, mul: Tensor) -> Tensor:
        c = s.shape[1]
        predicted = F.conv2d(self.compress(s), self.weight, self.bias, padding=1)
        factor, addend, logits = torch.split(predicted, [c, c, TAPS], 1)
        taps = logits.softmax(1) * self.window
        taps = taps / taps.sum(1, keepdim=True)
        padded = F.pad(s, (1, 1, 1, 1), mode="reflect")
        inside = (slice(0, -2), slice(1, -1), slice(2, None))
        shifted = [padded[..., rows, cols] for rows in inside for cols in inside]
        low = taps[:, :1] * shifted[0]
        for i in range(1, TAPS):
            low = low + taps[:, i : i + 1] * shifted[i]
        return s * (mul * factor + (high + add)) + add * addend - high * low


def fold_stages(network: Tita) -> nn.ModuleDict:
    """The blocks of every stage, {name: ModuleList}, those of separate stages with "_a" or "_b" behind their name.

    Every norm between two stages belongs to the block before or behind it, so that a map is touched by blocks only.
    """
    patch = network.patch_norm
    crossed = [block for stage in network.cross for block in cast(CrossStage, stage).blocks]
    enter: list[list[Norms]] = [[(), ()] for _ in crossed]
    leave: list[list[Norms]] = [[(), ()] for _ in crossed]
    enter[0] = [[network.extracted_norm_a, patch], [network.extracted_norm_b, patch]]
    leave[-1] = [[network.crossed_norm_a], [network.crossed_norm_b]]
    cross = [FoldedCross(cast(CrossBlock, b), *norms) for b, *norms in zip(crossed, enter, leave, strict=True)]
    return nn.ModuleDict(
        {
            "extract_a": _fold_swin(network.extractor_a, [patch], []),
            "extract_b": _fold_swin(network.extractor_b, [patch], []),
            "cross": nn.ModuleList(cross),
            "reconstruct_a": _fold_swin(network.reconstructor, [patch], [network.reconstructed_norm]),
        }
    )


def _fold_swin(stage: SwinStage, enter: Norms, leave: Norms) -> nn.ModuleList:
    blocks = [cast(SwinBlock, block) for block in stage.blocks]
    last = len(blocks) - 1
    return nn.ModuleList(
        FoldedSwin(block, enter if i == 0 else (), leave if i == last else ()) for i, block in enumerate(blocks)
    )

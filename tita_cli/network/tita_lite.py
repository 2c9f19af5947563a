"""tita-lite: TITA's modules on a set of sources, and shares that blend them in a pyramid.

    sources ──stem (÷4)──tokens (÷8)──Swin──global statistics──cross blocks with IPA──┬─ OAF ─ Swin ─┐
                 └────────────────────────────────────────────────────────────────────┴── head ──────┴─ shares, gains

All sources share all weights, and each meets a summary of the others: a weighted mean that leaves itself out. With two
sources the summary is the other one, and IPA and OAF are the paper's. Exchanging sources exchanges the outputs and
nothing else. The network does not paint. It gives each source a share of every level of a Laplacian pyramid, positive
and of sum 1 over the sources, and small gains by which a source adds its own detail beyond its share, the smaller the
more sources there are:

    multiscale = collapse( Σ_i (share_i[l] + gain_i[l]) · L_i[l] )
    direct     = Σ_i share_i[0] · source_i
    fused      = multiscale + d · (direct - multiscale)

Exposures want the first: shares applied pixel by pixel draw halos and outlines. Focus stacks want the second: the
pixels of one source as they are, where a pyramid mixes low frequencies around every change of source. ``d``, a map in
0..1 for the whole set, says where.
"""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tita_cli.network.attention import WindowAttention, from_windows, shift_mask, to_windows
from tita_cli.network.config import NetworkConfig
from tita_cli.network.ipa import PixelAttention
from tita_cli.network.oaf import Operations
from tita_cli.network.pyramid import collapse, laplacian
from tita_cli.network.set_statistics import STATISTICS, log_contrast, others_mean, statistics
from tita_cli.network.shares import shares_of
from tita_cli.network.spec import WINDOW, Spec, Stage
from tita_cli.network.summary import Summary
from tita_cli.network.swin import DropPath, Mlp, SwinStage, drop_rates

STEM_DIM = 32
STEM, TOKEN = 4, 8
"""Pixels to a side of what the stem's features and the tokens stand for."""
LEVELS = 5
"""Detail bands of the pyramid; behind them comes the base, at 1/32 of the size."""
GAINED = 4
"""Of these, the finer ones have gains."""
MULTIPLE = TOKEN * WINDOW
"""Sides of the network's input are multiples of this."""
FEW = 4.0
"""Of more sources than this, each has smaller gains."""
DEAD_ZONE = 0.05
"""Gains smaller than this are exactly 0: where one source is good as it is, it stays untouched."""
PHOTOGRAPH, INFRARED = 1.0, -1.0
"""Roles of a source. What has colour is a photograph; what is infrared somebody must say."""
FORGET = 0.2
"""How often, in training, the global statistics must do without features."""
SLOPE = 0.2


class SetOutput(NamedTuple):
    """What the network says of a set of N sources.

    ``shares``: B×N×h×w in 0..1 of each level, fine to coarse, base last; over the sources they sum to 1.
    ``gains``: the same of the first ``GAINED`` levels, around 0. ``logits``: what the shares were made of.
    ``direct``: B×1×H/8×W/8 in 0..1, how far the finest shares apply to the sources as they are, not to their bands.
    ``weights``: B×N×3, OAF's (high-pass, add, multiply) for every source, of sum 1 over all.
    """

    shares: list[Tensor]
    gains: list[Tensor]
    logits: list[Tensor]
    direct: Tensor
    weights: Tensor


class SetCrossBlock(nn.Module):
    """TITA's cross block for a set: windowed attention to the others, IPA with them, an MLP."""

    def __init__(self, dim: int, heads: int, shift: int, drop_path: float) -> None:
        super().__init__()
        self.shift, self.dim = shift, dim
        self.norm1 = nn.LayerNorm(dim)
        self.summary = Summary(dim)
        self.attention = WindowAttention(dim, heads)
        self.relation = Mlp(2 * dim, dim, dim)
        self.noise_k = nn.Parameter(torch.randn(dim))
        self.noise_v = nn.Parameter(torch.randn(dim))
        self.attend = PixelAttention(dim, heads)
        self.norm2 = nn.LayerNorm(dim)
        self.mlp = Mlp(dim, 2 * dim, dim)
        self.drop_path = DropPath(drop_path)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """B×N×H×W×C → the same."""
        b, n, h, w, c = x.shape
        own = self.norm1(x)
        others = self.summary(own).reshape(-1, h, w, c)
        own = own.reshape(-1, h, w, c)
        seen = self.attention(to_windows(own, self.shift), to_windows(others, self.shift), mask)
        seen = from_windows(seen, h, w, self.shift).reshape(b, n, h, w, c)
        partner = self.summary(seen)
        relation = self.relation(torch.cat((seen, partner), -1)).softmax(-1)
        seen = seen + self.attend(seen, partner, relation, self.noise_k - self.noise_v)
        x = x + self._dropped(seen, b)
        return x + self._dropped(self.mlp(self.norm2(x)), b)

    def _dropped(self, branch: Tensor, samples: int) -> Tensor:
        if not self.training:
            return branch
        shape = branch.shape
        return torch.as_tensor(self.drop_path(branch.reshape(-1, shape[-2], shape[-1]), samples)).reshape(shape)


class TitaLite(nn.Module):
    """The network. ``STEM_DIM`` channels of the features at a quarter of the size, ``config.dim`` of the tokens."""

    kind: ClassVar[str] = "set"
    sizes: ClassVar[dict[str, Any]] = {
        "dim": 48, "heads": 2, "extract": 2, "fuse": (3,), "reconstruct": 2, "drop_path": 0.05,
    }  # fmt: skip

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        dim, heads, drop_path, stem = config.dim, config.heads, config.drop_path, STEM_DIM
        extract, fuse, reconstruct = config.extract, sum(config.fuse), config.reconstruct
        self.dim = dim
        self.stem1 = nn.Conv2d(STEM * STEM + 6, stem, 3, padding=1)
        self.stem2 = nn.Conv2d(stem, stem, 3, padding=1)
        self.embed = nn.Conv2d(4 * stem, dim, 1)
        self.patch_norm = nn.LayerNorm(dim)
        self.extractor = SwinStage(dim, heads, extract, drop_path)
        self.extracted_norm = nn.LayerNorm(dim)
        self.steer = Mlp(2 * dim + 2 * STATISTICS, 2 * dim, dim + 2 * dim + 2)
        rates = drop_rates(drop_path, fuse)
        self.cross = nn.ModuleList(SetCrossBlock(dim, heads, (i % 2) * (WINDOW // 2), rates[i]) for i in range(fuse))
        self.crossed_norm = nn.LayerNorm(dim)
        self.weigh = Mlp(2 * dim, dim, 3)
        self.operations = Operations(dim)
        self.reconstructor = SwinStage(dim, heads, reconstruct, drop_path)
        self.reconstructed_norm = nn.LayerNorm(dim)
        self.coarse = nn.Conv2d(2 * dim, dim, 1)
        self.coarse_logits = nn.ModuleList(nn.Conv2d(dim, 1, 1) for _ in range(LEVELS + 1 - 3))
        self.to_fine = nn.Conv2d(dim, stem, 1)
        self.stem_summary = Summary(stem)
        self.fine1 = nn.Conv2d(3 * stem, dim, 1)
        self.fine2 = nn.Conv2d(dim, dim, 3, padding=1, groups=dim)
        self.fine3 = nn.Conv2d(dim, dim, 1)
        self.fine_logits = nn.Conv2d(dim, 2 + 16 + 4 + GAINED, 3, padding=1)
        self.gain_fall = nn.Parameter(torch.full((GAINED,), 0.5))
        self.direct = nn.Conv2d(dim, 1, 1)
        self.forget = FORGET
        with torch.no_grad():
            self.steer.fc2.bias[-2] = 3.0  # gains are on at first
            for layer in (self.fine_logits, *self.coarse_logits):
                layer.weight.mul_(0.3)
                layer.bias.zero_()
            self.direct.weight.mul_(0.3)

    @property
    def spec(self) -> Spec:
        config = self.config
        return Spec(
            kind=self.kind,
            variant=config.variant,
            dim=config.dim,
            token=TOKEN,
            encoder=(Stage.of("extract", config.extract), Stage.of("cross", sum(config.fuse), joint=True)),
            decoder=(Stage.of("reconstruct", config.reconstruct),),
            shallow_reach=0,
            head_reach=0,
        )

    def forward(self, images: Tensor, hidden: Tensor | None = None, role: Tensor | None = None) -> SetOutput:
        """``images``: luminance B×N×H×W in 0..1, sides multiples of ``MULTIPLE``. ``hidden``: B×N×2×H/4×W/4, the
        :func:`log_contrast` of the finest two bands of the pictures at full size, where these are reductions of them.
        ``role``: B×N, what is known of a source: ``PHOTOGRAPH``, ``INFRARED``, or 0 for nothing."""
        b, n, h, w = images.shape
        flat = images.reshape(b * n, 1, h, w)
        pyramid = laplacian(flat, 4)
        contrast = log_contrast(pyramid)
        finest = contrast[:, :2] if hidden is None else hidden.reshape(b * n, 2, h // STEM, w // STEM)
        stem = F.leaky_relu(self.stem1(torch.cat((unshuffled(flat), contrast, finest), 1)), SLOPE)
        stem = F.leaky_relu(self.stem2(stem), SLOPE)
        tokens = self.embedded(stem).permute(0, 2, 3, 1)
        th, tw = h // TOKEN, w // TOKEN
        mask = shift_mask(th, tw, WINDOW // 2, images.device)
        tokens = self.extracted_norm(self.extractor(self.patch_norm(tokens.contiguous()), mask))
        x = tokens.reshape(b, n, th, tw, self.dim)

        pooled = x.mean((2, 3))
        numbers = statistics(
            pyramid[-1].reshape(b, n, th * TOKEN // 16, -1),
            images,
            contrast.mean((2, 3)).reshape(b, n, -1),
            images.new_zeros(b, n) if role is None else role,
        )
        features = torch.cat((pooled, others_mean(pooled)), -1)
        if self.training:
            features = features * (torch.rand_like(features[:, :1, :1]) >= self.forget)
        steering = self.steer(torch.cat((features, numbers, others_mean(numbers)), -1))
        to_tokens, to_coarse, to_fine, keep, to_direct = steering.split((self.dim, self.dim, self.dim, 1, 1), -1)

        x = x + to_tokens[:, :, None, None]
        for block in self.cross:
            x = block(x, mask if cast(SetCrossBlock, block).shift else None)
        x = self.crossed_norm(x)

        pooled = x.mean((2, 3))
        weights = self.weigh(torch.cat((pooled, others_mean(pooled)), -1)).flatten(1).softmax(1).reshape(b, n, 3)
        maps = x.reshape(b * n, th, tw, self.dim).permute(0, 3, 1, 2)
        merged = torch.zeros((), device=x.device)
        for k, term in enumerate(self.operations(maps)):
            merged = merged + (weights[:, :, k, None, None, None] * term.reshape(b, n, self.dim, th, tw)).sum(1)
        z = self.reconstructor(self.patch_norm(merged.permute(0, 2, 3, 1).contiguous()), mask)
        z = self.reconstructed_norm(z).permute(0, 3, 1, 2)

        def of_set(y: Tensor) -> Tensor:
            return y.reshape(b, n, *y.shape[-2:])

        both = torch.cat((maps, z[:, None].expand(-1, n, -1, -1, -1).reshape(b * n, self.dim, th, tw)), 1)
        t = F.leaky_relu(self.coarse(both) + to_coarse.reshape(b * n, -1, 1, 1), SLOPE)
        coarse = []
        for k, layer in enumerate(self.coarse_logits):
            coarse.append(of_set(layer(F.avg_pool2d(t, 2**k) if k else t)))

        up = F.interpolate(self.to_fine(t), scale_factor=2.0, mode="bilinear", align_corners=False)
        others = self.stem_summary.of_maps(stem.reshape(b, n, *stem.shape[1:])).reshape(stem.shape)
        u = F.leaky_relu(self.fine1(torch.cat((up, stem, others), 1)) + to_fine.reshape(b * n, -1, 1, 1), SLOPE)
        u = u + self.fine3(F.leaky_relu(self.fine2(u), SLOPE))
        quarter, shift0, shift1, gains = self.fine_logits(u).split((2, 16, 4, GAINED), 1)
        lower = F.interpolate(quarter[:, 1:], scale_factor=2.0, mode="bilinear", align_corners=False)
        lowest = F.interpolate(quarter[:, 1:], scale_factor=4.0, mode="bilinear", align_corners=False)
        fine = [lowest + F.pixel_shuffle(shift0, 4), lower + F.pixel_shuffle(shift1, 2), quarter[:, :1]]
        logits = [*(of_set(y).float() for y in fine), *(y.float() for y in coarse)]
        shares = [shares_of(y, self.training) for y in logits]

        keep = _switch(keep, self.training)
        direct = _switch(self.direct(z) + to_direct.mean(1)[..., None, None], self.training).float()
        # What all add is a sum, which grows with their number: of what is independent, with its square root.
        number = torch.ones_like(keep).sum(1, keepdim=True)
        keep = keep * (FEW / number.clamp_min(FEW)) ** self.gain_fall
        gains = _through(gains, F.softshrink(gains, DEAD_ZONE), self.training) * keep.reshape(b * n, GAINED, 1, 1)
        return SetOutput(
            shares, [of_set(_resized(gains[:, k : k + 1], k)).float() for k in range(GAINED)], logits, direct, weights
        )

    def embedded(self, stem: Tensor) -> Tensor:
        """The embedding of ``F.pixel_unshuffle(stem, 2)``, as the weights are stored, without moving pixels."""
        step = TOKEN // STEM
        kernel = self.embed.weight.reshape(self.dim, STEM_DIM, step, step)
        return F.conv2d(stem, kernel, self.embed.bias, stride=step)


def unshuffled(x: Tensor) -> Tensor:
    """``F.pixel_unshuffle(x, STEM)`` of B×1×H×W, in two steps that each move runs of numbers: several times faster."""
    b, _, h, w = x.shape
    rows = x.reshape(b, h // STEM, STEM, w).transpose(1, 2)
    return rows.reshape(b, STEM, -1, STEM).transpose(2, 3).reshape(b, STEM * STEM, h // STEM, w // STEM)


def _resized(x: Tensor, level: int) -> Tensor:
    """From a quarter of the size to that of a level of the pyramid."""
    if level < 2:
        return F.interpolate(x, scale_factor=2.0 ** (2 - level), mode="bilinear", align_corners=False)
    return F.avg_pool2d(x, 2 ** (level - 2)) if level > 2 else x


def _switch(raw: Tensor, training: bool) -> Tensor:
    """A sigmoid stretched so that it can be exactly 0 and 1."""
    return _through(raw, (1.5 * (torch.sigmoid(raw) - 0.5) + 0.5).clamp(0, 1), training)


def _through(raw: Tensor, limited: Tensor, training: bool) -> Tensor:
    """``limited``, but trained as if it were ``raw``: what is cut off has no gradient and could never come back."""
    return raw + (limited - raw).detach() if training else limited


def blend(images: Tensor, output: SetOutput) -> tuple[Tensor, Tensor]:
    """Luminance B×N×H×W and the network's answer at the same size → the picture B×1×H×W, and what gains added to it.

    Nowhere darker than all sources are around a pixel: the detail of one source on the brightness of another would
    draw black rims.
    """
    b, n, h, w = images.shape
    pyramid = laplacian(images.reshape(b * n, 1, h, w), LEVELS)
    levels, added = [], []
    for level, flat in enumerate(pyramid):
        band = flat.reshape(b, n, *flat.shape[-2:])
        levels.append((output.shares[level] * band).sum(1, keepdim=True))
        if level < GAINED:
            added.append((output.gains[level] * band).sum(1, keepdim=True))
            levels[-1] = levels[-1] + added[-1]
    plain = (output.shares[0] * images).sum(1, keepdim=True)
    direct = F.interpolate(output.direct, size=(h, w), mode="bilinear", align_corners=False)
    darkest = -F.max_pool2d(-images.amin(1, keepdim=True), 3, stride=1, padding=1)
    residual = added[0]
    for extra in added[1:]:
        residual = residual + F.interpolate(extra, size=(h, w), mode="bilinear", align_corners=False)
    fused = collapse(levels)
    fused = fused + direct * (plain - fused)
    return torch.maximum(fused, darkest), residual * (1 - direct)


NETWORK = TitaLite

"""tita-lite: TITA's modules on tokens of 4×4 pixels, and a head that blends the sources instead of painting.

A full-resolution token costs 3.4 MFLOP a pixel, a 24-megapixel photograph ten minutes. Here one token stands for 4×4
pixels (pixel-unshuffle in front, pixel-shuffle behind), and detail comes from the sources themselves:

    fused = g·A + (1 − g)·B + ρ,        ρ = Σ_k α_k·D_k(A) + β_k·D_k(B)

``g`` is the share of A, ``D_k`` the k-th detail band of an à-trous pyramid (Starck & Murtagh), α and β small numbers
at every pixel. The bands let the result keep the texture of the source that it does not show, which a blend cannot. A
small MLP beside OAF's steers the head. It sees the same pooled features and the ``statistics`` of both images: which of
two frames is better exposed is a matter of the whole image, and so is whether they differ in more than sharpness. It
also says how much a pixel's gate trusts the region vote, and how much of ρ there is: a focus pair is decided by region
and shows its sources as they are, an infrared pair is blended pixel by pixel. No pixel is darker than the darkest of
both sources around it: detail of a hot target on the brightness of a dark street would draw a black rim. And salient
parts of B, a warm figure in the infrared image, keep about two thirds of their brightness at least, as far as another
MLP on the statistics says (``saliency``).

The functions of its own that have no parameters run outside the graph in the runtime: ``tita_lite_filters``.
"""

from __future__ import annotations

import math
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tita_cli.network.config import NetworkConfig
from tita_cli.network.layout import FusionOutput
from tita_cli.network.pair import SLOPE, PairNetwork
from tita_cli.network.saliency import lift, saliency
from tita_cli.network.spec import WEIGHTS, WINDOW
from tita_cli.network.statistics import STATISTICS, image_statistics
from tita_cli.network.swin import Mlp
from tita_cli.network.tita_lite_filters import BANDS, NOISE, STRETCH, TOKEN, TRUST, UNDECIDED, VOTE_REACH, VOTE_SIGMA

UPSAMPLED = 12
"""Channels that the tokens hand to every pixel."""
HIDDEN = 24
"""Channels of the head's hidden layer."""
FORGET = 0.5
"""How often, in training, the steering MLP sees the statistics alone."""
DEAD_ZONE = 0.05
"""Coefficients smaller than this are exactly 0: where one source is good as it is, it stays untouched."""


class DetailBands(nn.Module):
    """À-trous detail bands: differences of ever wider binomial blurs, 2, 4, 8 and 16 pixels apart.

    Reaches 30 pixels, and with :meth:`activity` 46.
    """

    kernel: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("kernel", torch.tensor([1.0, 4.0, 6.0, 4.0, 1.0]) / 16, persistent=False)

    def forward(self, image: Tensor, count: int = BANDS) -> Tensor:
        """B×1×H×W → B×count×H×W, fine to coarse."""
        bands = []
        for k in range(count):
            blurred = self._blur(image, 2**k)
            bands.append(image - blurred)
            image = blurred
        return torch.cat(bands, 1)

    def activity(self, bands_a: Tensor, bands_b: Tensor) -> Tensor:
        """Which source has the stronger detail around a pixel, in −1..1 for each band: B×K×H×W, 1 where it is A's.

        What focus measures and choose-maximum rules of multi-scale fusion look at; the head need not learn to square.
        """
        shares = []
        for k in range(BANDS):
            a, b = (self._blur(bands[:, k : k + 1].abs(), 2**k) for bands in (bands_a, bands_b))
            shares.append((a - b) / (a + b + NOISE))
        return torch.cat(shares, 1)

    def contrast(self, image: Tensor) -> Tensor:
        """How strong the detail of an image is in every token, B×K×H/4×W/4: log2(1 + mean |D_k| / noise).

        A logarithm, so that a difference of two tells a sharp source from a blurred one at any contrast. The coarser
        half of the bands is taken from the tokens' means. Reaches 6 tokens.
        """
        tokens = F.avg_pool2d(image, TOKEN)
        fine = F.avg_pool2d(self(image, BANDS // 2).abs(), TOKEN)
        coarse = self(tokens, BANDS // 2).abs()
        return torch.log2(1 + torch.cat((fine, coarse), 1) / NOISE) / 4

    def _blur(self, image: Tensor, step: int) -> Tensor:
        kernel = self.kernel.to(image.dtype)
        padded = F.pad(image, (2 * step,) * 4, mode="replicate")
        rows = F.conv2d(padded, kernel.reshape(1, 1, 5, 1), dilation=(step, 1))
        return F.conv2d(rows, kernel.reshape(1, 1, 1, 5), dilation=(1, step))


class RegionVote(nn.Module):
    """Which source a whole region is taken from: every pixel's gate is a vote, and the votes around it are counted.

    What is in focus is a matter of regions, but a flat patch of wall tells nothing of it: decided pixel by pixel, the
    gate of a focus pair is full of specks. So the outcome at a place is the mean of the votes around it, weighted by
    how decided each is (normalised convolution: Knutsson & Westin, CVPR 1993): pixels that cannot tell get their
    neighbours' outcome. Counted on tokens of 4×4 pixels, which is enough for a mean over some 20.
    """

    kernel: Tensor

    def __init__(self) -> None:
        super().__init__()
        kernel = [math.exp(-0.5 * (i / VOTE_SIGMA) ** 2) for i in range(-VOTE_REACH, VOTE_REACH + 1)]
        self.register_buffer("kernel", torch.tensor([k / sum(kernel) for k in kernel]), persistent=False)

    def forward(self, logits: Tensor) -> Tensor:
        """Logits of a gate, B×1×H×W → the outcome around every pixel, B×1×H×W in −1..1; no votes beyond the edge."""
        vote = torch.tanh(logits / 2)
        votes = F.avg_pool2d(torch.cat((vote, vote.abs()), 1), TOKEN)
        kernel = self.kernel.to(votes.dtype).reshape(1, 1, -1, 1)
        flat = votes.reshape(-1, 1, *votes.shape[-2:])
        flat = F.conv2d(flat, kernel, padding=(VOTE_REACH, 0))
        flat = F.conv2d(flat, kernel.transpose(2, 3), padding=(0, VOTE_REACH))
        counted = flat.reshape(votes.shape)
        outcome = counted[:, :1] / (counted[:, 1:] + UNDECIDED)
        return F.interpolate(outcome, scale_factor=float(TOKEN), mode="bilinear", align_corners=False)


class TitaLite(PairNetwork):
    """The light variant; ``NetworkConfig.from_name("tita-lite")`` is the shipped size.

    Its guidance: OAF's weights, what is added to the head's hidden layer, the weight of saliency, the trust in the
    region vote, the share of ρ.
    """

    sizes = {"dim": 48, "extract": 2, "fuse": (4,), "reconstruct": 2, "drop_path": 0.0}  # noqa: RUF012
    token = TOKEN
    declared = {  # noqa: RUF012
        "shallow_reach": 8,
        "head_reach": 2,
        "guidance": WEIGHTS + HIDDEN + 3,
        "planes": ("fused", "gate"),
        "filters": "tita_lite",
        "head_planes": 200,
    }

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__(config)
        c = config.dim
        self.shallow1 = nn.Conv2d(TOKEN * TOKEN + BANDS, c, 3, padding=1)
        self.shallow2 = nn.Conv2d(c, c, 3, padding=1)
        self.to_pixels = nn.Conv2d(c, UPSAMPLED * TOKEN * TOKEN, 1)
        self.bands = DetailBands()
        self.head1 = nn.Conv2d(UPSAMPLED + 2 + 3 * BANDS, HIDDEN, 3, padding=1)
        self.head2 = nn.Conv2d(HIDDEN, 1 + 2 * BANDS, 3, padding=1)
        self.steer = Mlp(2 * c + STATISTICS, c, HIDDEN + 2)
        self.saliency_mlp = Mlp(STATISTICS, HIDDEN, 1)
        self.region_vote = RegionVote()
        self.forget = FORGET
        with torch.no_grad():
            self.steer.fc2.bias[-1] = 3.0  # training begins with all of ρ
            self.saliency_mlp.fc2.bias.zero_()  # and with half of the saliency's weight: with none, nothing is learnt

    def before_encoder(self, image: Tensor) -> tuple[Tensor, ...]:
        return (self.bands.contrast(image),)

    def shallow(self, image: Tensor, *before: Tensor) -> Tensor:
        x = torch.cat((F.pixel_unshuffle(image, TOKEN), *before), 1)
        x = F.leaky_relu(self.shallow1(x), SLOPE)
        return F.leaky_relu(self.shallow2(x), SLOPE)

    def statistics(self, a: Tensor, b: Tensor) -> Tensor:
        return image_statistics(a, b, TOKEN * WINDOW)

    def weigh(self, pooled: Tensor) -> Tensor:
        features, statistics = pooled.tensor_split((2 * self.config.dim,), 1)
        seen = features
        if self.training and self.steer.fc1.weight.requires_grad:
            # The statistics must do without them: features of scenes unlike the training data mislead.
            seen = features * (torch.rand_like(features[:, :1]) >= self.forget)
        statistics = 8 * statistics - 2
        steering, trust, keep = self.steer(torch.cat((seen, statistics), 1)).tensor_split((-2, -1), 1)
        weight = self._saturating(self.saliency_mlp(statistics))
        return torch.cat((self.oaf.weigh(features), steering, weight, trust, self._saturating(keep)), 1)

    def before_head(self, a: Tensor, b: Tensor) -> tuple[Tensor, ...]:
        bands = self.bands(a), self.bands(b)
        return torch.cat(bands, 1), self.bands.activity(*bands)

    def head(self, a: Tensor, b: Tensor, before: tuple[Tensor, ...], z: Tensor, guidance: Tensor) -> tuple[Tensor, ...]:
        """→ every pixel's own logit of the gate, and ρ."""
        bands, activity = before
        steering, keep = guidance[:, WEIGHTS:-3, None, None], guidance[:, -1:, None, None]
        pixels = F.pixel_shuffle(self.to_pixels(z), TOKEN)
        h = F.leaky_relu(self.head1(torch.cat((pixels, a, b, 4 * bands, activity), 1)) + steering, SLOPE)
        logits, coefficients = self.head2(h).split((1, 2 * BANDS), 1)
        coefficients = self._pass_through(coefficients, F.softshrink(coefficients, DEAD_ZONE))
        return logits, keep * (coefficients * bands).sum(1, keepdim=True)

    def after_head(self, a: Tensor, b: Tensor, planes: tuple[Tensor, ...], guidance: Tensor) -> FusionOutput:
        logits, residual = planes
        return self.blend(a, b, logits, residual, self.region_vote(logits), guidance)

    def blend(
        self, a: Tensor, b: Tensor, logits: Tensor, residual: Tensor, region: Tensor, guidance: Tensor
    ) -> FusionOutput:
        """What :meth:`head` gave and the outcome of the vote on it → the result, not finished."""
        logits = logits + TRUST * guidance[:, -2:-1, None, None] * region
        gate = self._saturating(logits)
        fused = torch.maximum(b + gate * (a - b) + residual, darkest(a, b))
        return FusionOutput(fused, guidance[:, :WEIGHTS], gate, residual, logits, region)

    def finish(self, a: Tensor, b: Tensor, out: FusionOutput, guidance: Tensor) -> FusionOutput:
        """Lift salient parts of B."""
        gate, weight = cast(Tensor, out.gate), guidance[:, -3:-2]
        lifted = lift(gate, saliency(a, b), weight[..., None, None])
        return out._replace(fused=out.fused + (lifted - gate) * (a - b), gate=lifted, saliency_weight=weight)

    def _saturating(self, logits: Tensor) -> Tensor:
        """A sigmoid that reaches 0 and 1."""
        stretched = STRETCH * (torch.sigmoid(logits) - 0.5) + 0.5
        return self._pass_through(stretched, stretched.clamp(0, 1))

    def _pass_through(self, raw: Tensor, limited: Tensor) -> Tensor:
        """``limited``, but trained as if it were ``raw``: what is cut off has no gradient and could never come back."""
        return raw + (limited - raw).detach() if self.training else limited


def darkest(a: Tensor, b: Tensor) -> Tensor:
    """The darkest of both sources in the 3×3 pixels around each: no pixel of the result is darker."""
    return -F.max_pool2d(-torch.minimum(a, b), 3, stride=1, padding=1)


NETWORK = TitaLite

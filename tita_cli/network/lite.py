"""tita-lite: TITA's modules on tokens of 4×4 pixels, and a head that blends the sources instead of painting.

A full-resolution token costs 3.4 MFLOP a pixel, a 24-megapixel photograph ten minutes. Here one token stands for 4×4
pixels (pixel-unshuffle in front, pixel-shuffle behind), and detail comes from the sources themselves:

    fused = g·A + (1 − g)·B + ρ,        ρ = Σ_k α_k·D_k(A) + β_k·D_k(B)

``g`` is the share of A, ``D_k`` the k-th detail band of an à-trous pyramid (Starck & Murtagh), α and β small numbers
at every pixel. The bands let a picture keep the texture of the source that it does not show, which a blend cannot. A
small MLP beside OAF's steers the head. It sees the same pooled features and the ``tones`` of both luminances: which of
two frames is better exposed is a matter of the whole image, and so is whether they differ in more than sharpness. It
also says how much a pixel's gate trusts the outcome of its neighbourhood's vote (``region``), and how much of ρ there
is: a focus pair is decided by region and shows its sources as they are, an infrared pair is blended pixel by pixel.
No pixel is darker than the darkest of both sources around it: detail of a hot target on the brightness of a dark street
would draw a black rim. And what is salient in B, a warm figure in the infrared image, has about two thirds of
its brightness at least, as far as another MLP on the tones heeds it (``salience``).
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from tita_cli.network.config import TONES, NetworkConfig
from tita_cli.network.layout import FusionOutput
from tita_cli.network.region import REACH, Region
from tita_cli.network.salience import lift, salience
from tita_cli.network.swin import Mlp
from tita_cli.network.tita import SLOPE, Backbone, fuse_padded

PATCH = 4
BANDS = 4
STRETCH = 1.5
"""The sigmoid of the gate is stretched about 0.5 and cut to 0..1, so that it can take a source outright: a plain one
leaves a tenth of the blurred picture of a focus pair in the result."""
NOISE = 0.004
"""Detail of this size, one of 255 levels, is none: it keeps :meth:`DetailBands.activity` calm in flat places."""
TRUST = 8.0
"""Unit of the trust in a region's outcome: at 1, what is undisputed there decides all but very sure pixels."""
FORGET = 0.5
"""How often, in training, the steering MLP sees tones alone."""
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
        tokens = F.avg_pool2d(image, PATCH)
        fine = F.avg_pool2d(self(image, BANDS // 2).abs(), PATCH)
        coarse = self(tokens, BANDS // 2).abs()
        return torch.log2(1 + torch.cat((fine, coarse), 1) / NOISE) / 4

    def _blur(self, image: Tensor, step: int) -> Tensor:
        kernel = self.kernel.to(image.dtype)
        padded = F.pad(image, (2 * step,) * 4, mode="replicate")
        rows = F.conv2d(padded, kernel.reshape(1, 1, 5, 1), dilation=(step, 1))
        return F.conv2d(rows, kernel.reshape(1, 1, 1, 5), dilation=(1, step))


class TitaLite(Backbone):
    """The light variant; ``NetworkConfig.from_name("tita-lite")`` is the shipped size."""

    multiple = 8 * PATCH
    """Sides are padded to a multiple of this: one window of tokens."""
    shallow_reach = 32
    """Pixels that the shallow features see to each side: two convolutions of tokens and their contrast."""
    head_reach = 48
    """Pixels that the head sees to each side: the bands, their activity and two convolutions."""
    paint_reach = head_reach + (REACH + 1) * PATCH
    """The same with the vote of its gate and what is interpolated between tokens."""
    lift_reach = 8
    blend_reach = 2
    """Of these, what the convolutions see."""
    upsampled = 12
    """Channels that the tokens hand to every pixel."""
    hidden = 24
    guidance = 6 + hidden + 3
    """OAF's weights, what is added to the head's hidden layer, how far what is salient in B is heeded, the trust in the
    region, the share of ρ."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__(config)
        c, up = config.dim, self.upsampled
        self.shallow1 = nn.Conv2d(PATCH * PATCH + BANDS, c, 3, padding=1)
        self.shallow2 = nn.Conv2d(c, c, 3, padding=1)
        self.to_pixels = nn.Conv2d(c, up * PATCH * PATCH, 1)
        self.bands = DetailBands()
        self.head1 = nn.Conv2d(up + 2 + 3 * BANDS, self.hidden, 3, padding=1)
        self.head2 = nn.Conv2d(self.hidden, 1 + 2 * BANDS, 3, padding=1)
        self.steer = Mlp(2 * c + TONES, c, self.hidden + 2)
        self.heed = Mlp(TONES, self.hidden, 1)
        self.region = Region(PATCH)
        self.forget = FORGET
        with torch.no_grad():
            self.steer.fc2.bias[-1] = 3.0  # training begins with all of ρ
            self.heed.fc2.bias.zero_()  # and with half of what there is to heed: with none, nothing would be learnt

    def shallow(self, image: Tensor) -> Tensor:
        """Luminance B×1×H×W → shallow features B×C×H/4×W/4."""
        return self.lift(image, self.bands.contrast(image))

    def lift(self, image: Tensor, contrast: Tensor) -> Tensor:
        """:meth:`shallow`, given the image's contrast."""
        seen = torch.cat((F.pixel_unshuffle(image, PATCH), contrast), 1)
        x = F.leaky_relu(self.shallow1(seen), SLOPE)
        return F.leaky_relu(self.shallow2(x), SLOPE)

    def encode(self, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
        """Padded luminance B×1×H×W → the features that OAF pools and merges, B×C×H/4×W/4."""
        return self.interact(self.shallow(a), self.shallow(b))

    def weigh(self, pooled: Tensor) -> Tensor:
        """B×(2C + 7) → OAF's six weights and what steers head and gate, B×(6 + 24 + 3)."""
        features, seen = pooled.tensor_split((2 * self.config.dim,), 1)
        shown = features
        if self.training and self.steer.fc1.weight.requires_grad:
            # The tones must do without them: features of scenes like none in the data mislead.
            shown = features * (torch.rand_like(features[:, :1]) >= self.forget)
        seen = 8 * seen - 2
        steering, trust, keep = self.steer(torch.cat((shown, seen), 1)).tensor_split((-2, -1), 1)
        heed = self._saturating(self.heed(seen))
        return torch.cat((self.oaf.weigh(features), steering, heed, trust, self._saturating(keep)), 1)

    def decode(self, a: Tensor, b: Tensor, x: Tensor, y: Tensor, guidance: Tensor) -> FusionOutput:
        """Sources, features and guidance → the picture, its gate and residual."""
        return self.paint(a, b, self.reconstruct(x, y, guidance), guidance)

    def paint(self, a: Tensor, b: Tensor, z: Tensor, guidance: Tensor) -> FusionOutput:
        """The layers behind the reconstructor, at full resolution."""
        bands = self.bands(a), self.bands(b)
        logits, residual = self.head(a, b, z, torch.cat(bands, 1), self.bands.activity(*bands), guidance)
        return self.blend(a, b, logits, residual, self.region(logits), guidance)

    def head(
        self, a: Tensor, b: Tensor, z: Tensor, bands: Tensor, activity: Tensor, guidance: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Sources, features, the sources' bands and their activity → every pixel's own logit of the gate, and ρ."""
        steering, keep = guidance[:, 6:-3, None, None], guidance[:, -1:, None, None]
        pixels = F.pixel_shuffle(self.to_pixels(z), PATCH)
        seen = torch.cat((pixels, a, b, 4 * bands, activity), 1)
        h = F.leaky_relu(self.head1(seen) + steering, SLOPE)
        logits, coefficients = self.head2(h).split((1, 2 * BANDS), 1)
        coefficients = self._pass_through(coefficients, F.softshrink(coefficients, DEAD_ZONE))
        return logits, keep * (coefficients * bands).sum(1, keepdim=True)

    def blend(
        self, a: Tensor, b: Tensor, logits: Tensor, residual: Tensor, region: Tensor, guidance: Tensor
    ) -> FusionOutput:
        """What :meth:`head` gave and the outcome of its vote → the picture."""
        logits = logits + TRUST * guidance[:, -2:-1, None, None] * region
        gate = self._saturating(logits)
        fused = torch.maximum(b + gate * (a - b) + residual, darkest(a, b))
        return FusionOutput(fused, guidance[:, :6], gate, residual, logits, region)

    def finish(self, a: Tensor, b: Tensor, out: FusionOutput, guidance: Tensor) -> FusionOutput:
        """The picture of the sources as they were before padding, with what is salient in B lifted."""
        gate, heed = cast(Tensor, out.gate), guidance[:, -3:-2]
        lifted = lift(gate, salience(a, b), heed[..., None, None])
        return out._replace(fused=out.fused + (lifted - gate) * (a - b), gate=lifted, heed=heed)

    def _saturating(self, logits: Tensor) -> Tensor:
        """A sigmoid that reaches 0 and 1."""
        stretched = STRETCH * (torch.sigmoid(logits) - 0.5) + 0.5
        return self._pass_through(stretched, stretched.clamp(0, 1))

    def _pass_through(self, raw: Tensor, limited: Tensor) -> Tensor:
        """``limited``, but trained as if it were ``raw``: what is cut off has no gradient and could never come back."""
        return raw + (limited - raw).detach() if self.training else limited

    def forward(self, a: Tensor, b: Tensor) -> FusionOutput:
        """Luminance of both sources, B×1×H×W in 0..1, any H, W ≥ 1."""
        return fuse_padded(self, a, b)


def darkest(a: Tensor, b: Tensor) -> Tensor:
    """The darkest of both sources in the 3×3 pixels around each: the picture's floor."""
    return -F.max_pool2d(-torch.minimum(a, b), 3, stride=1, padding=1)

"""TITA (Hu et al., ICCV 2025, arXiv 2504.05164), one token a pixel.

It behaves as the authors' published implementation does, including what the paper's prose leaves out: one LayerNorm,
the patch norm, serves on entering every stage.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from tita_cli.network.config import NetworkConfig
from tita_cli.network.pair import SLOPE, PairNetwork


class Tita(PairNetwork):
    """TITA in any size; the paper's is ``NetworkConfig.from_name("tita")``. It paints from features alone."""

    declared = {"shallow_reach": 2, "head_reach": 3}  # noqa: RUF012
    paints = True

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__(config)
        c = config.dim
        self.shallow1 = nn.Conv2d(1, c // 2, 3, padding=1)
        self.shallow2 = nn.Conv2d(c // 2, c, 3, padding=1)
        self.last1 = nn.Conv2d(c, c // 2, 3, padding=1)
        self.last2 = nn.Conv2d(c // 2, c // 4, 3, padding=1)
        self.last3 = nn.Conv2d(c // 4, 1, 3, padding=1)

    def shallow(self, image: Tensor, *before: Tensor) -> Tensor:
        x = F.leaky_relu(self.shallow1(image), SLOPE)
        return F.leaky_relu(self.shallow2(x), SLOPE)

    def head(self, a: Tensor, b: Tensor, before: tuple[Tensor, ...], z: Tensor, guidance: Tensor) -> tuple[Tensor, ...]:
        z = F.leaky_relu(self.last1(z), SLOPE)
        z = F.leaky_relu(self.last2(z), SLOPE)
        return (self.last3(z),)


NETWORK = Tita

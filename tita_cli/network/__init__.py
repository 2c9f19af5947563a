"""The networks, written so that a reader who has the paper open finds every symbol."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tita_cli.network.config import NetworkConfig

if TYPE_CHECKING:
    from tita_cli.network.lite import TitaLite
    from tita_cli.network.tita import Tita

__all__ = ["NetworkConfig", "build_network"]


def build_network(config: NetworkConfig) -> Tita | TitaLite:
    """A freshly initialised network, in training mode, on the CPU."""
    from tita_cli.network.lite import TitaLite
    from tita_cli.network.tita import Tita

    return TitaLite(config) if config.variant == "tita-lite" else Tita(config)

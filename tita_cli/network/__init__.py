"""The networks, written so that a reader who has the paper open finds every symbol.

A variant is one file, ``tita….py``, with a subclass of ``pair.PairNetwork`` that it names ``NETWORK``.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from tita_cli.errors import ModelError
from tita_cli.network.config import NetworkConfig, variants

if TYPE_CHECKING:
    from tita_cli.network.pair import PairNetwork

__all__ = ["NetworkConfig", "build_network", "network_class", "pair_variants", "variants"]


def network_class(variant: str) -> type[PairNetwork]:
    """The class of a variant. Raises ``ModelError`` for one that there is not."""
    if variant not in variants():
        raise ModelError(f"unknown network variant {variant!r}", hint=f"known: {', '.join(variants())}")
    found: type[PairNetwork] = import_module(f"tita_cli.network.{variant.replace('-', '_')}").NETWORK
    return found


def pair_variants() -> tuple[str, ...]:
    """Of all variants, those that take two images."""
    from tita_cli.network.pair import PairNetwork

    return tuple(variant for variant in variants() if issubclass(network_class(variant), PairNetwork))


def build_network(config: NetworkConfig) -> PairNetwork:
    """A freshly initialised network, in training mode, on the CPU."""
    return network_class(config.variant)(config)

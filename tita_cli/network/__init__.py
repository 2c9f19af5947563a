"""The networks, written so that a reader who has the paper open finds every symbol.

A variant is one file, ``tita….py``, with a module that it names ``NETWORK``. It has ``kind``, "pair" or "set",
``sizes``, what its configuration has instead of :class:`NetworkConfig`'s defaults, and ``spec``, what it declares of
itself.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from tita_cli.errors import ModelError
from tita_cli.network.config import NetworkConfig, variants

if TYPE_CHECKING:
    from torch import nn

__all__ = ["NetworkConfig", "build_network", "count_parameters", "network_class", "variants"]


def network_class(variant: str) -> Any:
    """The class of a variant. Raises ``ModelError`` for one that there is not."""
    if variant not in variants():
        raise ModelError(f"unknown network variant {variant!r}", hint=f"known: {', '.join(variants())}")
    return import_module(f"tita_cli.network.{variant.replace('-', '_')}").NETWORK


def build_network(config: NetworkConfig) -> Any:
    """A freshly initialised network, in training mode, on the CPU."""
    return network_class(config.variant)(config)


def count_parameters(network: nn.Module) -> int:
    """Learned numbers in a network."""
    return sum(p.numel() for p in network.parameters())

"""Run a network on luminance of any size: which back end, which device, which tiles fit the memory."""

from __future__ import annotations

from tita_cli.runtime.engine import Engine, Luminance, load_engine

__all__ = ["Engine", "Luminance", "load_engine"]

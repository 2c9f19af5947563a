"""Run a network on luminance of any size: which back end, which device, which tiles fit the memory."""

from __future__ import annotations

from tita_cli.runtime.engine import AnyEngine, Engine, Luminance, load_engine
from tita_cli.runtime.set_engine import SetEngine

__all__ = ["AnyEngine", "Engine", "Luminance", "SetEngine", "load_engine"]

"""Run a network on luminance of any size: which back end, which device, how it is cut to fit the memory."""

from __future__ import annotations

from tita_cli.engine.engine import Engine, Luminance, load_engine
from tita_cli.engine.models import find_model, shipped_models

__all__ = ["Engine", "Luminance", "find_model", "load_engine", "shipped_models"]

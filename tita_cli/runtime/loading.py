"""Load a network in a thread of its own while something else is done."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tita_cli.runtime.engine import AnyEngine, load_engine


def load_ahead(model: str, **settings: Any) -> Callable[[], AnyEngine]:
    """Begin to load ``model`` with what :func:`tita_cli.runtime.load_engine` takes.

    Returns what waits for the engine, and raises what loading it raised.
    """
    return ThreadPoolExecutor(1, "tita-load").submit(load_engine, model, **settings).result

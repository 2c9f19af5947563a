"""Load a network in a thread of its own while something else is done."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tita_cli.models.find import find_model, shipped_models
from tita_cli.runtime.device import ask_driver
from tita_cli.runtime.engine import AnyEngine, load_engine


def load_ahead(model: str, **settings: Any) -> Callable[[], AnyEngine]:
    """Begin to load ``model`` with what :func:`tita_cli.runtime.load_engine` takes.

    Returns what waits for the engine, and raises what loading it raised. Where there is no such model, ModelError is
    raised at once, before anybody reads pictures, and DeviceError where a GPU is asked for and there is none.
    """
    if model not in shipped_models():
        find_model(model)
    loading = ThreadPoolExecutor(1, "tita-load").submit(load_engine, model, **settings)
    if settings.get("device", "auto").startswith("cuda") and ask_driver().problem:
        loading.result()
    return loading.result

"""ONNX Runtime, loaded in one place: its telemetry off before it starts, and a sentence where it cannot be loaded."""

from __future__ import annotations

import os
from functools import cache
from types import ModuleType

from tita_cli.errors import DeviceError, explained, first_line, is_short_of_memory

SWITCH = "ORT_DISABLE_TELEMETRY"
SILENT = 4
"""Severity of what ONNX Runtime logs: nothing but what ends the process. What matters is raised."""


@cache
def load() -> ModuleType:
    """The module ``onnxruntime``. Raises ``DeviceError`` where it is missing or broken.

    Official builds record every session in a database in the user's cache, to be sent. The variable keeps them from
    opening it; the call comes too late for that, and is for builds that do not know the variable.
    """
    os.environ[SWITCH] = "1"
    try:
        import onnxruntime

        switch = getattr(onnxruntime, "disable_telemetry_events", None)
        if switch is not None:
            switch()
        onnxruntime.set_default_logger_severity(SILENT)
    except Exception as error:  # a broken installation raises anything
        if is_short_of_memory(error):
            raise explained(error) or error from error
        raise DeviceError(
            f"ONNX Runtime cannot be loaded: {first_line(error)}",
            hint="pip install --force-reinstall onnxruntime, or `backend` torch",
        ) from error
    return onnxruntime  # type: ignore[no-any-return]


def telemetry_is_off() -> bool:
    """Whether ONNX Runtime was told, before it was loaded, to record nothing."""
    return os.environ.get(SWITCH) == "1"

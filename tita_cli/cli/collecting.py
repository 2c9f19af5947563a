"""Python's collector of garbage, off while modules are imported: it would walk over what they hold and free nothing."""

from __future__ import annotations

import gc


def pause() -> None:
    """To be called by a process that is the program, before anything is imported."""
    gc.disable()


def go_on() -> None:
    """Collect again, but never what was imported meanwhile. Does nothing unless it was paused."""
    if not gc.isenabled():
        gc.freeze()
        gc.enable()

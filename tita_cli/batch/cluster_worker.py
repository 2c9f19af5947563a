"""A worker of a cluster: one loaded network, for a few tasks at a time."""

from __future__ import annotations

import platform
import tempfile
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

from tita_cli.batch.fuser import ApiFuser
from tita_cli.batch.record import Record
from tita_cli.batch.resume import Task
from tita_cli.batch.work import Work
from tita_cli.errors import ModelError


class Worker:
    """Reads and writes in the threads that call it, and fuses one picture at a time.

    ``model``: name and content of a model file that is not on this machine; None where the package has it.
    """

    def __init__(self, work: Work, model: tuple[str, bytes] | None = None) -> None:
        self._work = work
        if model is not None:
            self._folder = tempfile.TemporaryDirectory(prefix="tita-", ignore_cleanup_errors=True)
            path = Path(self._folder.name, model[0])
            path.write_bytes(model[1])
            if isinstance(work.fuser, ApiFuser):
                self._work = replace(work, fuser=work.fuser.with_model(str(path)))
        self._turn = threading.Lock()

    def open(self) -> dict[str, Any]:
        """Load the network, and say what this machine is. Raises ModelError, DeviceError."""
        fuser = self._work.fuser
        if isinstance(fuser, ApiFuser) and fuser.model_hash() != self._work.recipe.model:
            raise ModelError(f"{platform.node()}: its model is another than here", hint="install the same tita there")
        self._fuse = self._work.open_lane()
        return {"host": platform.node(), "python": platform.python_version()}

    def do(self, task: Task) -> Record:
        """The record of ``task``, which is done or has failed."""
        try:
            passed = self._work.decode(task)
            with self._turn:
                passed = self._fuse(task, passed)
            return {**self._work.encode(task, passed), "host": platform.node()}
        except Exception as error:
            return {**self._work.failure(task, error), "host": platform.node()}

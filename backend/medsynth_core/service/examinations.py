"""What the doctor looks at: a process each, a few at a time, kept until newer ones come or the service ends.

Everything here runs in the service's event loop, so there is no lock.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import shutil
import time
import uuid
from collections.abc import Iterable
from dataclasses import replace

from medsynth_core.errors import NotFoundError
from medsynth_core.protocol import EngineInfo
from medsynth_core.protocol_training import Examination, TrainingRequest, TrainingState
from medsynth_core.service.child_process import Child
from medsynth_core.service.config import ServiceConfig
from medsynth_core.service.examination_folder import ExaminationFolder
from medsynth_core.service.problems import RefusedError
from medsynth_core.service.training_intake import check_data

LOG = logging.getLogger(__name__)
MOST_AT_ONCE, MOST_KEPT = 3, 10
LEAVE_SECONDS = 1.0


class Examinations:
    """All that was looked at since the service started, newest last."""

    def __init__(self, config: ServiceConfig) -> None:
        self._config = config
        self._root = config.home / "doctor"
        self._kept: list[str] = []
        self._children: dict[str, Child] = {}

    def start(self) -> None:
        """Forget what an earlier service looked at: the folders may have changed since."""
        shutil.rmtree(self._root, ignore_errors=True)
        self._root.mkdir(mode=0o700, exist_ok=True)

    async def stop(self) -> None:
        """End all processes."""
        children, self._children = tuple(self._children.values()), {}
        await asyncio.gather(*(asyncio.to_thread(child.leave, LEAVE_SECONDS) for child in children))

    def watch(self) -> None:
        """End a look that takes too long; called about once a second."""
        for child in tuple(self._children.values()):
            if time.time() - child.started > self._config.doctor_seconds:
                child.kill()

    def submit(self, request: TrainingRequest, engines: Iterable[EngineInfo]) -> Examination:
        """Begin a look. Raises what is wrong with the request, RefusedError (409) when there are too many."""
        check_data(request, engines)
        if len(self._children) >= MOST_AT_ONCE:
            raise RefusedError(409, f"{MOST_AT_ONCE} folders are being looked at: wait for one of them, or dismiss it")
        folder = ExaminationFolder(self._root / uuid.uuid4().hex)
        begun = folder.begin(request)
        self._kept.append(folder.id)
        self._children[folder.id] = Child("examine", folder.path, functools.partial(self._on_end, folder))
        LOG.info("examination %s: process %s", folder.id, self._children[folder.id].pid)
        while len(self._kept) > MOST_KEPT and self._kept[0] not in self._children:
            shutil.rmtree(self._root / self._kept.pop(0), ignore_errors=True)
        return begun

    def get(self, examination: str) -> Examination:
        """Return how far it is, with the report when it is done. Raises NotFoundError."""
        return self._folder(examination).get()

    def thumbnail(self, examination: str, number: int) -> bytes:
        """Return one picture as PNG. Raises NotFoundError."""
        return self._folder(examination).thumbnail(number)

    def dismiss(self, examination: str) -> None:
        """End a look, and forget it. Raises NotFoundError."""
        folder = self._folder(examination)
        self._kept.remove(examination)
        if child := self._children.get(examination):
            child.kill()
        else:
            shutil.rmtree(folder.path, ignore_errors=True)

    def _on_end(self, folder: ExaminationFolder, status: int) -> None:
        if self._children.pop(folder.id, None) is None:
            return
        LOG.info("examination %s: its process ended with status %s", folder.id, status)
        if folder.id not in self._kept:
            shutil.rmtree(folder.path, ignore_errors=True)
        elif (there := folder.get()).state is TrainingState.RUNNING:
            sentence = f"the doctor's process ended with status {status}: try again; if it does so once more, report it"
            folder.set(replace(there, state=TrainingState.FAILED, error_code="worker_died", error=sentence))

    def _folder(self, examination: str) -> ExaminationFolder:
        if examination not in self._kept:
            raise NotFoundError("this examination is no longer kept: let the doctor look again")
        return ExaminationFolder(self._root / examination)

"""Trainings: their queue, the process of the one that runs, and what becomes of it when that ends.

    queued → running → done | stopped | failed
      ↑        │  ↘ paused → queued
      └────────┘ process died

One runs at a time, beside the jobs. Everything here runs in the service's event loop, so there is no lock; what is known of a
training is written to its folder before anybody hears of it, so a service that was killed lets it go on at its next start.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import replace

from medsynth_core.errors import InputError, MedSynthError, NotFoundError
from medsynth_core.models import registry
from medsynth_core.protocol import EngineInfo, ModelCard, ModelInfo
from medsynth_core.protocol_training import TrainingInfo, TrainingLine, TrainingRequest, TrainingState
from medsynth_core.service.child_process import EXIT_FAILED, Child
from medsynth_core.service.config import ServiceConfig
from medsynth_core.service.problems import RefusedError
from medsynth_core.service.training_folder import Said, Standing, TrainingFolder, folders_in
from medsynth_core.service.training_intake import check_data, check_names

LOG = logging.getLogger(__name__)
LEAVE_SECONDS = 12.0
"""A little more than the process itself takes at most, once its orders have ended."""
RETRIES_OF_DEFECTS = 1
FIRST_PAUSE, LONGEST_PAUSE = 0.2, 10.0
CLEAN = {"error_code": "", "error": "", "ended": None, "stuck": 0, "wanted": ""}


class Trainings:
    """All trainings of this user. `on_models(models)` hears of every model that was installed."""

    def __init__(self, config: ServiceConfig, on_models: Callable[[tuple[ModelInfo, ...]], None]) -> None:
        self._config = config
        self._root = config.home / "trainings"
        self._on_models = on_models
        self._queue: list[str] = []
        self._current = ""
        self._child: Child | None = None
        self._removing: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopping = False

    # Life

    def start(self) -> None:
        """Queue what an earlier service left unfinished, what ran before what waited, and go on with it."""
        self._root.mkdir(exist_ok=True, mode=0o700)
        left = [(folder, folder.standing()) for folder in folders_in(self._root)]
        for state in (TrainingState.RUNNING, TrainingState.QUEUED):
            self._queue += [folder.id for folder, standing in left if standing.state is state]
        self._next()

    async def stop(self) -> None:
        """End the process; what it did not finish goes on at the next start."""
        self._stopping = True
        if self._child is not None:
            await asyncio.to_thread(self._child.leave, LEAVE_SECONDS)

    def watch(self) -> None:
        """Kill a process that gives no sign of life; called about once a second."""
        if self._child is None:
            return
        silent = self._folder(self._current).silent_seconds(self._child.started)
        if silent > self._config.training_hang_seconds:
            LOG.warning("training %s: no sign of life for %.0f s", self._current, silent)
            self._child.kill()

    @property
    def idle(self) -> bool:
        """Whether no training runs or waits, and no model is being installed."""
        return not (self._current or self._queue or self._tasks)

    # What clients ask for

    def submit(
        self, request: TrainingRequest, key: str, engines: Iterable[EngineInfo], models: Iterable[ModelInfo]
    ) -> tuple[TrainingInfo, bool]:
        """Return (the training, whether it is new); the same key again gives the same. Raises what is wrong with the request."""
        folder = TrainingFolder(self._root / hashlib.sha256(key.encode()).hexdigest()[:32])
        if (folder.path / "state.json").is_file():
            if folder.request() != request:
                raise RefusedError(409, "this Idempotency-Key was used for another training: use a new key for a new one")
            return folder.info(), False
        check_data(request, engines)
        check_names(request, models, (one.request().model_id for one in folders_in(self._root) if not _installed(one)))
        folder.begin(request)
        self._queue.append(folder.id)
        LOG.info("training %s: accepted for %s", folder.id, request.engine)
        self._next()
        return folder.info(), True

    def all(self) -> tuple[TrainingInfo, ...]:
        """Return all trainings, newest first."""
        return tuple(folder.info() for folder in reversed(folders_in(self._root)))

    def get(self, training: str) -> TrainingInfo:
        """Return one. Raises NotFoundError."""
        return self._folder(training).info()

    def lines(self, training: str, after: int) -> tuple[TrainingLine, ...]:
        """Return the lines of its log after a step. Raises NotFoundError."""
        return self._folder(training).keeping.lines(after)

    def strip(self, training: str, step: int) -> bytes:
        """Return a strip of samples as PNG. Raises NotFoundError."""
        try:
            return self._folder(training).keeping.strip(step).read_bytes()
        except OSError:
            raise NotFoundError(f"this training has no strip of step {step}: see its `strips`") from None

    def pause(self, training: str) -> TrainingInfo:
        """Let a training rest: soon, with a checkpoint, when it runs. Raises RefusedError (409) when it has ended."""
        return self._want(training, "pause", TrainingState.PAUSED)

    def end(self, training: str) -> TrainingInfo:
        """End a training for good and keep what was best. Raises RefusedError (409) when it has ended."""
        return self._want(training, "stop", TrainingState.STOPPED)

    def resume(self, training: str) -> TrainingInfo:
        """Let a paused or failed training go on. Raises RefusedError (409) in any other state."""
        folder = self._folder(training)
        state = folder.standing().state
        if state not in (TrainingState.PAUSED, TrainingState.FAILED):
            raise RefusedError(409, f"the training is {state.value}: only a paused or failed one can go on")
        folder.change(state=TrainingState.QUEUED, **CLEAN)
        self._queue.append(training)
        self._next()
        return folder.info()

    async def remove(self, training: str) -> None:
        """Remove a training with all it has made but an installed model. Raises NotFoundError."""
        folder = self._folder(training)
        self._removing.add(training)
        if training in self._queue:
            self._queue.remove(training)
        if training == self._current and self._child is not None:
            self._child.kill()
            while training == self._current:
                await asyncio.sleep(0.02)
        elif training == self._current:
            self._free()
        await asyncio.to_thread(folder.remove)
        self._removing.discard(training)
        LOG.info("training %s: removed", training)

    # The queue

    def _next(self) -> None:
        if self._current or not self._queue or self._stopping:
            return
        self._current = self._queue.pop(0)
        self._spawn()

    def _spawn(self) -> None:
        folder = self._folder(self._current)
        folder.change(state=TrainingState.RUNNING)
        folder.say(replace(folder.said(), outcome=None, error_code="", error=""))
        try:
            self._child = Child("train", folder.path, self._on_end)
        except OSError:  # no memory for a process: that may pass
            asyncio.get_running_loop().call_soon(self._on_end, -1)
            return
        LOG.info("training %s: process %s", self._current, self._child.pid)
        if wanted := folder.standing().wanted:
            self._child.send(wanted)

    def _want(self, training: str, word: str, state: TrainingState) -> TrainingInfo:
        folder = self._folder(training)
        before = folder.standing().state
        if before.ended:
            raise RefusedError(409, f"the training is {before.value}: only one that has not ended can be told to {word}")
        if training == self._current:
            folder.change(wanted=word)
            if self._child is not None:
                self._child.send(word)
        elif before is not state:
            if training in self._queue:
                self._queue.remove(training)
            self._settle(folder, state)
        return folder.info()

    # What becomes of it

    def _on_end(self, status: int) -> None:
        training, self._child = self._current, None
        if self._stopping:
            return
        folder = self._folder(training)
        standing, said = folder.standing(), folder.said()
        LOG.info("training %s: its process ended with status %s", training, status)
        if training in self._removing:
            self._free()
        elif (outcome := said.outcome or _wanted(standing)) is not None:
            self._free()
            self._settle(folder, outcome, said)
        else:
            self._revive(folder, standing, said, status)

    def _free(self) -> None:
        self._current = ""
        self._next()

    def _revive(self, folder: TrainingFolder, standing: Standing, said: Said, status: int) -> None:
        """Start the process of a training again, unless that was in vain too often."""
        stuck = 0 if said.step > standing.furthest else standing.stuck + 1
        furthest = max(said.step, standing.furthest)
        if stuck > (RETRIES_OF_DEFECTS if status == EXIT_FAILED else self._config.training_retries):
            sentence = (
                f"the training's process died {stuck} times without getting beyond step {furthest} (status {status}): "
                "free some memory or choose a smaller batch, then let it go on"
            )
            folder.change(state=TrainingState.FAILED, error_code="worker_died", error=sentence, ended=time.time())
            self._free()
            return
        folder.change(retries=standing.retries + 1, furthest=furthest, stuck=stuck)
        pause = min(FIRST_PAUSE * 2**stuck, LONGEST_PAUSE) if stuck else 0.0
        asyncio.get_running_loop().call_later(pause, self._respawn, folder.id)

    def _respawn(self, training: str) -> None:
        if self._stopping or self._current != training:
            return
        if training in self._removing:
            self._free()
        elif (outcome := _wanted(self._folder(training).standing())) is not None:
            self._free()
            self._settle(self._folder(training), outcome)
        else:
            self._spawn()

    def _settle(self, folder: TrainingFolder, state: TrainingState, said: Said | None = None) -> None:
        """Write down what a training has come to; the model of one that is done or stopped is installed first."""
        if state in (TrainingState.DONE, TrainingState.STOPPED) and (folder.model / "card.json").is_file():
            folder.change(wanted="stop" if state is TrainingState.STOPPED else "")  # a service that is killed now does it again
            task = asyncio.get_running_loop().create_task(self._install(folder, state))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            return
        self._note(folder, state, *((said.error_code, said.error) if said else ("", "")))

    async def _install(self, folder: TrainingFolder, state: TrainingState) -> None:
        try:
            card = await asyncio.to_thread(_install, folder)
        except MedSynthError as problem:
            self._note(folder, TrainingState.FAILED, problem.code, f"the model cannot be installed: {problem}")
            return
        self._on_models(await asyncio.to_thread(registry.list_models))
        self._note(folder, state)
        LOG.info("training %s: model installed after %s steps", folder.id, card.steps)

    def _note(self, folder: TrainingFolder, state: TrainingState, code: str = "", sentence: str = "") -> None:
        if not (folder.path / "state.json").is_file():
            return  # removed meanwhile
        ended = time.time() if state.ended else None
        folder.change(state=state, wanted="", error_code=code, error=sentence, ended=ended)
        LOG.info("training %s: %s %s", folder.id, state, code)

    def _folder(self, training: str) -> TrainingFolder:
        folder = TrainingFolder(self._root / training)
        if not (folder.path / "state.json").is_file():
            raise NotFoundError("there is no such training: see the list of trainings")
        return folder


def _wanted(standing: Standing) -> TrainingState | None:
    return {"pause": TrainingState.PAUSED, "stop": TrainingState.STOPPED}.get(standing.wanted)


def _installed(folder: TrainingFolder) -> bool:
    """Return whether a training has given its model, so that it takes no name any more."""
    try:
        return folder.standing().state in (TrainingState.DONE, TrainingState.STOPPED)
    except InputError:
        return False


def _install(folder: TrainingFolder) -> ModelCard:
    folder.keeping.settle()
    return registry.install(folder.model)

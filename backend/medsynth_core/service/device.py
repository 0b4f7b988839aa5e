"""The device thread: one thread for the life of the worker runs every engine, because the device has one owner.

It takes commands from a queue, runs an engine's generator to its end, and looks for a cancel between any two of its events.
`obey` is called by the worker's main thread; `_cancelled` and `_go_on` are the only things both threads touch, and each is
set by one and read by the other.
"""

from __future__ import annotations

import logging
import os
import queue
import threading
import time
from collections.abc import Callable
from pathlib import Path

from medsynth_core.engines._base import discover
from medsynth_core.errors import JobCancelledError, MedSynthError
from medsynth_core.models import registry
from medsynth_core.protocol import JobState
from medsynth_core.service import frames, hardware
from medsynth_core.service.arrays import ArrayStore
from medsynth_core.service.modelshelf import ModelShelf
from medsynth_core.service.recording import Recorder, make_task

LOG = logging.getLogger(__name__)
EXIT_DEVICE_LOST, EXIT_THREAD_ENDED = 70, 71
Say = Callable[[frames.Report], None]


class DeviceThread:
    """Runs jobs one after the other. `pulse` grows with each sign of life."""

    def __init__(self, home: Path, say: Say, warm_s: float, unload_s: float) -> None:
        self._home = home
        self._say = say
        self._warm_s, self._unload_s = warm_s, unload_s
        self._commands: queue.SimpleQueue[frames.Command] = queue.SimpleQueue()
        self._cancelled: set[tuple[str, int]] = set()
        self._go_on = threading.Event()
        self.pulse = 0

    def start(self) -> None:
        """Start the thread; its first word is Ready."""
        threading.Thread(target=self._live, name="device", daemon=True).start()

    def obey(self, command: frames.Command) -> None:
        """Take a command; cancelling and going on act at once, the others in order."""
        match command:
            case frames.Cancel(job, attempt):
                self._cancelled.add((job, attempt))
                self._go_on.set()
            case frames.GoOn():
                self._go_on.set()
            case _:
                self._commands.put(command)

    def _live(self) -> None:
        try:
            self._work()
        finally:
            os._exit(EXIT_THREAD_ENDED)  # a worker without its device thread is of no use; the service starts another one

    def _work(self) -> None:
        self._arrays = ArrayStore(self._home / "arrays")
        self._engines, infos = discover()
        self._shelf = ModelShelf(self._engines)
        with_models = tuple(name for name, engine in self._engines.items() if engine.load)
        glance = hardware.glance()
        self._say(frames.Ready(infos, with_models, registry.list_models(), glance))
        while not self._idle_after(self._warm_s if glance else 0):  # nobody may start before the device is known
            pass
        self._say(frames.DeviceSeen(hardware.look()))  # loads the libraries before they are needed
        while True:
            if self._idle_after(self._unload_s) and self._shelf.unload(""):
                self._tell_models()

    def _idle_after(self, seconds: float) -> bool:
        """Do the next command and return False; True when none came for so long."""
        try:
            command = self._commands.get(timeout=seconds)
        except queue.Empty:
            return True
        self._do(command)
        return False

    def _do(self, command: frames.Command) -> None:
        self.pulse += 1
        match command:
            case frames.Run():
                self._run(command)
            case frames.LoadModel(model):
                self._load(model)
            case frames.UnloadModel(model):
                self._shelf.unload(model)
                self._tell_models()
            case frames.ReadModels():
                self._shelf.unload("")
                self._tell_models()

    def _run(self, command: frames.Run) -> None:
        started = time.perf_counter()
        try:
            self._run_engine(command)
            ended = frames.Ended(command.job, JobState.DONE)
        except JobCancelledError:
            ended = frames.Ended(command.job, JobState.CANCELLED)
        except MedSynthError as problem:
            ended = frames.Ended(command.job, JobState.FAILED, problem.code, str(problem))
        except Exception as problem:  # noqa: BLE001  border: whatever an engine throws fails its job, not the worker
            ended = self._explain(command, problem)
        self._cancelled.clear()
        self._say(ended)
        LOG.info("job %s: %s after %.3f s", command.job, ended.state, time.perf_counter() - started)

    def _run_engine(self, command: frames.Run) -> None:
        engine = self._engines[command.request.engine]
        folder = self._home / "jobs" / command.job
        recorder = Recorder(command, folder, self._say, self._wait_for_room)
        before = self._shelf.loaded
        task = make_task(engine, command, self._arrays, recorder, self._shelf)
        if self._shelf.loaded != before:
            self._tell_models()
        events = engine.run(task)
        try:
            for event in events:
                self.pulse += 1
                recorder.take(event)
                if (command.job, command.attempt) in self._cancelled:
                    raise JobCancelledError("the job was cancelled: the slices made before are kept")
        finally:
            events.close()  # type: ignore[attr-defined]
        recorder.finish()

    def _wait_for_room(self, command: frames.Run) -> None:
        self._go_on.clear()
        self._say(frames.DiskFull(command.job))
        attempt = (command.job, command.attempt)
        if attempt not in self._cancelled:
            self._go_on.wait()
        if attempt in self._cancelled:
            raise JobCancelledError("the job was cancelled while the disk was full: the slices made before are kept")

    def _explain(self, command: frames.Run, problem: Exception) -> frames.Ended:
        if hardware.is_out_of_memory(problem):
            sentence = (
                "the device has too little memory for this job: choose a smaller size, or free the memory of other programs"
            )
            return frames.Ended(command.job, JobState.FAILED, "out_of_memory", sentence)
        if hardware.is_device_lost(problem):
            os._exit(EXIT_DEVICE_LOST)
        kind = type(problem).__name__
        sentence = f"the engine {command.request.engine} failed with {kind}: this is a defect; copy the diagnostics and report it"
        return frames.Ended(command.job, JobState.FAILED, "internal", sentence)

    def _load(self, model: str) -> None:
        try:
            self._shelf.get(model)
        except MedSynthError as problem:
            self._tell_models(problem.code, str(problem))
        except Exception as problem:  # noqa: BLE001  border: a model that does not load must not take the worker down
            self._tell_models("bad_model", f"model {model} does not load ({type(problem).__name__}): get the model again")
        else:
            self._tell_models()

    def _tell_models(self, code: str = "", sentence: str = "") -> None:
        self._say(frames.ModelsChanged(registry.list_models(), self._shelf.loaded, code, sentence))

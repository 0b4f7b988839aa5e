"""What an engine yields, made durable: slices to disk, the rest as reports. Runs in the device thread."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np

from medsynth_core import __version__
from medsynth_core.engines._base import Engine, EngineEvent, Note, Preview, Progress, Slice, Task
from medsynth_core.errors import JobError
from medsynth_core.protocol import OutputInfo
from medsynth_core.quality import Badge
from medsynth_core.service import durable, frames
from medsynth_core.service.arrays import ArrayStore
from medsynth_core.service.modelshelf import ModelShelf
from medsynth_core.service.results import ResultVolume, is_full_disk

PROGRESS_SECONDS = 0.05
PREVIEW_SECONDS = 0.25
FinishedSlices = dict[str, dict[int, np.ndarray]]
WrittenT = TypeVar("WrittenT")


class Recorder:
    """Takes the events of one run. Progress is told ≤ 20 times a second and previews ≤ 4, slices always."""

    def __init__(
        self, run: frames.Run, folder: Path, say: Callable[[frames.Report], None], wait_for_room: Callable[[frames.Run], None]
    ) -> None:
        self._run, self._job = run, run.job
        self._folder = folder
        self._say = say
        self._wait_for_room = wait_for_room
        self._volumes: dict[str, ResultVolume] = {}
        self._written = {(kept.output, kept.z): kept.sha256 for kept in run.kept}
        self._progress_at = self._preview_at = 0.0
        self._untold: Progress | None = None
        if run.attempt > 1:
            durable.sweep(folder)  # what a worker killed in the midst of a write left behind

    def finished_slices(self) -> FinishedSlices:
        """Return the arrays of slices kept from before a resume, by output and z."""
        volumes = {info.name: ResultVolume(self._folder, info) for info in self._run.outputs}
        finished: FinishedSlices = {}
        for kept in self._run.kept:
            finished.setdefault(kept.output, {})[kept.z] = volumes[kept.output].read(kept.z)
        return finished

    def take(self, event: EngineEvent) -> None:
        """Make one event durable and tell the service."""
        match event:
            case OutputInfo():
                self._announce(event)
            case Slice():
                self._write(event)
            case Progress():
                self._step(event)
            case Preview(output, array):
                self._preview(output, array)
            case Note(key, value):
                self._say(frames.Noted(self._job, key, value))
            case Badge():
                self._say(frames.Judged(self._job, event))

    def finish(self) -> None:
        """Make the outputs durable as a whole. Raises JobError when the engine left slices out."""
        self._tell_progress()
        for name, volume in self._volumes.items():
            missing = volume.output.shape[1] - sum(1 for output, _ in self._written if output == name)
            if missing:
                raise JobError(f"the engine ended with {missing} slices of {name} missing: this is a defect; report it")
            volume.sync()

    def _announce(self, output: OutputInfo) -> None:
        volume = ResultVolume(self._folder, output)
        self._with_room(lambda: volume.create({"job": self._job, "code_version": __version__}))
        self._volumes[output.name] = volume
        self._say(frames.Announced(self._job, output))

    def _write(self, event: Slice) -> None:
        """Put a slice on disk, then tell it. Where it replaces another, a death in between leaves bytes that the journal does
        not know: the resumed job finds that slice missing, and the engine makes it again."""
        place, volume = (event.output, event.z), self._volume(event.output)
        before = self._written.get(place)
        if before is not None and not (event.replaces and volume.fingerprint(event.array) != before):
            return  # its bytes are on disk and were checked
        self._written[place] = self._with_room(lambda: volume.write(event.z, event.array))
        self._tell_progress()
        self._say(frames.SliceWritten(self._job, *place, self._written[place]))

    def _step(self, event: Progress) -> None:
        self._untold = event
        if time.monotonic() - self._progress_at >= PROGRESS_SECONDS:
            self._tell_progress()

    def _tell_progress(self) -> None:
        if self._untold is not None:
            self._say(frames.Stepped(self._job, self._untold.done, self._untold.total, self._untold.message[:200]))
            self._untold, self._progress_at = None, time.monotonic()

    def _preview(self, output: str, array: np.ndarray) -> None:
        if time.monotonic() - self._preview_at < PREVIEW_SECONDS:
            return
        self._with_room(lambda: self._volume(output).write_preview(array))
        self._preview_at = time.monotonic()
        self._say(frames.PreviewWritten(self._job, output))

    def _volume(self, output: str) -> ResultVolume:
        if output not in self._volumes:
            raise JobError(f"the engine gave a slice of {output}, which it had not announced: this is a defect; report it")
        return self._volumes[output]

    def _with_room(self, write: Callable[[], WrittenT]) -> WrittenT:
        """Return what `write` gives, waiting for disk space as often as there is none."""
        while True:
            try:
                return write()
            except OSError as problem:
                if not is_full_disk(problem):
                    raise
            self._wait_for_room(self._run)


def make_task(engine: Engine, run: frames.Run, arrays: ArrayStore, recorder: Recorder, shelf: ModelShelf) -> Task:
    """Return the engine's task: inputs read, model loaded, parameters checked, kept slices attached."""
    request = run.request
    card, model, judge = shelf.get(request.model) if request.model else (None, None, None)
    params, options = engine.read_params(request.params, card)
    inputs = {name: arrays.read(sha256) for name, sha256 in request.inputs.items()}
    return Task(inputs, params, request.seed, model, options, recorder.finished_slices(), run.attempt, judge)

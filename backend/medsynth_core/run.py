"""One run of an engine: one job a seed, followed on a daemon thread; the same in every viewer.

A run tells its listener through `tell`, which brings the call to the viewer's thread; the listener may be gone by then.
"""

from __future__ import annotations

import enum
import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from medsynth_core.client import Client, Job
from medsynth_core.errors import JobCancelledError, MedSynthError, ServiceUnavailableError
from medsynth_core.job import STATE
from medsynth_core.preflight import show_seconds
from medsynth_core.protocol import Event, EventKind, JobInfo, JobState, OutputInfo, Scalar
from medsynth_core.volume import Volume

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class RunRequest:
    """What to make: the outputs of `engine` from the same inputs, once for each seed.

    With `streams` the listener gets every slice as it comes, and no outputs at the end. `goes_on` is how far a single job got
    before it was cancelled or failed: then that job goes on, and only what is new is told. `again` is a job of the list that is
    made once more, with the inputs, seed and parameters it had.
    """

    engine: str
    model: str
    inputs: Mapping[str, Volume]
    seeds: tuple[int, ...]
    params: dict[str, Scalar]
    streams: bool = False
    goes_on: Standing | None = None
    again: JobInfo | None = None


@dataclass(frozen=True)
class Standing:
    """How far the events of a job were heard."""

    job: str
    event: int


@dataclass(frozen=True)
class RunProgress:
    """How far a run is: a share from 0 to 1, the seconds left (None while unknown) and what happens, in a few words."""

    share: float
    seconds_left: float | None
    text: str

    @property
    def line(self) -> str:
        """What happens and the time left, as far as they are known."""
        left = "" if self.seconds_left is None else f"{show_seconds(self.seconds_left)} left"
        return " · ".join(part for part in (self.text, left) if part)


@dataclass(frozen=True, eq=False)
class Made:
    """What one finished job gave, by output, none if it streamed; `seconds` is what the engine took for it."""

    seed: int
    outputs: Mapping[str, Volume]
    recipe: dict[str, Any]
    job: str
    seconds: float

    @property
    def volume(self) -> Volume:
        """The output that the engine announced first."""
        return next(iter(self.outputs.values()))


class Ending(enum.StrEnum):
    """How a run ended."""

    DONE = "done"
    CANCELLED = "cancelled"
    FAILED = "failed"


class RunListener(Protocol):
    """Who is told about a run, on the viewer's thread."""

    def run_progressed(self, run: Run, progress: RunProgress) -> None:
        """The run got further."""

    def run_announced(self, run: Run, output: OutputInfo) -> None:
        """Slices of this output will come; told again when the worker was restarted."""

    def run_grew(self, run: Run, output: str, z: int, pixels: np.ndarray) -> None:
        """A slice (channel, y, x) of an announced output came."""

    def run_made(self, run: Run, made: Made) -> None:
        """One of the run's jobs is done."""

    def run_ended(self, run: Run, ending: Ending, problem: MedSynthError | None) -> None:
        """Nothing more will come of this run."""


Tell = Callable[[Callable[[RunListener], None]], None]


class Run:
    """A run under way. `cancel` returns at once; the end is told like any other. `restarted` hears of a worker that died."""

    def __init__(self, connected: Callable[[], Client], request: RunRequest, tell: Tell, restarted: Callable[[], None]) -> None:
        self.request = request
        self._connected, self._tell, self._restarted = connected, tell, restarted
        self._cancelled = threading.Event()
        self._jobs: list[Job] = []
        self._running_since = 0.0
        self._last_seconds: float | None = None
        self._streamed: set[str] = set()
        self.standing: Standing | None = None
        self.recipe = _asked(request)
        """What repeats the newest job; of one that did not get to its end, as far as it is known."""

    def start(self) -> None:
        """Begin, on a thread of its own."""
        threading.Thread(target=self._work, name="medsynth-run", daemon=True).start()

    def cancel(self) -> None:
        """Ask all jobs of the run to stop."""
        self._cancelled.set()
        threading.Thread(target=self._cancel_jobs, name="medsynth-cancel", daemon=True).start()

    def _cancel_jobs(self) -> None:
        for job in list(self._jobs):
            try:
                job.cancel()
            except MedSynthError as problem:
                log.info("job %s not cancelled: %s", job.id, problem.code)

    def _work(self) -> None:
        try:
            client = self._connected()
            for seed in self.request.seeds:
                if not self._cancelled.is_set():
                    self._jobs.append(self._submit(client, seed))
            self.request = replace(self.request, inputs={})  # the service has them: a volume is not held for a whole run
            if self._cancelled.is_set():
                self._cancel_jobs()
            for index, (seed, job) in enumerate(zip(self.request.seeds, self._jobs, strict=False)):
                self._follow(index, seed, job)
            self._end(Ending.CANCELLED if self._cancelled.is_set() else Ending.DONE)
        except JobCancelledError as problem:  # by this run, or by another client that shows the same list
            self._learn_recipe()
            self._end(Ending.CANCELLED, problem)
        except ServiceUnavailableError as problem:
            self._end(Ending.FAILED, problem)
        except MedSynthError as problem:
            self._learn_recipe()
            self._end(Ending.FAILED, problem)
        except Exception as problem:
            log.exception("run failed")
            self._end(Ending.FAILED, MedSynthError(f"the panel met an error of its own: {type(problem).__name__}"))

    def _submit(self, client: Client, seed: int) -> Job:
        request = self.request
        if request.goes_on is not None:
            job = client.job(request.goes_on.job)
            info = job.info()
            if info.state in (JobState.CANCELLED, JobState.FAILED):  # else a service that was killed took it up by itself
                info = job.resume()
            self._streamed = {output.name for output in info.outputs if output.kind != STATE}
            return job
        if request.again is not None:
            return client.repeat(request.again)
        given: dict[str, Any] = {**request.inputs, **request.params}
        return client.submit(request.engine, model=request.model, seed=seed, **given)

    def _follow(self, index: int, seed: int, job: Job) -> None:
        self._running_since = 0.0
        for event in job.events(self.request.goes_on.event if self.request.goes_on else 0):
            self.standing = Standing(job.id, event.number)
            self._heed(index, event)
            if self.request.streams:
                self._stream(job, event)
        if self.request.streams:
            job.wait()
        outputs = {} if self.request.streams else _outputs(job)
        self.recipe = job.info().recipe
        made = Made(seed, outputs, self.recipe, job.id, self._last_seconds or 0.0)
        self._tell(lambda to: to.run_made(self, made))

    def _learn_recipe(self) -> None:
        """Ask what the service knows of a job that was stopped; without an answer what was asked for has to do."""
        if self._jobs and self.standing is not None:
            try:
                self.recipe = self._jobs[-1].info().recipe or self.recipe
            except MedSynthError as problem:
                log.info("job %s: no recipe: %s", self.standing.job, problem.code)

    def _heed(self, index: int, event: Event) -> None:
        if event.kind is EventKind.STATE and event.state is JobState.RUNNING:
            self._running_since = event.time
        if event.kind is EventKind.STATE and event.state is JobState.QUEUED and self._running_since:
            self._restarted()
        if event.kind is EventKind.STATE and event.state is JobState.DONE:
            self._last_seconds = event.time - self._running_since
        if progress := self._progress(index, event):
            self._tell(lambda to: to.run_progressed(self, progress))

    def _stream(self, job: Job, event: Event) -> None:
        info, z = event.output_info, event.z
        if event.kind is EventKind.OUTPUT and info is not None and info.kind != STATE:
            self._streamed.add(info.name)
            self._tell(lambda to: to.run_announced(self, info))
        if event.kind is EventKind.SLICE and (name := event.output) in self._streamed:
            pixels = job.slice(z, name).array[:, 0]
            self._tell(lambda to: to.run_grew(self, name, z, pixels))

    def _progress(self, index: int, event: Event) -> RunProgress | None:
        count = len(self.request.seeds)
        which = f"image {index + 1} of {count}" if count > 1 else ""
        if event.kind is EventKind.PROGRESS and event.total:
            share = (index + event.done / event.total) / count
            return RunProgress(share, self._left(event.seconds_left, count - index - 1), which or event.message)
        if event.kind is EventKind.STATE and event.state is not None and not event.state.ended:
            return RunProgress(index / count, None, event.message or which or str(event.state))
        return None

    def _left(self, seconds: float | None, more: int) -> float | None:
        if seconds is None or (more and self._last_seconds is None):
            return None
        return seconds + more * (self._last_seconds or 0.0)

    def _end(self, ending: Ending, problem: MedSynthError | None = None) -> None:
        self._tell(lambda to: to.run_ended(self, ending, problem))


def _asked(request: RunRequest) -> dict[str, Any]:
    """Return what a request says of what it makes, in the words of a recipe."""
    asked = request.again.request if request.again is not None else None
    seed, params = (asked.seed, asked.params) if asked is not None else (next(iter(request.seeds), 0), request.params)
    return {"engine": request.engine, "model": request.model, "seed": seed, "params": dict(params)}


def _outputs(job: Job) -> dict[str, Volume]:
    """Return what a job gave for looking at."""
    names = [output.name for output in job.info().outputs if output.kind != STATE]
    return {name: job.result(name) for name in names or [""]}  # "": the job says itself that it has none

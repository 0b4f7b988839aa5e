"""Jobs: their states, the queue, retries, and who waits for their events.

    queued → running → done | failed | cancelled
      ↑        │  ↘ cancelling → cancelled
      └────────┘  ↘ paused (disk full) → running
     worker died

Everything here runs in the service's event loop, so there is no lock. A change is journaled before anybody hears of it.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import logging
import sqlite3
import time
import uuid
from collections import deque
from typing import Any

from medsynth_core import quality
from medsynth_core.errors import ServiceUnavailableError, error_from_code
from medsynth_core.protocol import Event, EventKind, JobInfo, JobRequest, JobState, ModelInfo, WorkerState, to_json
from medsynth_core.service import frames
from medsynth_core.service.config import ServiceConfig
from medsynth_core.service.intake import check_request
from medsynth_core.service.journal import is_full_disk
from medsynth_core.service.pace import Pace
from medsynth_core.service.problems import RefusedError
from medsynth_core.service.store import Store
from medsynth_core.service.supervisor import Supervisor

LOG = logging.getLogger(__name__)
SWEEP_SECONDS = 600.0
OUTPUT_FACTOR = 4
"""A result is assumed to take at most this many times the room of its encoded inputs, beyond the reserve."""


class Jobs:
    """Accepts jobs, hands them to the worker one by one, and journals what comes back."""

    def __init__(self, config: ServiceConfig, store: Store) -> None:
        self._config = config
        self._store = store
        self._journal = store.journal
        self.worker = Supervisor(config, self._on_report, self._on_death)
        self.able: frames.Ready | None = None
        self.loaded: tuple[str, ...] = ()
        self._queue: deque[str] = deque()
        self.current = ""
        self._pace = Pace()
        self._backlog: deque[Any] = deque()
        self._waiting: dict[str, set[asyncio.Future[None]]] = {}
        self._answers: list[asyncio.Future[frames.ModelsChanged]] = []
        self._ready = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._budget_due = True
        self._sweep_at = 0.0
        self.stopping = False

    # Life

    def start(self) -> None:
        """Queue what an earlier service left unfinished, and start the worker."""
        for job in self._journal.unfinished():
            if job.state is JobState.CANCELLING:
                self._end(job.id, JobState.CANCELLED)
            else:
                self._queue.append(job.id)
                if job.state is not JobState.QUEUED:
                    self._change(job.id, JobState.QUEUED, "the service was started again")
        self._store.take_ballast()
        self.worker.start()

    def release_waiters(self) -> None:
        """Answer everybody who waits: the service is about to end."""
        self.stopping = True
        for job in list(self._waiting):
            self._wake(job)

    async def stop(self) -> None:
        """End the worker; unfinished jobs stay in the journal and go on at the next start."""
        self.release_waiters()
        await self.worker.stop()

    def watch(self) -> None:
        """Look after the worker, the disk and the byte budget; called about once a second."""
        paused = self.current and self._journal.state(self.current) is JobState.PAUSED
        self.worker.check_hang(busy=bool(self.current) and not paused)
        if paused and self._store.has_room():
            self._change(self.current, JobState.RUNNING, "there is room on the disk again")
            self._store.take_ballast()
            self.worker.send(frames.GoOn(self.current))
        if self._budget_due:  # here and not at the end of a job, where the next stroke may be waiting
            self._budget_due = False
            self._store.keep_budget()
        if time.monotonic() >= self._sweep_at and self.idle:
            self._sweep_at = time.monotonic() + SWEEP_SECONDS
            self._store.drop_unused_arrays()

    @property
    def idle(self) -> bool:
        """Whether no job runs or waits."""
        return not self.current and not self._queue

    @property
    def queued(self) -> int:
        """How many jobs wait."""
        return len(self._queue)

    # What clients ask for

    async def wait_ready(self, seconds: float) -> frames.Ready | None:
        """Return what the worker can do, waiting for one that is starting; None when it takes longer than `seconds`."""
        if self.able is None or self.able.device is None:
            try:
                await asyncio.wait_for(self._ready.wait(), seconds)
            except TimeoutError:
                return None
        return self.able

    async def submit(self, request: JobRequest, key: str, digest: str) -> tuple[JobInfo, bool]:
        """Return (the job, whether it is new). The same key again gives the same job. Raises what is wrong with the request."""
        able = await self.wait_ready(30)
        if known := self._known(key, digest):
            return known, False
        if able is None or self.stopping:
            raise ServiceUnavailableError("the worker does not start: see the status, then try again")
        recipe, input_bytes = check_request(request, able, self._store.arrays.size)
        self._store.check_room(input_bytes * OUTPUT_FACTOR)
        job = uuid.uuid4().hex
        queued = Event(0, job, EventKind.STATE, time.time(), state=JobState.QUEUED)
        self._journal.accept(job, key, digest, request, recipe, queued)
        self._queue.append(job)
        LOG.info("job %s: accepted for %s", job, request.engine)
        self._next()
        return self._journal.job(job), True

    def cancel(self, job: str) -> JobInfo:
        """Cancel a job; one that has ended stays as it is."""
        state = self._journal.state(job)
        if state is JobState.QUEUED:
            if job in self._queue:
                self._queue.remove(job)
            if job != self.current:
                self._end(job, JobState.CANCELLED)
        if job == self.current and not state.ended and state is not JobState.CANCELLING:
            self._change(job, JobState.CANCELLING)
            self.worker.send(frames.Cancel(job, self._journal.attempts(job)))
            asyncio.get_running_loop().call_later(self._config.cancel_seconds, self._force_cancel, job)
        return self._journal.job(job)

    def resume(self, job: str) -> JobInfo:
        """Let a cancelled or failed job go on from its kept slices. Raises RefusedError (409) in any other state."""
        state = self._journal.state(job)
        if state not in (JobState.CANCELLED, JobState.FAILED):
            raise RefusedError(409, f"the job is {state.value}: only a cancelled or failed one can be resumed")
        columns = {"ended": None, "error_code": "", "error": "", "retries": 0}
        self._change(job, JobState.QUEUED, "resumed", durable=True, **columns)
        self._queue.append(job)
        self._next()
        return self._journal.job(job)

    async def events(self, job: str, after: int, wait_s: float) -> list[str]:
        """Return the events after a number as JSON texts, waiting for the first one. Raises NotFoundError."""
        state = self._journal.state(job)
        found = self._journal.events(job, after)
        if found or state.ended or self.stopping or wait_s <= 0:
            return found
        waiter = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(job, set()).add(waiter)
        try:
            await asyncio.wait_for(waiter, wait_s)
        except TimeoutError:
            return []
        finally:
            self._forget_waiter(job, waiter)
        return self._journal.events(job, after)

    async def ask_models(self, command: frames.Command, seconds: float) -> None:
        """Have the worker change its models. Raises the error the worker met, ServiceUnavailableError when it is too slow."""
        if await self.wait_ready(30) is None:
            raise ServiceUnavailableError("the worker does not start: see the status, then try again")
        answer = asyncio.get_running_loop().create_future()
        self._answers.append(answer)
        self.worker.loading = isinstance(command, frames.LoadModel)
        self.worker.send(command)
        try:
            changed = await asyncio.wait_for(answer, seconds)
        except TimeoutError:
            raise ServiceUnavailableError("the worker is busy with a job: try again when it has ended") from None
        if changed.error_code:
            raise error_from_code(changed.error_code, changed.error)

    def set_models(self, models: tuple[ModelInfo, ...]) -> None:
        """Tell clients of these models from now on; the worker finds a new one when it is asked for it."""
        self._set_able(models=models)

    def delete(self, job: str) -> None:
        """Delete an ended job and its results. Raises NotFoundError, RefusedError (409) while it is not ended."""
        if not self._journal.state(job).ended:
            raise RefusedError(409, "the job has not ended: cancel it first")
        self._store.delete(job)

    # The queue

    def _next(self) -> None:
        if self.current or not self._queue or self.worker.state is not WorkerState.READY or self.stopping:
            return
        self.current = self._queue.popleft()
        self.worker.mark(WorkerState.BUSY)
        task = asyncio.get_running_loop().create_task(self._hand_over(self.current))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _hand_over(self, job: str) -> None:
        info, rows = self._journal.job(job), self._journal.slices(job)
        kept = await asyncio.to_thread(self._store.sound_slices, info.outputs, job, rows) if rows else []
        if self.current != job or self.worker.state is not WorkerState.BUSY:
            return  # the worker died meanwhile: `_on_death` has queued the job again
        if self._journal.state(job) is JobState.CANCELLING:
            self._on_ended(frames.Ended(job, JobState.CANCELLED))
            return
        sound = {(one.output, one.z) for one in kept}
        self._journal.forget_slices(job, [(o, z) for o, z, _ in rows if (o, z) not in sound])
        attempt = self._journal.attempts(job) + 1
        self._pace = Pace()
        self._store.job_folder(job).mkdir(exist_ok=True, mode=0o700)
        self.worker.loading = bool(info.request.model) and info.request.model not in self.loaded
        self._change(job, JobState.RUNNING, attempts=attempt, started=info.started or time.time())
        self.worker.send(frames.Run(job, info.request, attempt, info.outputs, tuple(kept)))

    # What the worker reports

    def _on_report(self, report: Any) -> None:
        self._backlog.append(report)
        if len(self._backlog) == 1:
            self._take_reports()

    def _take_reports(self) -> None:
        """Take reports in their order; one that a full disk kept out of the journal is tried again every second."""
        while self._backlog:
            try:
                self._take(self._backlog[0])
            except sqlite3.OperationalError as problem:
                if not is_full_disk(problem):
                    self._backlog.popleft()
                    raise
                asyncio.get_running_loop().call_later(1.0, self._take_reports)
                return
            self._backlog.popleft()

    def _take(self, report: Any) -> None:
        match report:
            case frames.Ready():
                self._on_ready(report)
            case frames.DeviceSeen(device):
                self._set_able(device=device)
            case frames.ModelsChanged():
                self._on_models(report)
            case frames.Ended(job) if job == self.current:
                self._on_ended(report)
            case _ if report.job == self.current:
                self._on_event(report)

    def _on_ready(self, ready: frames.Ready) -> None:
        self.able = ready
        self.loaded = ()
        self.worker.mark(WorkerState.READY)
        self._set_able()
        self._next()

    def _set_able(self, **changes: Any) -> None:
        if self.able is not None:
            self.able = dataclasses.replace(self.able, **changes)
            if self.able.device is not None:
                self._ready.set()

    def _on_models(self, changed: frames.ModelsChanged) -> None:
        self.worker.loading = False
        self.loaded = changed.loaded
        self._set_able(models=changed.models)
        answers, self._answers = self._answers, []
        for answer in answers:
            if not answer.done():
                answer.set_result(changed)

    def _on_event(self, report: Any) -> None:
        job, now = report.job, time.time()
        self.worker.loading = False
        match report:
            case frames.Announced(_, output):
                self._on_output(job, Event(0, job, EventKind.OUTPUT, now, output=output.name, output_info=output))
            case frames.SliceWritten(_, output, z, sha256):
                self._journal.record_slice(job, sha256, Event(0, job, EventKind.SLICE, now, output=output, z=z))
            case frames.PreviewWritten(_, output):
                self._journal.record(job, Event(0, job, EventKind.PREVIEW, now, output=output))
            case frames.Stepped(_, done, total, message):
                left = self._pace.seconds_left(done, total)
                step = Event(0, job, EventKind.PROGRESS, now, done=done, total=total, seconds_left=left, message=message)
                self._journal.record(job, step, done=done, total=total)
            case frames.Noted(_, key, value):
                recipe = self._journal.job(job).recipe | {key: value}
                self._journal.record(
                    job, Event(0, job, EventKind.NOTE, now, message=f"{key}: {value}"), recipe=json.dumps(recipe)
                )
            case frames.Judged(_, badge):
                recipe = self._journal.job(job).recipe | {quality.KEY: badge.record()}
                told = f"{quality.KEY}: {badge.grade.value}"
                self._journal.record(job, Event(0, job, EventKind.NOTE, now, message=told), recipe=json.dumps(recipe))
            case frames.DiskFull():
                self._change(job, JobState.PAUSED, "the disk is full: the job goes on by itself when there is room")
        self._wake(job)

    def _on_output(self, job: str, event: Event) -> None:
        outputs = self._journal.job(job).outputs
        if event.output_info is None or event.output in [info.name for info in outputs]:
            return  # announced before a resume already
        self._journal.record(job, event, outputs=json.dumps(to_json((*outputs, event.output_info))))

    def _on_ended(self, ended: frames.Ended) -> None:
        self._end(ended.job, ended.state, ended.error_code, ended.error)
        self.current = ""
        self.worker.mark(WorkerState.READY)
        self._next()

    def _on_death(self) -> None:
        """The worker died: its job goes first in the queue again, until it has done so too often."""
        for answer in self._answers:
            if not answer.done():
                answer.set_result(frames.ModelsChanged((), (), "worker_died", "the worker died: try again in a moment"))
        self._answers, self.loaded = [], ()
        job, self.current = self.current, ""
        if job:
            self._requeue(self._journal.job(job))

    def _requeue(self, job: JobInfo) -> None:
        if job.state is JobState.CANCELLING:
            self._end(job.id, JobState.CANCELLED)
        elif job.retries >= self._config.retries:
            sentence = f"the worker died {job.retries + 1} times on this job: resume it, or report it with the diagnostics"
            self._end(job.id, JobState.FAILED, "worker_died", sentence)
        else:
            self._queue.appendleft(job.id)
            sentence = f"the worker died; try {job.retries + 1} of {self._config.retries} follows, finished slices are kept"
            self._change(job.id, JobState.QUEUED, sentence, retries=job.retries + 1)

    def _force_cancel(self, job: str) -> None:
        if job == self.current and self._journal.state(job) is JobState.CANCELLING:
            self.worker.kill("the engine did not yield after a cancel")

    # Changes of state

    def _change(self, job: str, state: JobState, message: str = "", durable: bool = False, **columns: Any) -> None:
        event = Event(0, job, EventKind.STATE, time.time(), state=state, message=message)
        self._journal.record(job, event, durable=durable, state=state.value, **columns)
        LOG.info("job %s: %s", job, state.value)
        self._wake(job)

    def _end(self, job: str, state: JobState, code: str = "", sentence: str = "") -> None:
        now = time.time()
        event = Event(0, job, EventKind.STATE, now, state=state, message=sentence, error_code=code)
        columns: dict[str, Any] = {"state": state.value, "ended": now, "error_code": code, "error": sentence}
        if self.able is not None and self.able.device is not None:
            columns["recipe"] = json.dumps({"device": self.able.device.name} | self._journal.job(job).recipe)
        self._journal.record(job, event, durable=True, bytes=self._store.measure(job), **columns)
        LOG.info("job %s: %s %s", job, state.value, code)
        self._wake(job)
        self._budget_due = True

    def _wake(self, job: str) -> None:
        for waiter in self._waiting.pop(job, set()):
            if not waiter.done():
                waiter.set_result(None)

    def _forget_waiter(self, job: str, waiter: asyncio.Future[None]) -> None:
        waiters = self._waiting.get(job, set())
        waiters.discard(waiter)
        if not waiters:
            self._waiting.pop(job, None)

    def _known(self, key: str, digest: str) -> JobInfo | None:
        found = self._journal.find_key(key)
        if found is None:
            return None
        job, first_digest = found
        if first_digest != digest:
            raise RefusedError(409, "this Idempotency-Key was used for another job: use a new key for a new job")
        return self._journal.job(job)

"""Many things made by jobs one after the other: while one is saved, the next is computed. One that fails stops none."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from medsynth_core.cli_batch import FATAL, State
from medsynth_core.client import Client, Job
from medsynth_core.errors import MedSynthError, NotFoundError
from medsynth_core.protocol import JobState

IN_FLIGHT = 2
PieceT = TypeVar("PieceT")
RecordT = TypeVar("RecordT")


@dataclass(frozen=True, eq=False)
class Outcome(Generic[PieceT, RecordT]):
    """A piece and what became of it; `reason` says why one was left out."""

    piece: PieceT
    state: State
    record: RecordT | None = None
    problem: Exception | None = None
    reason: str = ""


@dataclass(frozen=True)
class Progress:
    """How many of `total` are there, how many were left out, the seconds left and each one took; None until one was made."""

    done: int
    total: int
    left_out: int = 0
    seconds_left: float | None = None
    seconds_each: float | None = None


class Work(Protocol[PieceT, RecordT]):
    """What is made: a command says how a piece is begun and how it is saved."""

    def known(self, piece: PieceT) -> Outcome[PieceT, RecordT] | None:
        """Return what became of a piece in an earlier run; None where it must be made."""

    def begin(self, piece: PieceT) -> Job:
        """Start the job of a piece. Raises MedSynthError, OSError."""

    def save(self, piece: PieceT, job: Job) -> Outcome[PieceT, RecordT]:
        """Wait for the job and save what it gave. Raises MedSynthError, OSError."""

    def close(self) -> None:
        """Write what is kept in memory; called whatever happened."""


class Making(Generic[PieceT, RecordT]):
    """Makes pieces until `total` of them are there, and yields an outcome for each in their order.

    No more are begun than may be needed, so what is made does not depend on how fast it is. `stop` may be called from any thread.
    """

    def __init__(self, work: Work[PieceT, RecordT], total: int, told: Callable[[Progress], None]) -> None:
        self._work, self._total, self._told = work, total, told
        self._jobs: deque[tuple[PieceT, Job | Exception]] = deque()
        self._there, self._left_out, self._failed, self._made = 0, 0, 0, 0
        self._stopped = threading.Event()
        self._started = time.monotonic()

    @property
    def stopped(self) -> bool:
        """Whether `stop` was called."""
        return self._stopped.is_set()

    def stop(self) -> None:
        """Begin nothing more and cancel what runs; `run` then ends."""
        self._stopped.set()
        self._cancel()

    def run(self, pieces: Iterator[PieceT]) -> Generator[Outcome[PieceT, RecordT]]:
        """Yield outcomes until all is made, or service or model fail. Closed early, also by Ctrl-C, the jobs are cancelled."""
        try:
            for outcome in self._outcomes(pieces):
                if self.stopped and outcome.problem is not None:
                    return  # it was cancelled by us
                self._count(outcome)
                self._told(self.progress)
                yield outcome
                if self.stopped or isinstance(outcome.problem, FATAL):
                    return
        finally:
            self._work.close()
            self._cancel()

    @property
    def progress(self) -> Progress:
        """How far it is, by the pace of what this run made."""
        passed = self._there + self._failed
        if not self._made:
            return Progress(passed, self._total, self._left_out)
        each = (time.monotonic() - self._started) / self._made  # what is left out costs its time, too
        return Progress(passed, self._total, self._left_out, each * (self._total - passed), each)

    def _outcomes(self, pieces: Iterator[PieceT]) -> Iterator[Outcome[PieceT, RecordT]]:
        while not self.stopped:
            wanted = self._total - self._there - self._failed - len(self._jobs)
            piece = next(pieces, None) if wanted > 0 else None
            if piece is None:
                if not self._jobs:
                    return
                yield self._ended()
            elif (known := self._work.known(piece)) is not None:
                yield from self._rest_before(known)
            else:
                self._jobs.append((piece, self._begun(piece)))
                if len(self._jobs) >= IN_FLIGHT:
                    yield self._ended()

    def _rest_before(self, known: Outcome[PieceT, RecordT]) -> Iterator[Outcome[PieceT, RecordT]]:
        """Yield what is under way before what was known, so that the order of the pieces is that of the outcomes."""
        while self._jobs:
            yield self._ended()
        yield known

    def _begun(self, piece: PieceT) -> Job | Exception:
        try:
            return self._work.begin(piece)
        except (MedSynthError, OSError) as problem:
            return problem

    def _ended(self) -> Outcome[PieceT, RecordT]:
        """Return what became of the oldest job; it stays on the list of those to cancel until it is saved."""
        piece, job = self._jobs[0]
        try:
            if isinstance(job, Exception):
                raise job
            outcome = self._work.save(piece, job)
        except (MedSynthError, OSError) as problem:
            outcome = Outcome(piece, State.FAILED, problem=problem)
        self._jobs.popleft()
        return outcome

    def _count(self, outcome: Outcome[PieceT, RecordT]) -> None:
        self._there += outcome.state in (State.DONE, State.SKIPPED)
        self._left_out += outcome.state is State.LEFT_OUT
        self._failed += outcome.state is State.FAILED
        self._made += outcome.state in (State.DONE, State.FAILED)  # those of earlier runs say nothing about the pace

    def _cancel(self) -> None:
        for _, job in tuple(self._jobs):
            with contextlib.suppress(MedSynthError):  # the first trouble is the one to tell
                if not isinstance(job, Exception):
                    job.cancel()


def found_again(engine: Client, job_id: str) -> Job | None:
    """Return the job of an earlier run, set going again if it had stopped; None where the service has it no more."""
    if not job_id:
        return None
    try:
        job = engine.job(job_id)
    except NotFoundError:
        return None
    if job.state is JobState.CANCELLING:
        for _ in job:  # it ends within a second; only then it can be resumed
            pass
    if job.state in (JobState.CANCELLED, JobState.FAILED):
        job.resume()
    return job

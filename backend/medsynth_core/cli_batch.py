"""Many images refined: two cases in flight, so that one is read and written while the other computes. A bad file stops none."""

from __future__ import annotations

import contextlib
import enum
import threading
import time
from collections.abc import Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from medsynth_core.cli_case import Case, Refined, Wish, check_case, refine_case
from medsynth_core.cli_journal import Entry, Journal, origin
from medsynth_core.cli_progress import ProgressLine, duration, how_far
from medsynth_core.client import Client, Job
from medsynth_core.errors import JobCancelledError, MedSynthError, ModelError, ServiceError
from medsynth_core.interrupts import held_back, rounds
from medsynth_core.protocol import EventKind

IN_FLIGHT = 2
FATAL = (ModelError, ServiceError)
"""What would befall every other file, too: no model, no service, no room on the disk."""


class State(enum.StrEnum):
    """What became of a case."""

    DONE = "done"
    SKIPPED = "skipped"
    FAILED = "failed"
    LEFT_OUT = "left out"
    NOT_STARTED = "not started"


@dataclass(frozen=True, eq=False)
class Outcome:
    """A case and what became of it; `entry` is what the journal says of a skipped one."""

    case: Case
    state: State
    reason: str = ""
    refined: Refined | None = None
    entry: Entry | None = None


class Batch:
    """Refines cases on one engine and yields an outcome for each, as they come."""

    def __init__(self, engine: Client, wish: Wish, journal: Journal, terms: dict[str, Any]) -> None:
        self._engine, self._wish, self._journal, self._terms = engine, wish, journal, terms
        self._stopped = False
        self._lock = threading.Lock()  # guards _running
        self._running: dict[str, tuple[Job, float]] = {}

    def run(self, cases: Sequence[Case]) -> Generator[Outcome]:
        """Yield outcomes as they come. Closed early, also by Ctrl-C, the jobs are cancelled and nothing half-made stays."""
        line, pace = ProgressLine(), _Pace(len(cases))
        pool = ThreadPoolExecutor(IN_FLIGHT, "refine")
        futures: list[Future[Outcome]] = []
        try:
            with held_back():
                futures += [pool.submit(self._one, case) for case in cases]
            for ended in rounds(futures):
                line.show(pace.words(self._share()))
                for outcome in (future.result() for future in ended):
                    pace.count(outcome)
                    line.clear()
                    yield outcome
        finally:
            self._end()
            with held_back():
                pool.shutdown(cancel_futures=True)
            line.clear()

    def _one(self, case: Case) -> Outcome:
        if self._stopped:
            return Outcome(case, State.NOT_STARTED)
        try:
            return self._refined(case)
        except JobCancelledError as problem:
            return Outcome(case, State.NOT_STARTED if self._stopped else State.FAILED, str(problem))
        except MedSynthError as problem:
            if isinstance(problem, FATAL):
                self._end()
            return Outcome(case, State.FAILED, str(problem))
        except OSError as problem:
            return Outcome(case, State.FAILED, f"{case.image.name} cannot be used: {problem.strerror or problem}")
        except Exception as problem:  # noqa: BLE001  border: whatever one file breaks, the others go on
            return Outcome(case, State.FAILED, f"something of ours broke ({type(problem).__name__}: {problem}): please report it")

    def _refined(self, case: Case) -> Outcome:
        made_from = origin(case.inputs, self._terms)
        if entry := self._journal.done(case.name, made_from, case.outputs):
            return Outcome(case, State.SKIPPED, entry=entry)
        for path in case.outputs:
            path.parent.mkdir(parents=True, exist_ok=True)
        check_case(case)
        self._journal.begin(case.name, case.outputs)
        try:
            refined = refine_case(self._engine, case, self._wish, lambda job: self._follow(case.name, job))
        finally:
            with self._lock:
                self._running.pop(case.name, None)
        self._journal.finish(case.name, made_from, case.outputs, refined.seconds, refined.kept)
        return Outcome(case, State.DONE, refined=refined)

    def _follow(self, name: str, job: Job) -> None:
        with self._lock:
            self._running[name] = (job, 0.0)
        if self._stopped:  # the end came between the submission and the line above
            job.cancel()
        for event in job:
            if event.kind is EventKind.PROGRESS and event.total:
                with self._lock:
                    self._running[name] = (job, event.done / event.total)

    def _share(self) -> float:
        with held_back(), self._lock:
            return sum(share for _, share in self._running.values())

    def _end(self) -> None:
        """Start nothing more and cancel what runs."""
        self._stopped = True
        with held_back(), self._lock:
            jobs = [job for job, _ in self._running.values()]
        for job in jobs:
            with contextlib.suppress(MedSynthError):  # the first trouble is the one to tell
                job.cancel()


class _Pace:
    """How many have ended, and the time left by the pace of those that were made."""

    def __init__(self, total: int) -> None:
        self._total, self._ended, self._made, self._failed = total, 0, 0, 0
        self._start = time.monotonic()

    def count(self, outcome: Outcome) -> None:
        self._ended += 1
        self._made += outcome.state is State.DONE
        self._failed += outcome.state is State.FAILED

    def words(self, share: float) -> str:
        made = self._made + share
        per_case = (time.monotonic() - self._start) / made if made else None
        left = None if per_case is None else per_case * max(0.0, self._total - self._ended - share)
        failed = f", {self._failed} failed" if self._failed else ""
        return how_far(self._ended, self._total, left) + failed


def summary(outcomes: Sequence[Outcome], seconds: float) -> list[str]:
    """Return the lines that end a batch: the counts, then each failure with its reason."""
    counts = {state: sum(outcome.state is state for outcome in outcomes) for state in State}
    words = [f"{counts[State.DONE]} done"]
    words += [f"{counts[State.SKIPPED]} skipped, made before from the same files"] if counts[State.SKIPPED] else []
    words += [f"{counts[state]} {state.value}" for state in (State.FAILED, State.NOT_STARTED) if counts[state]]
    failures = [f"  {o.case.name}: {o.reason}" for o in outcomes if o.state is State.FAILED]
    return [f"{'; '.join(words)}; {duration(seconds)}", *sorted(failures)]

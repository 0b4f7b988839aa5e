"""Many small jobs in several processes of one thread each; with one worker in this process, one after the other."""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import torch

from medsynth_core.interrupts import each

JobT = TypeVar("JobT")
ResultT = TypeVar("ResultT")


@dataclass(frozen=True)
class HowFar:
    """Jobs done of all, what they are, and the seconds left by the time they took so far; None while that is not known."""

    what: str
    done: int
    total: int
    seconds_left: float | None


Report = Callable[[HowFar], None]


def worked(do: Callable[[JobT], ResultT], jobs: Sequence[JobT], workers: int, what: str, report: Report) -> list[ResultT]:
    """Return what `do` gives for each job, in the order of the jobs; `do` stands at the top of a module."""
    began, done = time.monotonic(), {}
    for count, (place, result) in enumerate(_results(do, jobs, workers), start=1):
        done[place] = result
        report(HowFar(what, count, len(jobs), (time.monotonic() - began) / count * (len(jobs) - count)))
    return [done[place] for place in range(len(jobs))]


def _results(do: Callable[[JobT], ResultT], jobs: Sequence[JobT], workers: int) -> Iterator[tuple[int, ResultT]]:
    if workers == 1 or len(jobs) < 2:
        yield from ((place, do(job)) for place, job in enumerate(jobs))
        return
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(min(workers, len(jobs)), context, begin_worker)
    yield from each(pool, do, jobs)


def begin_worker() -> None:
    """Make this process, if it is another's, a worker: of one thread, and gone as soon as the command is."""
    torch.set_num_threads(1)
    threading.Thread(target=_leave_with_the_command, name="command", daemon=True).start()


def _leave_with_the_command() -> None:
    """End when the command has gone: a worker of one that was killed would finish its job, and then wait for ever."""
    command = multiprocessing.parent_process()
    if command is not None:
        command.join()
        os._exit(1)

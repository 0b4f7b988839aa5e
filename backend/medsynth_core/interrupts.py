"""Ctrl-C where threads or processes work for us: it waits until no lock is in our hands.

Python raises KeyboardInterrupt between any two instructions of the main thread. Inside `concurrent.futures.wait` that leaves the
lock of a future taken for good: the thread that ends it then waits for ever, and so does whoever waits for that thread. It was
seen on a busy machine as a command that Ctrl-C did not end. So the main thread waits in short turns, and is interrupted between.
"""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from types import FrameType
from typing import TypeVar

JobT = TypeVar("JobT")
ResultT = TypeVar("ResultT")
LOOK_SECONDS = 0.2


@contextlib.contextmanager
def held_back() -> Iterator[None]:
    """Let Ctrl-C strike when the block is left; who presses twice means at once.

    Nothing changes in another thread than the main one, or where Ctrl-C is ignored.
    """
    strike = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(strike):
        yield
        return
    held: list[int] = []

    def hold(number: int, frame: FrameType | None) -> None:
        if held:
            strike(number, frame)
        held.append(number)

    signal.signal(signal.SIGINT, hold)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, strike)
        if held:
            strike(signal.SIGINT, None)


def rounds(futures: Collection[Future[ResultT]]) -> Iterator[set[Future[ResultT]]]:
    """Yield those that have ended, each once, until none is left; an empty set when none ended within LOOK_SECONDS."""
    waiting = set(futures)
    while waiting:
        with held_back():
            ended, waiting = wait(waiting, LOOK_SECONDS, FIRST_COMPLETED)
        yield ended


def each(pool: Executor, do: Callable[[JobT], ResultT], jobs: Sequence[JobT]) -> Iterator[tuple[int, ResultT]]:
    """Yield (place, result) of the jobs as they end, and shut the pool down. Left early, no job is begun any more.

    Raises what a job raised.
    """
    running: dict[Future[ResultT], int] = {}
    try:
        with held_back():
            running |= {pool.submit(do, job): place for place, job in enumerate(jobs)}
        for ended in rounds(running):
            yield from [(running[future], future.result()) for future in ended]
    finally:
        with held_back():
            pool.shutdown(cancel_futures=True)


def mapped(pool: Executor, do: Callable[[JobT], ResultT], jobs: Sequence[JobT]) -> list[ResultT]:
    """Return what `do` gives for each job, in their order, and shut the pool down. Raises what a job raised."""
    results = dict(each(pool, do, jobs))
    return [results[place] for place in range(len(jobs))]

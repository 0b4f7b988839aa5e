"""The training child: `python -m medsynth_core.service.training_child examine|train FOLDER`, started by the service.

It alone opens the folders that a request names. Orders come through its standard input, a word a line; when that closes, the
service is gone, and the process leaves a checkpoint and ends. What it says lies in its folder (`training_folder`).

Threads: the main thread reads, trains and writes; another one reads the orders. The lock of `Orders` guards the wish, and that
a process which only reads yet can leave at once.
"""

from __future__ import annotations

import errno
import faulthandler
import logging
import os
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import IO, TYPE_CHECKING

from medsynth_core.errors import InputError, MedSynthError, TrainingDataError
from medsynth_core.lock import FolderLock
from medsynth_core.protocol_training import Examination, TrainingState
from medsynth_core.service import hardware
from medsynth_core.service.bounds import bound, step_back
from medsynth_core.service.child_process import EXIT_FAILED
from medsynth_core.service.examination_folder import ExaminationFolder
from medsynth_core.service.logs import log_to
from medsynth_core.service.training_folder import TrainingFolder
from medsynth_core.training.control import Wish

if TYPE_CHECKING:
    from medsynth_core.training.loop import TrainingProgress

LOG = logging.getLogger("medsynth_core.service.training_child")  # run as __main__, it would be outside of our loggers
EXIT_LOCKED = 75
LOCK_SECONDS = 30.0
"""For so long the process before us may take to leave, after its service was killed."""
LEAVE_SECONDS = 10.0
BEAT_SECONDS = 1.0
MOST_OFFENDERS = 20
WISHES = {"pause": Wish.PAUSE, "stop": Wish.STOP}
OUTCOMES = {Wish.PAUSE: TrainingState.PAUSED, Wish.STOP: TrainingState.STOPPED}


class Orders:
    """What the service wants, from the standard input, and what the process tells about it."""

    def __init__(self, folder: TrainingFolder) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._wish, self._trains, self._orphan = Wish.GO_ON, False, False
        self._beaten = 0.0
        self.said = replace(folder.said(), outcome=None, error_code="", error="")

    def begin(self) -> None:
        """From now on the training must be told to end; it cannot just be left."""
        with self._lock:
            self._trains = True

    def wish(self, done: int) -> Wish:
        """Return what is wanted after `done` steps; once a second, say how far the training is."""
        if time.monotonic() - self._beaten >= BEAT_SECONDS:
            self.tell(step=done)
        return self._wish

    def tell(self, **fields: object) -> None:
        """Say something, in the folder."""
        self._beaten = time.monotonic()
        self.said = replace(self.said, **fields)  # type: ignore[arg-type]
        self._folder.say(self.said)

    def listen(self, orders: IO[str]) -> None:
        """Take orders until there are no more."""
        for word in orders:
            if word.strip() in WISHES:
                self._take(WISHES[word.strip()])
        self._orphan = True
        self._take(Wish.PAUSE)
        time.sleep(LEAVE_SECONDS)
        os._exit(0)

    def end(self, finished: bool) -> None:
        """Say how the training ended. An orphan says nothing: the next service lets it go on."""
        if finished:
            self.tell(outcome=TrainingState.DONE, seconds_left=0.0)
        elif not self._orphan:
            self.tell(outcome=OUTCOMES[self._wish])

    def _take(self, wish: Wish) -> None:
        with self._lock:
            self._wish = wish
            if not self._trains:
                if not self._orphan:
                    self.tell(outcome=OUTCOMES[wish])
                os._exit(0)


def main(arguments: list[str]) -> int:
    """Do what the arguments say; return the exit status."""
    task, path = arguments[0], Path(arguments[1])
    if task == "train":  # for the doctor somebody waits
        step_back()
    bound()
    log_to(path, "child.log")
    with (path / "crash.log").open("ab") as crash:
        faulthandler.enable(crash)  # names code lines only
        lock = FolderLock(path, "child.lock")
        if not lock.acquire(LOCK_SECONDS):
            return EXIT_LOCKED
        try:
            _train(TrainingFolder(path)) if task == "train" else _examine(ExaminationFolder(path))
        except Exception:  # border: the service starts another process, and says so when that is in vain
            LOG.exception("the process failed")
            return EXIT_FAILED
    os._exit(0)  # a thread that waits for orders must not keep the process


def _train(folder: TrainingFolder) -> None:
    orders = Orders(folder)
    orders.tell()
    threading.Thread(target=orders.listen, args=(_orders(),), name="orders", daemon=True).start()
    try:
        _run(folder, orders)
    except Exception as problem:  # noqa: BLE001  border: what is no defect of ours ends as a sentence
        code, sentence = explained(problem)
        LOG.info("failed: %s", code)
        orders.tell(outcome=TrainingState.FAILED, error_code=code, error=sentence)


def _run(folder: TrainingFolder, orders: Orders) -> None:
    from medsynth_core.engines._training import order_of, prepared, run_training

    request = folder.request()
    order = order_of(request)
    recipe = prepared(request, order)
    orders.tell(steps=recipe.steps, notices=recipe.notices)
    LOG.info("training %s of %s steps on %s", request.engine, recipe.steps, order.device)
    orders.begin()

    def report(progress: TrainingProgress) -> None:
        orders.tell(step=progress.step, seconds_left=progress.seconds_left)

    def say(words: str) -> None:
        orders.tell(notices=(*recipe.notices, words))

    run_training(recipe, folder.model, order.device, report, control=orders, say=say, judge=order.judge)
    last = max((line.step for line in folder.keeping.lines()), default=0)
    LOG.info("ended after step %s", last)
    orders.end(finished=last == recipe.steps)


def _examine(folder: ExaminationFolder) -> None:
    from medsynth_core.engines._doctor import examine

    threading.Thread(target=_leave_with, args=(_orders(),), name="orders", daemon=True).start()
    running = Examination(folder.id, TrainingState.RUNNING)
    try:
        done = replace(running, state=TrainingState.DONE, report=examine(folder.request(), folder.thumbnails))
    except Exception as problem:  # noqa: BLE001  border, as above
        code, sentence = explained(problem)
        done = replace(running, state=TrainingState.FAILED, error_code=code, error=sentence)
    folder.set(done)


def _orders() -> IO[str]:
    """Return the standard input as a stream of our own. A thread that waits in `sys.stdin` holds its lock, and every process that
    is forked meanwhile, such as one that makes batches ahead, would wait for it for ever: it closes `sys.stdin` first of all."""
    return open(os.dup(sys.stdin.fileno()), encoding="utf-8")


def _leave_with(orders: IO[str]) -> None:
    orders.read()
    os._exit(0)


def explained(problem: Exception) -> tuple[str, str]:
    """Return code and sentence of a problem that trying again would meet again. Raises it when it is no such problem."""
    if isinstance(problem, TrainingDataError):
        more = len(problem.offenders) - MOST_OFFENDERS
        rest = (f"… and {more} more",) if more > 0 else ()
        return problem.code, "\n".join((str(problem), *problem.offenders[:MOST_OFFENDERS], *rest))
    if isinstance(problem, MedSynthError):
        return problem.code, str(problem)
    if isinstance(problem, MemoryError) or hardware.is_out_of_memory(problem):
        return "out_of_memory", "the training needs more memory than there is: choose a smaller batch or preset"
    if _finds_no_room(problem):
        return "storage_full", "the disk is full: make some room, then let the training go on"
    if isinstance(problem, OSError) and problem.filename:
        name = Path(str(problem.filename)).name
        return InputError.code, f"{name} cannot be used: {problem.strerror}; see that it is there and may be read"
    raise problem


def _finds_no_room(problem: Exception) -> bool:
    """Return whether the disk is full. Weights are written by a library that says so in words alone."""
    full = (errno.ENOSPC, errno.EDQUOT)
    if isinstance(problem, OSError):
        return problem.errno in full
    said = str(problem) if type(problem).__name__ == "SafetensorError" else ""
    return any(f"(os error {number})" in said for number in full)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))

"""Turns Slicer's main loop in a test, and measures how long a turn holds it up."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import qt


@dataclass
class MainThread:
    """How long the turns of the loop took: in the clock of the wall, and in the work of this thread alone."""

    wall_s: list[float] = field(default_factory=list)
    work_s: list[float] = field(default_factory=list)

    def turn(self) -> None:
        """Let Qt work once."""
        wall, work = time.perf_counter(), time.thread_time()
        qt.QApplication.processEvents()
        self.wall_s.append(time.perf_counter() - wall)
        self.work_s.append(time.thread_time() - work)
        time.sleep(0.001)

    def until(self, fits: Callable[[], object], seconds: float = 30) -> None:
        """Turn until `fits()`; fail after `seconds`."""
        deadline = time.monotonic() + seconds
        while not fits():
            assert time.monotonic() < deadline, f"not so within {seconds} s"
            self.turn()

    def rest(self, seconds: float) -> None:
        """Turn for a while."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self.turn()

"""How long a job still takes: the one place where that is worked out."""

from __future__ import annotations

import time


class Pace:
    """Steps done since this run started, against the clock. Steps kept from before a resume do not count as speed."""

    def __init__(self) -> None:
        self._first: tuple[float, int] | None = None

    def seconds_left(self, done: int, total: int) -> float | None:
        """Return the seconds left after `done` of `total` steps; None while there is nothing to judge by."""
        now = time.monotonic()
        if self._first is None:
            self._first = (now, done)
            return None
        started, before = self._first
        if done <= before or now <= started:
            return None
        return round((total - done) * (now - started) / (done - before), 3)

"""How far a command is, in the same words everywhere: "3 of 20, 4 min left"."""

from __future__ import annotations

import sys
import time

REDRAW_SECONDS = 0.1


def duration(seconds: float) -> str:
    """Return a time as a person says it: 12 s, 4 min, 2 h 40 min."""
    if seconds < 99.5:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60:02d} min"


def how_far(done: int, total: int, seconds_left: float | None) -> str:
    """Return how many are done of all and the time left, unless that is None."""
    left = "" if seconds_left is None else f", {duration(seconds_left)} left"
    return f"{done} of {total}{left}"


class ProgressLine:
    """One line on stderr that is written over and over, when stderr is a terminal."""

    def __init__(self) -> None:
        self._visible, self._last = sys.stderr.isatty(), 0.0

    def show(self, text: str) -> None:
        """Show the text instead of the one before, ten times a second at most."""
        if self._visible and time.monotonic() - self._last > REDRAW_SECONDS:
            self._last = time.monotonic()
            print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)

    def clear(self) -> None:
        """Take the line away, so that something else can be printed."""
        if self._visible:
            self._last = 0.0
            print("\r\033[K", end="", file=sys.stderr, flush=True)

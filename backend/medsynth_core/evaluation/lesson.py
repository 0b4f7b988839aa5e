"""How far a network is that learns to judge."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class LessonStep:
    """`step` of `steps`, from 1, of the lesson of one network, and its loss."""

    network: str
    step: int
    steps: int
    loss: float


LessonReport = Callable[[LessonStep], None]
"""Called after each step; what it raises ends the lesson."""


class TimeLeft:
    """Tells how many seconds a lesson still takes, by those it took so far; each network is timed by itself."""

    def __init__(self) -> None:
        self._network, self._began, self._first = "", 0.0, 0

    def __call__(self, at: LessonStep) -> float | None:
        """Return the seconds from this step to the last; None at the first, which tells nothing of its own time."""
        now = time.monotonic()
        if at.network != self._network or at.step <= self._first:
            self._network, self._began, self._first = at.network, now, at.step
        done = at.step - self._first
        return (now - self._began) / done * (at.steps - at.step) if done else None

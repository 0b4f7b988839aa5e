"""How a training is told to end before its last step, and when it writes."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Protocol

OFTEN, LOOKS, LINES = 500, 20, 100
"""Looks and saves come every so many steps at least; a short training has about so many looks, and so many lines."""


class Wish(enum.Enum):
    """What is wanted of a running training: PAUSE leaves it so that going on changes nothing, STOP ends it for good."""

    GO_ON = enum.auto()
    PAUSE = enum.auto()
    STOP = enum.auto()


class Control(Protocol):
    """Who may end a training early."""

    def wish(self, done: int) -> Wish:
        """Return what is wanted after `done` steps; asked after each step."""


class NoControl:
    """Nobody ends the training early."""

    def wish(self, done: int) -> Wish:
        """Return GO_ON."""
        return Wish.GO_ON


@dataclass(frozen=True)
class Pace:
    """When the loop stops and writes. `seconds` ends a session early (the next run goes on); None means until done.

    It saves every `save_every` steps, and on a slow machine about every `save_seconds`, too: little is lost with a process.
    """

    seconds: float | None = None
    report_every: int = 20
    look_every: int = OFTEN
    save_every: int = OFTEN
    save_seconds: float = 120.0

    @classmethod
    def of(cls, steps: int, seconds: float | None = None) -> Pace:
        """Return the pace of a training of `steps` steps: a short one has its curves, strips and checkpoints, too."""
        look = max(1, min(OFTEN, steps // LOOKS))
        return cls(seconds, max(1, min(20, steps // LINES)), look, look)

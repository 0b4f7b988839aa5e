"""Ctrl-C at any instruction: what a test needs to press it there."""

from __future__ import annotations

import contextlib
import signal
import sys
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

import pytest

PLACES = 30
MOST_SECONDS = 10


class HangError(BaseException):
    """It did not end. Not an Exception, as the border of the command must not make a sentence of it."""


@contextlib.contextmanager
def alarm() -> Iterator[None]:
    """Let a test that hangs fail: the alarm reaches the main thread where it waits for a lock, too."""

    def ring(*_: object) -> None:
        raise HangError(f"not ended after {MOST_SECONDS} s")

    before = signal.signal(signal.SIGALRM, ring)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


class Strike:
    """Counts the instructions of the code looked into, and presses Ctrl-C before the one numbered `at`.

    `places` are parts of paths, or of names of functions with those of their classes.
    """

    def __init__(self, at: int, places: tuple[str, ...]) -> None:
        self._at, self._places, self.count, self.where = at, places, 0, ""

    def __call__(self, frame: FrameType, event: str, _: Any) -> Strike | None:
        name = f"{frame.f_code.co_filename}:{frame.f_code.co_qualname}"
        if not any(place in name for place in self._places):
            return None
        frame.f_trace_opcodes = True
        if event == "opcode":
            self.count += 1
            if self.count == self._at:
                sys.settrace(None)
                self.where = f"{frame.f_code.co_qualname}, line {frame.f_lineno}"
                signal.raise_signal(signal.SIGINT)
        return self


def struck(at: int, run: Callable[[], Any], places: tuple[str, ...]) -> tuple[Any, Strike]:
    """Return what `run` gives when Ctrl-C strikes at an instruction: its result, or "interrupted"; and the striker."""
    strike = Strike(at, places)
    signal.setitimer(signal.ITIMER_REAL, MOST_SECONDS)
    sys.settrace(strike)
    try:
        return run(), strike
    except KeyboardInterrupt:
        return "interrupted", strike
    except HangError as problem:
        pytest.fail(f"interrupted in {strike.where}: {problem}")
    finally:
        sys.settrace(None)
        signal.setitimer(signal.ITIMER_REAL, 0)


def spread(count: int) -> range:
    """Return places all over `count` instructions; the step is no multiple of the lengths of short loops."""
    return range(1, count, max(1, count // PLACES) | 1)

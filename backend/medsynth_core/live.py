"""When to run in live mode: a draft after each edit, the full quality after a pause, the newest edit alone.

    edited ─▶ START draft ─arrived─▶ SHOW ─ settle_s without an edit ─▶ START final ─arrived─▶ SHOW
       ▲                                                                                        │
       └──────── another edit, at any time: CANCEL what runs, drop what arrived, begin anew ◀───┘

Nothing is ever queued: at most one run is under way, and always of the newest edit. While the mouse is down nothing is started
and nothing is shown. There is no clock, thread or toolkit in here, so every viewer can drive it: tell it what happens, with the
time in seconds of a clock that only goes forward, do what `next` returns until that is None, and look again after `wait_s`.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

SETTLE_S = 0.6
"""A pause in painting, in seconds: longer than the way from one stroke to the next, shorter than a wait."""


class Quality(enum.StrEnum):
    """How good a result is: one step at once, or all of them after a pause."""

    DRAFT = "draft"
    FINAL = "final"


class Act(enum.StrEnum):
    """What is to be done with a run. CANCEL: stop it if it still runs, and forget it and its result."""

    START = "start"
    CANCEL = "cancel"
    SHOW = "show"


@dataclass(frozen=True)
class Step:
    """One thing to do now. `run` numbers the runs from 1; `seconds` is, for SHOW, the time since the run was started."""

    act: Act
    run: int
    quality: Quality
    seconds: float = 0.0


@dataclass
class _Run:
    number: int
    quality: Quality
    edit: int
    started: float
    arrived: float | None = None


class Live:
    """The scheduler of one watched mask. `settle_s` is how long the hand must rest before the full quality is made."""

    def __init__(self, settle_s: float = SETTLE_S) -> None:
        self._settle_s = settle_s
        self._seen = ""
        self._edit = 0  # numbers the edits; a run of another number is outdated
        self._due: Quality | None = None
        self._rest_since = 0.0
        self._down = False
        self._run: _Run | None = None
        self._runs = 0

    @property
    def busy(self) -> bool:
        """Whether something is under way or will be without a further edit."""
        return self._due is not None or self._run is not None

    def seen(self, fingerprint: str) -> None:
        """Take note of what is watched now without a reason to run: at the start, on another slice, after our own write."""
        self._seen, self._due = fingerprint, None
        self._edit += 1

    def edited(self, now: float, fingerprint: str) -> None:
        """The watched pixels may have changed; a fingerprint that is known already is no edit."""
        if fingerprint != self._seen:
            self.seen(fingerprint)
            self._due, self._rest_since = Quality.DRAFT, now

    def pressed(self) -> None:
        """The mouse went down on the canvas."""
        self._down = True

    def released(self, now: float) -> None:
        """The mouse went up again; the pause is counted from here."""
        self._down, self._rest_since = False, now

    def arrived(self, now: float, run: int) -> None:
        """A run's result is there; one that was cancelled, or is of another number, is nobody's."""
        if self._run is not None and self._run.number == run:
            self._run.arrived = now

    def failed(self, run: int) -> None:
        """A run ended without a result: nothing more is made until the next edit."""
        if self._run is not None and self._run.number == run:
            if self._run.edit == self._edit:
                self._due = None
            self._run = None

    def stop(self) -> None:
        """Live mode is switched off: what runs is cancelled by the next step."""
        self.seen("")

    def next(self, now: float) -> Step | None:
        """Return what to do now, None if nothing. Each step is returned once and counts as done."""
        if self._run is not None and self._run.edit != self._edit:
            outdated, self._run = self._run, None
            return Step(Act.CANCEL, outdated.number, outdated.quality)
        if self._down:
            return None
        if self._run is not None:
            return self._show(self._run)
        if self._due is Quality.FINAL and now < self._rest_since + self._settle_s:
            return None
        return self._start(now) if self._due is not None else None

    def wait_s(self, now: float) -> float | None:
        """Return after how many seconds `next` may have something without being told; None if it will not."""
        if self._due is not Quality.FINAL or self._run is not None or self._down:
            return None
        return max(0.0, self._rest_since + self._settle_s - now)

    def _start(self, now: float) -> Step:
        assert self._due is not None
        self._runs += 1
        self._run, self._due = _Run(self._runs, self._due, self._edit, now), None
        return Step(Act.START, self._run.number, self._run.quality)

    def _show(self, run: _Run) -> Step | None:
        if run.arrived is None:
            return None
        self._run = None
        self._due = Quality.FINAL if run.quality is Quality.DRAFT else None
        return Step(Act.SHOW, run.number, run.quality, run.arrived - run.started)

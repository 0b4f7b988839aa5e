"""The runs of live mode, the same in every viewer: does what the scheduler (`live`) says, and says it in the same words.

A viewer watches the slice that is shown and the mouse, and tells them here; what is sent and how a result is shown is its own.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from medsynth_core.errors import MedSynthError
from medsynth_core.live import Act, Live, Quality, Step
from medsynth_core.preflight import show_seconds
from medsynth_core.run import Ending, Made, Run

LOOK_MS = 40
"""How long many small changes in a row, as of an undo, are gathered before the slice is looked at."""
EACH, EACH_TIP = "each stroke", "Make the shown slice anew after each stroke: at once as a draft, in full after a short pause"
WAITING = "waiting"
PIN, PIN_TIP = "Pin", "Keep this result as it is: the next stroke makes another one"
SHOWN = "How good the preview is, and what it took"
SubjectT = TypeVar("SubjectT")


class Stage(Protocol[SubjectT]):
    """A viewer's side."""

    def make(self, quality: Quality) -> tuple[SubjectT, Run]:
        """Start a run; return what it is of, and the run. Raises MedSynthError when it cannot."""

    def present(self, made: Made, subject: SubjectT) -> None:
        """Show what a run made."""

    def tell(self, text: str, detail: str = "") -> None:
        """Say what live mode does, in a few words, and in a sentence where there is one."""

    def wake(self, seconds: float) -> None:
        """Call `pump` after so long."""


@dataclass(eq=False)
class _LiveRun(Generic[SubjectT]):
    number: int
    run: Run
    subject: SubjectT
    made: Made | None = None


class LiveRuns(Generic[SubjectT]):
    """Told what happens, it starts, cancels and shows runs by its stage. `clock` counts seconds and only goes forward."""

    def __init__(self, stage: Stage[SubjectT], clock: Callable[[], float] = time.monotonic) -> None:
        self._stage, self._clock = stage, clock
        self._live = Live()
        self._runs: dict[int, _LiveRun[SubjectT]] = {}
        self._where: object = None

    def of(self, run: Run) -> SubjectT | None:
        """Return what a run of live mode is of; None for one that is not its own, or does not count any more."""
        live_run = self._find(run)
        return live_run.subject if live_run is not None else None

    def pressed(self) -> None:
        """The mouse went down on the canvas."""
        self._live.pressed()

    def released(self) -> None:
        """The mouse went up again."""
        self._live.released(self._clock())

    def look(self, where: object, fingerprint: str, first: bool = False) -> None:
        """Take what is shown now; another slice, told by `where`, is no edit, but for the `first` look."""
        if where != self._where and not first:
            self._live.seen(fingerprint)
        else:
            self._live.edited(self._clock(), fingerprint)
        self._where = where
        self.pump()

    def settle(self, where: object, fingerprint: str) -> None:
        """Take what is shown for known: after the viewer's own write into the mask, and before a run of the button."""
        self._where = where
        self._live.seen(fingerprint)
        self.pump()

    def stop(self) -> None:
        """Cancel what runs; nothing of it is shown any more."""
        self._live.stop()
        self._where = None
        for live_run in self._runs.values():
            if live_run.made is None:
                live_run.run.cancel()
        self._runs.clear()

    def made(self, run: Run, made: Made) -> None:
        """Take the result of a run."""
        if (live_run := self._find(run)) is not None:
            live_run.made = made
            self._live.arrived(self._clock(), live_run.number)
        self.pump()

    def ended(self, run: Run, ending: Ending, problem: MedSynthError | None) -> MedSynthError | None:
        """Take the end of a run; return what went wrong, if it is worth a message."""
        live_run = self._find(run)
        if live_run is None or live_run.made is not None:
            return None
        del self._runs[live_run.number]
        self._live.failed(live_run.number)
        self.pump()
        if ending is not Ending.FAILED:
            return None
        self._stage.tell("failed", str(problem))
        return problem

    def pump(self) -> None:
        """Do all there is to do now, and ask to be woken when there may be more."""
        while step := self._live.next(self._clock()):
            self._do(step)
        wait = self._live.wait_s(self._clock())
        if wait is not None:
            self._stage.wake(wait)

    def _find(self, run: Run) -> _LiveRun[SubjectT] | None:
        return next((live_run for live_run in self._runs.values() if live_run.run is run), None)

    def _do(self, step: Step) -> None:
        if step.act is Act.START:
            self._start(step)
            return
        live_run = self._runs.pop(step.run, None)
        if live_run is not None and live_run.made is None:
            live_run.run.cancel()
        if step.act is Act.SHOW:
            if live_run is not None and live_run.made is not None:
                self._stage.present(live_run.made, live_run.subject)
            self._stage.tell(f"{step.quality} · {show_seconds(step.seconds)}", SHOWN)

    def _start(self, step: Step) -> None:
        try:
            subject, run = self._stage.make(step.quality)
        except MedSynthError as problem:
            self._live.failed(step.run)
            self._stage.tell(WAITING, str(problem))
            return
        self._runs[step.run] = _LiveRun(step.run, run, subject)
        self._stage.tell("drafting…" if step.quality is Quality.DRAFT else "settling…")

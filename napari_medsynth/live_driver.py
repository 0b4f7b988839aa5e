"""Live mode in the viewer: watches mask, locks and mouse, and does what the scheduler (`medsynth_core.live`) says."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import napari
from qtpy.QtCore import QObject, QTimer

from medsynth_core.errors import MedSynthError
from medsynth_core.live import Act, Live, Quality, Step
from medsynth_core.preflight import show_seconds
from medsynth_core.run import Ending, Made, Run
from napari_medsynth.live_row import LiveRow
from napari_medsynth.refine_desk import RefineDesk, Subject

LOOK_MS = 40
"""How long many small changes in a row, as of an undo, are gathered before the slice is looked at."""


class Maker(Protocol):
    """Who can run and show."""

    def make(self, subject: Subject, quality: Quality) -> Run:
        """Start a run. Raises MedSynthError when it cannot."""

    def present(self, made: Made, subject: Subject, focus: bool) -> None:
        """Show what a run made."""


@dataclass(eq=False)
class _LiveRun:
    number: int
    quality: Quality
    run: Run
    subject: Subject
    made: Made | None = None


class LiveDriver:
    """Live mode of one panel, off at first. Its runs are its own: `owns` tells them from those of the button."""

    def __init__(self, viewer: napari.Viewer, desk: RefineDesk, row: LiveRow, maker: Maker) -> None:
        self._viewer, self._desk, self._row, self._maker = viewer, desk, row, maker
        self._live = Live()
        self._runs: dict[int, _LiveRun] = {}
        self._slice: tuple[int | None, ...] = ()
        self._on = False
        self._looks, self._wake = _timer(row, self._look), _timer(row, self._pump)
        row.switch.toggled.connect(self.switch)
        desk.changed.connect(self._look_soon)

    @property
    def on(self) -> bool:
        """Whether live mode is on."""
        return self._on

    def switch(self, on: bool) -> None:
        """Turn live mode on, which refines what is there, or off."""
        self._on = on
        self._live.stop()
        self._slice = ()
        callbacks = self._viewer.mouse_drag_callbacks
        if on and self._mouse not in callbacks:
            callbacks.append(self._mouse)
        self._row.tell("")
        if on:
            self._look(first=True)
        else:
            self.end()

    def end(self) -> None:
        """Stop watching; may be called twice and after the widget is gone."""
        self._on = False
        self._live.stop()
        if self._mouse in self._viewer.mouse_drag_callbacks:
            self._viewer.mouse_drag_callbacks.remove(self._mouse)
        for live_run in self._runs.values():
            live_run.run.cancel()
        self._runs.clear()

    def settle(self) -> None:
        """Take what is there for known: after our own write into the mask, and before a run of the button."""
        if self._on:
            try:
                self._slice, fingerprint = self._desk.fingerprint()
            except MedSynthError:
                return
            self._live.seen(fingerprint)
            self._pump()

    def owns(self, run: Run) -> bool:
        """Return whether live mode started a run."""
        return any(live_run.run is run for live_run in self._runs.values())

    def made(self, run: Run, made: Made) -> None:
        """Take the result of a run of live mode."""
        for live_run in self._runs.values():
            if live_run.run is run:
                live_run.made = made
                self._live.arrived(time.monotonic(), live_run.number)
        self._pump()

    def ended(self, run: Run, ending: Ending, problem: MedSynthError | None) -> MedSynthError | None:
        """Take the end of a run of live mode; return what went wrong, if it is worth a message."""
        live_run = next(live_run for live_run in self._runs.values() if live_run.run is run)
        if live_run.made is not None:
            return None
        del self._runs[live_run.number]
        self._live.failed(live_run.number)
        self._pump()
        if ending is not Ending.FAILED:
            return None
        self._row.tell("failed", str(problem))
        return problem

    def _mouse(self, _: Any, event: Any) -> Iterator[None]:
        self._live.pressed()
        yield
        while event.type == "mouse_move":
            yield
        self._live.released(time.monotonic())
        self._look_soon()

    def _look_soon(self) -> None:
        if self._on and not self._looks.isActive():
            self._looks.start(LOOK_MS)

    def _look(self, first: bool = False) -> None:
        """Compare the shown slice with what is known of it; another slice is no edit."""
        if not self._on:
            return
        try:
            where, fingerprint = self._desk.fingerprint()
        except MedSynthError:
            return
        if where != self._slice and not first:
            self._live.seen(fingerprint)
        else:
            self._live.edited(time.monotonic(), fingerprint)
        self._slice = where
        self._pump()

    def _pump(self) -> None:
        while step := self._live.next(time.monotonic()):
            self._do(step)
        wait = self._live.wait_s(time.monotonic())
        if wait is not None:
            self._wake.start(int(1000 * wait) + 1)

    def _do(self, step: Step) -> None:
        match step.act:
            case Act.START:
                self._start(step)
            case Act.CANCEL:
                live_run = self._runs.pop(step.run)
                if live_run.made is None:
                    live_run.run.cancel()
            case Act.SHOW:
                live_run = self._runs.pop(step.run)
                if live_run.made is not None:
                    self._maker.present(live_run.made, live_run.subject, focus=False)
                self._row.tell(f"{step.quality} · {show_seconds(step.seconds)}", "How good the preview is, and what it took")

    def _start(self, step: Step) -> None:
        try:
            subject = self._desk.subject(whole=False)
            run = self._maker.make(subject, step.quality)
        except MedSynthError as problem:
            self._live.failed(step.run)
            self._row.tell("waiting", f"{problem}")
            return
        self._runs[step.run] = _LiveRun(step.run, step.quality, run, subject)
        self._row.tell("drafting…" if step.quality is Quality.DRAFT else "settling…")


def _timer(parent: QObject, act: Callable[[], None]) -> QTimer:
    timer = QTimer(parent)
    timer.setSingleShot(True)
    timer.timeout.connect(act)
    return timer

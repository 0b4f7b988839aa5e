"""Live mode in the viewer: watches mask, locks and mouse for the runs that every viewer has (`medsynth_core.live_runs`)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Protocol

import napari
from qtpy.QtCore import QObject, QTimer

from medsynth_core.errors import MedSynthError
from medsynth_core.live import Quality
from medsynth_core.live_runs import LOOK_MS, LiveRuns
from medsynth_core.run import Ending, Made, Run
from napari_medsynth.live_row import LiveRow
from napari_medsynth.refine_desk import RefineDesk, Subject


class Maker(Protocol):
    """Who can run and show."""

    def make(self, subject: Subject, quality: Quality) -> Run:
        """Start a run. Raises MedSynthError when it cannot."""

    def present(self, made: Made, subject: Subject, focus: bool) -> None:
        """Show what a run made."""


class LiveDriver:
    """Live mode of one panel, off at first. Its runs are its own: `owns` tells them from those of the button."""

    def __init__(self, viewer: napari.Viewer, desk: RefineDesk, row: LiveRow, maker: Maker) -> None:
        self._viewer, self._desk, self._row, self._maker = viewer, desk, row, maker
        self._runs: LiveRuns[Subject] = LiveRuns(self)
        self._on = False
        self._looks, self._wake = _timer(row, self._look), _timer(row, self._runs.pump)
        row.switch.toggled.connect(self.switch)
        desk.changed.connect(self._look_soon)

    @property
    def on(self) -> bool:
        """Whether live mode is on."""
        return self._on

    def switch(self, on: bool) -> None:
        """Turn live mode on, which refines what is there, or off."""
        self._on = on
        self._runs.stop()
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
        self._runs.stop()
        if self._mouse in self._viewer.mouse_drag_callbacks:
            self._viewer.mouse_drag_callbacks.remove(self._mouse)

    def settle(self) -> None:
        """Take what is there for known: after our own write into the mask, and before a run of the button."""
        if self._on:
            try:
                self._runs.settle(*self._desk.fingerprint())
            except MedSynthError:
                return

    def owns(self, run: Run) -> bool:
        """Return whether live mode started a run."""
        return self._runs.of(run) is not None

    def made(self, run: Run, made: Made) -> None:
        """Take the result of a run of live mode."""
        self._runs.made(run, made)

    def ended(self, run: Run, ending: Ending, problem: MedSynthError | None) -> MedSynthError | None:
        """Take the end of a run of live mode; return what went wrong, if it is worth a message."""
        return self._runs.ended(run, ending, problem)

    def make(self, quality: Quality) -> tuple[Subject, Run]:
        """Start a run on the shown slice. Raises MedSynthError when it cannot."""
        subject = self._desk.subject(whole=False)
        return subject, self._maker.make(subject, quality)

    def present(self, made: Made, subject: Subject) -> None:
        """Show a result; the brush stays in the user's hand."""
        self._maker.present(made, subject, focus=False)

    def tell(self, text: str, detail: str = "") -> None:
        """Say what live mode does."""
        self._row.tell(text, detail)

    def wake(self, seconds: float) -> None:
        """Look again after so long."""
        self._wake.start(int(1000 * seconds) + 1)

    def _mouse(self, _: Any, event: Any) -> Iterator[None]:
        self._runs.pressed()
        yield
        while event.type == "mouse_move":
            yield
        self._runs.released()
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
        self._runs.look(where, fingerprint, first)


def _timer(parent: QObject, act: Callable[[], None]) -> QTimer:
    timer = QTimer(parent)
    timer.setSingleShot(True)
    timer.timeout.connect(act)
    return timer

"""Live mode in Slicer: watches segments, form and mouse for the runs that every viewer has (`medsynth_core.live_runs`)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import qt
import slicer

from medsynth_core.errors import MedSynthError
from medsynth_core.live import Quality
from medsynth_core.live_runs import EACH, EACH_TIP, LOOK_MS, PIN, PIN_TIP, WAITING, LiveRuns
from medsynth_core.protocol import OutputInfo
from medsynth_core.run import Ending, Made, Run, RunRequest
from MedSynthLib import live_subject
from MedSynthLib.engine_page import EnginePage
from MedSynthLib.live_hand import Hand
from MedSynthLib.live_preview import LivePreview
from MedSynthLib.live_subject import Subject
from MedSynthLib.review import Review
from MedSynthLib.settings import Settings


@dataclass(eq=False)
class _Taken:
    """What a run is of, and what came of it: output → what it is, and its slices."""

    subject: Subject
    arrived: dict[str, tuple[OutputInfo, dict[int, np.ndarray]]] = field(default_factory=dict)


class LivePainting:
    """Live mode of the panel: dresses `ui.liveBox`, `pinButton`, `liveLabel` in `ui.liveRow`. Off at first.

    `start` starts a run. Its runs are its own: `owns` tells them from those of the button, and what the panel hears of them is
    passed on to `announced`, `grew`, `made`, `ended`.
    """

    def __init__(self, ui: Any, start: Callable[[RunRequest], Run], review: Review) -> None:
        self._ui, self._start_run = ui, start
        self.preview = LivePreview(review)
        self._runs: LiveRuns[_Taken] = LiveRuns(self)
        self._page: EnginePage | None = None
        self._settings: Settings | None = None
        self._watched: tuple[Any, list[int]] | None = None
        self._hand = Hand(self._runs.pressed, self._released)
        self._looks, self._wake = _timer(self._look), _timer(self._runs.pump)
        ui.liveBox.setText(f"Live: {EACH}")
        ui.liveBox.setToolTip(EACH_TIP)
        ui.liveBox.connect("toggled(bool)", self.switch)
        ui.pinButton.setText(PIN)
        ui.pinButton.setToolTip(PIN_TIP)
        ui.pinButton.connect("clicked()", self.pin)
        ui.pinButton.setVisible(False)

    @property
    def on(self) -> bool:
        """Whether live mode is on and the shown engine can follow."""
        return bool(self._ui.liveBox.checked) and self._settings is not None and live_subject.watches(self._page)

    def watch(self, page: EnginePage | None, settings: Settings | None) -> None:
        """Watch this engine's form and these settings from now on; told again and again, it looks for what changed."""
        self._page, self._settings = page, settings
        self._ui.liveRow.setVisible(live_subject.watches(page))
        self._ui.pinButton.setVisible(self.preview.can_pin)
        if not self.on and self._watched is not None:
            self.stop()  # another engine is shown, that does not follow what is painted
        self._observe(settings.mask if settings is not None and self.on else None)
        self._look()

    def switch(self, on: bool) -> None:
        """Turn live mode on, which works on what is there, or off."""
        self.stop()
        if on and self._settings is not None:
            self._observe(self._settings.mask if self.on else None)
            self._look(first=True)

    def stop(self) -> None:
        """Cancel what runs; the last preview stays to be judged."""
        self._runs.stop()
        self._observe(None)
        self._ui.liveLabel.setText("")

    def end(self) -> None:
        """Let go of everything, before the scene or the panel is closed; may be called twice."""
        self.stop()
        self._looks.stop()
        self._wake.stop()
        self.preview.forget()
        self._ui.pinButton.setVisible(False)
        self._page = self._settings = None

    def pin(self) -> None:
        """Keep what is shown: it becomes a result like any other, and the next stroke makes another one."""
        self.preview.pin()
        self._ui.pinButton.setVisible(False)

    def settle(self) -> None:
        """Take what is there for known: after our own write into the segments, and before a run of the button."""
        if self.on and (found := self._found()) is not None:
            self._runs.settle(*found)

    def owns(self, run: Run) -> bool:
        """Return whether live mode started a run that still counts."""
        return self._runs.of(run) is not None

    def announced(self, run: Run, output: OutputInfo) -> None:
        """Take what a run will give."""
        if (taken := self._runs.of(run)) is not None:
            taken.arrived[output.name] = (output, {})

    def grew(self, run: Run, output: str, z: int, pixels: np.ndarray) -> None:
        """Take a slice (channel, y, x); it is shown with the others."""
        if (taken := self._runs.of(run)) is not None:
            taken.arrived[output][1][z] = pixels

    def made(self, run: Run, made: Made) -> None:
        """Take the end of a run that went well."""
        self._runs.made(run, made)

    def ended(self, run: Run, ending: Ending, problem: MedSynthError | None) -> MedSynthError | None:
        """Take the end of a run; return what went wrong, if it is worth a message."""
        return self._runs.ended(run, ending, problem)

    def make(self, quality: Quality) -> tuple[_Taken, Run]:
        """Start a run on the shown slice. Raises MedSynthError that says what is missing."""
        if self._page is None or self._settings is None:
            raise MedSynthError("the scene is being closed")
        subject = live_subject.taken(self._page, self._settings)
        return _Taken(subject), self._start_run(subject.request(quality))

    def present(self, made: Made, taken: _Taken) -> None:
        """Show what came."""
        self.preview.present(made, taken.subject, taken.arrived)
        self._ui.pinButton.setVisible(self.preview.can_pin)

    def tell(self, text: str, detail: str = "") -> None:
        """Say what live mode does; there is room here for what it waits for."""
        self._ui.liveLabel.setText(f"{text}: {detail}" if text == WAITING else text)
        self._ui.liveLabel.setToolTip(detail)

    def wake(self, seconds: float) -> None:
        """Look again after so long."""
        self._wake.start(int(1000 * seconds) + 1)

    def _observe(self, mask: Any) -> None:
        """Hear of changes in these segments alone. The event comes at the end of a stroke, and with undo and redo."""
        inside = mask.GetSegmentation() if mask is not None else None
        if self._watched is not None:
            if self._watched[0] is inside:
                return
            for tag in self._watched[1]:
                self._watched[0].RemoveObserver(tag)
        self._hand.watch() if inside is not None else self._hand.forget()
        kind = slicer.vtkSegmentation
        events = (kind.SourceRepresentationModified, kind.SegmentAdded, kind.SegmentRemoved, kind.SegmentModified)
        self._watched = (inside, [inside.AddObserver(e, self._look_soon) for e in events]) if inside is not None else None

    def _released(self) -> None:
        self._runs.released()
        self._look_soon()

    def _look_soon(self, *_: Any) -> None:
        if self.on and not self._looks.isActive():
            self._looks.start(LOOK_MS)

    def _look(self, first: bool = False) -> None:
        """Compare the shown slice with what is known of it; another slice is no edit."""
        if not self.on or (found := self._found()) is None:
            return
        self._runs.look(*found, first)

    def _found(self) -> tuple[object, str] | None:
        """Return the shown slice and its fingerprint; None where nothing can be told, as in a view that lies across."""
        if self._page is None or self._settings is None:
            return None
        try:
            return live_subject.fingerprint(self._page, self._settings)
        except MedSynthError as problem:
            self.tell(WAITING, str(problem))
            return None


def _timer(act: Callable[[], None]) -> Any:
    timer = qt.QTimer()
    timer.setSingleShot(True)
    timer.connect("timeout()", act)
    return timer

"""Live mode in Slicer: watches segments, form and mouse, and does what the scheduler (`medsynth_core.live`) says."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import qt
import slicer

from medsynth_core.errors import MedSynthError
from medsynth_core.live import Act, Live, Quality, Step
from medsynth_core.preflight import show_seconds
from medsynth_core.protocol import OutputInfo
from medsynth_core.run import Ending, Made, Run, RunRequest
from MedSynthLib import live_subject
from MedSynthLib.checks import sentence
from MedSynthLib.engine_page import EnginePage
from MedSynthLib.live_hand import Hand
from MedSynthLib.live_preview import LivePreview
from MedSynthLib.live_subject import Subject
from MedSynthLib.review import Review
from MedSynthLib.settings import Settings

LOOK_MS = 40
"""How long many small changes in a row, as of an undo, are gathered before the slice is looked at."""


@dataclass(eq=False)
class _LiveRun:
    quality: Quality
    run: Run
    subject: Subject
    made: Made | None = None
    arrived: dict[str, tuple[OutputInfo, dict[int, np.ndarray]]] = field(default_factory=dict)


class LivePainting:
    """Live mode of the panel: dresses `ui.liveBox`, `liveLabel` in `ui.liveRow`. Off at first.

    `start` starts a run. Its runs are its own: `owns` tells them from those of the button, and what the panel hears of them is
    passed on to `announced`, `grew`, `made`, `ended`.
    """

    def __init__(self, ui: Any, start: Callable[[RunRequest], Run], review: Review) -> None:
        self._ui, self._start_run = ui, start
        self.preview = LivePreview(review)
        self._live = Live()
        self._runs: dict[int, _LiveRun] = {}
        self._page: EnginePage | None = None
        self._settings: Settings | None = None
        self._where: object = None
        self._watched: tuple[Any, list[int]] | None = None
        self._hand = Hand(self._live.pressed, self._released)
        self._looks, self._wake = _timer(self._look), _timer(self._pump)
        ui.liveBox.connect("toggled(bool)", self.switch)

    @property
    def on(self) -> bool:
        """Whether live mode is on and the shown engine can follow."""
        return bool(self._ui.liveBox.checked) and self._settings is not None and live_subject.watches(self._page)

    def watch(self, page: EnginePage | None, settings: Settings | None) -> None:
        """Watch this engine's form and these settings from now on; told again and again, it looks for what changed."""
        self._page, self._settings = page, settings
        self._ui.liveRow.setVisible(live_subject.watches(page))
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
        self._live.stop()
        self._where = None
        self._observe(None)
        for live_run in self._runs.values():
            if live_run.made is None:
                live_run.run.cancel()
        self._runs.clear()
        self._ui.liveLabel.setText("")

    def end(self) -> None:
        """Let go of everything, before the scene or the panel is closed; may be called twice."""
        self.stop()
        self._looks.stop()
        self._wake.stop()
        self.preview.forget()
        self._page = self._settings = None

    def settle(self) -> None:
        """Take what is there for known: after our own write into the segments, and before a run of the button."""
        if self.on and (found := self._found()) is not None:
            self._where, fingerprint = found
            self._live.seen(fingerprint)
            self._pump()

    def owns(self, run: Run) -> bool:
        """Return whether live mode started a run that still counts."""
        return self._of(run) is not None

    def announced(self, run: Run, output: OutputInfo) -> None:
        """Take what a run will give."""
        if (live_run := self._of(run)) is not None:
            live_run.arrived[output.name] = (output, {})

    def grew(self, run: Run, output: str, z: int, pixels: np.ndarray) -> None:
        """Take a slice (channel, y, x); it is shown with the others."""
        if (live_run := self._of(run)) is not None:
            live_run.arrived[output][1][z] = pixels

    def made(self, run: Run, made: Made) -> None:
        """Take the end of a run that went well."""
        for number, live_run in self._runs.items():
            if live_run.run is run:
                live_run.made = made
                self._live.arrived(time.monotonic(), number)
        self._pump()

    def ended(self, run: Run, ending: Ending, problem: MedSynthError | None) -> MedSynthError | None:
        """Take the end of a run; return what went wrong, if it is worth a message."""
        number = next((number for number, live_run in self._runs.items() if live_run.run is run), None)
        if number is None or self._runs[number].made is not None:
            return None
        del self._runs[number]
        self._live.failed(number)
        self._pump()
        if ending is Ending.FAILED:
            self._ui.liveLabel.setText("failed")
        return problem if ending is Ending.FAILED else None

    def _of(self, run: Run) -> _LiveRun | None:
        return next((live_run for live_run in self._runs.values() if live_run.run is run), None)

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
        self._live.released(time.monotonic())
        self._look_soon()

    def _look_soon(self, *_: Any) -> None:
        if self.on and not self._looks.isActive():
            self._looks.start(LOOK_MS)

    def _look(self, first: bool = False) -> None:
        """Compare the shown slice with what is known of it; another slice is no edit."""
        if not self.on or (found := self._found()) is None:
            return
        where, fingerprint = found
        if where != self._where and not first:
            self._live.seen(fingerprint)
        else:
            self._live.edited(time.monotonic(), fingerprint)
        self._where = where
        self._pump()

    def _found(self) -> tuple[object, str] | None:
        """Return the shown slice and its fingerprint; None where nothing can be told, as in a view that lies across."""
        if self._page is None or self._settings is None:
            return None
        try:
            return live_subject.fingerprint(self._page, self._settings)
        except MedSynthError as problem:
            self._ui.liveLabel.setText(sentence(problem))
            return None

    def _pump(self) -> None:
        while step := self._live.next(time.monotonic()):
            self._do(step)
        wait = self._live.wait_s(time.monotonic())
        if wait is not None:
            self._wake.start(int(1000 * wait) + 1)

    def _do(self, step: Step) -> None:
        match step.act:
            case Act.START:
                self._begin(step)
            case Act.CANCEL:
                live_run = self._runs.pop(step.run, None)
                if live_run is not None and live_run.made is None:
                    live_run.run.cancel()
            case Act.SHOW:
                live_run = self._runs.pop(step.run)
                if live_run.made is not None:
                    self.preview.present(live_run.made, live_run.subject, live_run.arrived)
                self._ui.liveLabel.setText(f"{step.quality} · {show_seconds(step.seconds)}")

    def _begin(self, step: Step) -> None:
        try:
            if self._page is None or self._settings is None:
                raise MedSynthError("the scene is being closed")
            subject = live_subject.taken(self._page, self._settings)
        except MedSynthError as problem:
            self._live.failed(step.run)
            self._ui.liveLabel.setText(sentence(problem))
            return
        run = self._start_run(subject.request(step.quality))
        self._runs[step.run] = _LiveRun(step.quality, run, subject)
        self._ui.liveLabel.setText("drafting…" if step.quality is Quality.DRAFT else "settling…")


def _timer(act: Callable[[], None]) -> Any:
    timer = qt.QTimer()
    timer.setSingleShot(True)
    timer.connect("timeout()", act)
    return timer

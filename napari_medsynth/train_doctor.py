"""The doctor's look at a folder as the panel follows it: asked for, waited for, dismissed, its pictures fetched."""

from __future__ import annotations

from qtpy.QtCore import QObject, QTimer, Signal

from medsynth_core.errors import MedSynthError
from medsynth_core.protocol_training import DoctorReport, TrainingRequest
from medsynth_core.session import Session
from medsynth_core.training_client import Looking, Trainings

POLL_MS = 250
PICTURES_AT_ONCE = 8


class DoctorDesk(QObject):
    """Knows the last report. `changed` tells that a look began or ended, `pictured` that a picture came: its number, as PNG."""

    changed = Signal()
    pictured = Signal(int, bytes)
    failed = Signal(object)

    def __init__(self, session: Session, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._there: Looking | None = None
        self._turn = 0
        self._asks = False
        self.looking = False
        self.report: DoctorReport | None = None
        self._timer = QTimer(self)
        self._timer.setInterval(POLL_MS)
        self._timer.timeout.connect(self._poll)

    def look(self, request: TrainingRequest) -> None:
        """Let the doctor look; an earlier look that has not ended is dismissed."""
        self._leave()
        turn = self._turn
        self.looking = True
        self.changed.emit()
        self._session.ask(
            lambda client: Trainings(client).look(request),
            lambda there: self._began(turn, there),
            lambda problem: self._end(turn, problem),
        )

    def cancel(self) -> None:
        """End the look; what was found before stays."""
        self._leave()
        self.changed.emit()

    def forget(self) -> None:
        """Know nothing any more: another folder was picked."""
        self.report = None
        self.cancel()

    def _leave(self) -> None:
        self._turn += 1
        self._timer.stop()
        there, self._there = self._there, None
        if there is not None and self.looking:
            self._session.ask(lambda _: there.dismiss(), lambda _: None, lambda _: None)
        self.looking = self._asks = False

    def _began(self, turn: int, there: Looking) -> None:
        if turn != self._turn:  # cancelled meanwhile
            self._session.ask(lambda _: there.dismiss(), lambda _: None, lambda _: None)
            return
        self._there = there
        self._timer.start()

    def _poll(self) -> None:
        there, turn = self._there, self._turn
        if there is None or self._asks:
            return
        self._asks = True
        self._session.ask(
            lambda _: there.get(),
            lambda report: self._told(turn, report),
            lambda problem: self._end(turn, problem),
        )

    def _told(self, turn: int, report: DoctorReport | None) -> None:
        if turn != self._turn:
            return
        self._asks = False
        if report is not None:
            self.report = report
            self._end(turn)
            self._fetch(turn, 0)

    def _end(self, turn: int, problem: MedSynthError | None = None) -> None:
        if turn != self._turn:
            return
        self._timer.stop()
        self.looking = self._asks = False
        self.changed.emit()
        if problem is not None:
            self.failed.emit(problem)

    def _fetch(self, turn: int, first: int) -> None:
        """Fetch the pictures, some at a time, so that the first are seen soon."""
        there, count = self._there, self.report.thumbnails if self.report else 0
        if turn != self._turn or there is None or first >= count:
            return
        numbers = range(first, min(count, first + PICTURES_AT_ONCE))

        def came(pictures: list[bytes]) -> None:
            if turn == self._turn:
                for number, picture in zip(numbers, pictures, strict=True):
                    self.pictured.emit(number, picture)
                self._fetch(turn, numbers.stop)

        self._session.ask(lambda _: [there.thumbnail(number) for number in numbers], came, lambda _: None)

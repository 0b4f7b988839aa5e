"""The trainings of this user, wherever they were ordered, and the one that is looked at; asked for once a second."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from qtpy.QtCore import QObject, QTimer, Signal

from medsynth_core.client import Client
from medsynth_core.errors import MedSynthError
from medsynth_core.protocol_training import TrainingInfo, TrainingLine, TrainingRequest, TrainingState
from medsynth_core.session import Session
from medsynth_core.training_client import Trainings

WATCH_MS = 1000


@dataclass(frozen=True)
class _Glance:
    """What one look at the service gave: all trainings, and the new lines of one of them."""

    trainings: tuple[TrainingInfo, ...]
    shown: str
    lines: tuple[TrainingLine, ...]


class TrainWatch(QObject):
    """Knows what the service last told. `listed` says that the list is another, `grew` that the shown one has more to show."""

    listed = Signal()
    grew = Signal()
    stripped = Signal(int, bytes)
    started = Signal(object)
    failed = Signal(object)

    def __init__(self, session: Session, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._asks = False
        self._told_to: dict[str, TrainingState] = {}
        self.known = False
        self.trainings: tuple[TrainingInfo, ...] = ()
        self.shown = ""
        self.lines: list[TrainingLine] = []
        self._timer = QTimer(self)
        self._timer.setInterval(WATCH_MS)
        self._timer.timeout.connect(self.look)

    def open(self) -> None:
        """Look now, and then again and again."""
        self._timer.start()
        self.look()

    @property
    def training(self) -> TrainingInfo | None:
        """The one that is looked at."""
        return next((one for one in self.trainings if one.id == self.shown), None)

    @property
    def obeys(self) -> bool:
        """Whether the shown one was told something that has not come about yet."""
        return self.shown in self._told_to

    def show_training(self, training: str) -> None:
        """Look at another one."""
        if training != self.shown:
            self.shown, self.lines = training, []
            self.grew.emit()
            self.look()

    def look(self) -> None:
        """Ask the service how things are, unless an answer is still awaited."""
        if self._asks:
            return
        self._asks = True
        shown, after = self.shown, self.lines[-1].step if self.lines else 0
        self._session.ask(lambda client: _glance(client, shown, after), self._take, self._missed)

    def start(self, request: TrainingRequest) -> None:
        """Order a training."""
        self._session.ask(lambda client: Trainings(client).start(request), self._on_start, self.failed.emit)

    def pause(self) -> None:
        """Let the shown one rest."""
        self._tell(Trainings.pause)

    def resume(self) -> None:
        """Let the shown one go on."""
        self._tell(Trainings.resume)

    def stop(self) -> None:
        """End the shown one and keep the best of it."""
        self._tell(Trainings.stop)

    def remove(self) -> None:
        """Remove the shown one from the list; a model it has made stays."""
        training = self.shown
        self._session.ask(lambda client: Trainings(client).remove(training), lambda _: self._removed(training), self.failed.emit)

    def fetch_strip(self, step: int) -> None:
        """Fetch the samples of the shown one after a step."""
        training = self.shown

        def came(content: bytes) -> None:
            if training == self.shown:
                self.stripped.emit(step, content)

        self._session.ask(lambda client: Trainings(client).strip(training, step), came, lambda _: None)

    def _tell(self, word: Callable[[Trainings, str], TrainingInfo]) -> None:
        training = self.training
        if training is None:
            return
        self._told_to[training.id] = training.state
        self.grew.emit()
        self._session.ask(lambda client: word(Trainings(client), training.id), lambda _: self.look(), self._refused)

    def _refused(self, problem: MedSynthError) -> None:
        self._told_to.pop(self.shown, None)
        self.grew.emit()
        self.failed.emit(problem)

    def _on_start(self, training: TrainingInfo) -> None:
        self.trainings = (training, *self.trainings)
        self.shown, self.lines = training.id, []
        self.listed.emit()
        self.started.emit(training)
        self.grew.emit()

    def _removed(self, training: str) -> None:
        self.trainings = tuple(one for one in self.trainings if one.id != training)
        self._choose()
        self.listed.emit()
        self.grew.emit()

    def _take(self, glance: _Glance) -> None:
        self._asks = False
        first, self.known = not self.known, True
        before, shown_before = self.training, self.shown
        other = glance.trainings != self.trainings
        self.trainings = glance.trainings
        for one in self.trainings:
            if self._told_to.get(one.id, one.state) != one.state:
                del self._told_to[one.id]
        self._choose()
        if glance.shown == self.shown:
            seen = self.lines[-1].step if self.lines else 0
            self.lines += [line for line in glance.lines if line.step > seen]
        if other or first:
            self.listed.emit()
        if glance.lines or before != self.training or shown_before != self.shown:
            self.grew.emit()
        if shown_before != self.shown:
            self.look()

    def _missed(self, problem: MedSynthError) -> None:
        """The service is away: the pill says so, and the next look may find it."""
        self._asks = False

    def _choose(self) -> None:
        """Look at the one that runs, else at the newest, when the shown one is gone."""
        if self.training is None:
            running = (one.id for one in self.trainings if not one.state.ended)
            self.shown = next(running, self.trainings[0].id if self.trainings else "")
            self.lines = []


def _glance(client: Client, shown: str, after: int) -> _Glance:
    trainings = Trainings(client)
    listed = trainings.list()
    there = any(one.id == shown for one in listed)
    return _Glance(listed, shown, trainings.lines(shown, after) if there else ())

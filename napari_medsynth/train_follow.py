"""The trainings there are, on their page: which one is looked at, what it has come to, and its model."""

from __future__ import annotations

from qtpy.QtCore import QObject, Signal

from medsynth_core.protocol import Capabilities, ModelCard
from medsynth_core.protocol_training import TrainingInfo
from medsynth_core.session import Session
from medsynth_core.training_words import curves
from napari_medsynth.train_panel import PAGES, THERE, TrainPanel
from napari_medsynth.train_watch import TrainWatch


class FollowDesk(QObject):
    """Keeps the watch and the page of trainings together. `news` carries capabilities with a model that was not listed before."""

    news = Signal(object)

    def __init__(self, panel: TrainPanel, session: Session) -> None:
        super().__init__(panel)
        self._panel, self._session = panel, session
        self.watch = TrainWatch(session, self)
        self._capabilities: Capabilities | None = None
        self._greeted = False
        self._viewed = ""
        self._asked: set[str] = set()
        self._sought: set[str] = set()
        self._wire()
        self._show_list()
        self._show_training()

    def know(self, capabilities: Capabilities) -> None:
        """Heed which models there are."""
        self._capabilities = capabilities
        self._show_training()

    def _show_list(self) -> None:
        panel, trainings = self._panel, self.watch.trainings
        panel.list.setVisible(bool(trainings))
        panel.none.setVisible(not trainings)
        live = sum(not one.state.ended for one in trainings)
        panel.pages.rename(THERE, f"{PAGES[THERE]} · {live}" if live else PAGES[THERE])
        if live and not self._greeted:
            panel.show_page(THERE)  # one that goes on is found as the panel opens
        self._greeted = self._greeted or self.watch.known

    def _show_training(self) -> None:
        training, view = self.watch.training, self._panel.view
        self._panel.list.show_trainings(self.watch.trainings, self.watch.shown)
        if training is None:
            view.hide()
            return
        if training.id != self._viewed:
            self._viewed = training.id
            view.strip.clear()
        view.show_training(training, self.watch.obeys)
        view.show_curves(curves(self.watch.lines), training)
        view.strip.show_steps(training.strips)
        view.show_card(self._card_of(training), training, training.id in self._sought)

    def _card_of(self, training: TrainingInfo) -> ModelCard | None:
        """Return the card of the model that a training has given; a list of models from before it is asked for again."""
        if self._capabilities is None or not training.state.ended or training.error:
            return None
        cards = {model.id: model.card for model in self._capabilities.models}
        if training.request.model_id not in cards and training.id not in self._asked:
            self._asked.add(training.id)
            self._session.ask(lambda client: client.capabilities(), lambda news: self._found(training.id, news), lambda _: None)
        return cards.get(training.request.model_id)

    def _found(self, training: str, capabilities: Capabilities) -> None:
        self._sought.add(training)
        self.news.emit(capabilities)

    def _started(self, _: TrainingInfo) -> None:
        self._panel.show_page(THERE)

    def _wire(self) -> None:
        panel, watch, view = self._panel, self.watch, self._panel.view
        watch.listed.connect(self._show_list)
        watch.listed.connect(self._show_training)
        watch.grew.connect(self._show_training)
        watch.started.connect(self._started)
        watch.stripped.connect(view.strip.show_strip)
        panel.list.picked.connect(watch.show_training)
        view.strip.wanted.connect(watch.fetch_strip)
        view.pause_wanted.connect(watch.pause)
        view.resume_wanted.connect(watch.resume)
        view.stop_wanted.connect(watch.stop)
        view.remove_wanted.connect(watch.remove)

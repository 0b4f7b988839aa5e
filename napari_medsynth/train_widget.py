"""The dock widget *Train on your own cases*: a folder in, a doctor's look at it, a training that outlives the viewer, a model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import napari
import napari.viewer
from qtpy.QtWidgets import QSizePolicy, QVBoxLayout

from medsynth_core.client import Client
from medsynth_core.engine_view import EngineView
from medsynth_core.errors import MedSynthError, error_from_code
from medsynth_core.lamp import Lamp
from medsynth_core.protocol import Capabilities
from medsynth_core.protocol_training import TrainingInfo
from medsynth_core.session import Session
from medsynth_core.training_form import TrainingForm
from medsynth_core.training_words import in_a_form, title_of
from napari_medsynth import diagnostics, engine_pill, settings
from napari_medsynth.connections import Connections
from napari_medsynth.courier import Courier
from napari_medsynth.docked import Docked
from napari_medsynth.message_panel import Message, failure
from napari_medsynth.panels import PANELS, TRAIN, open_panel, use_model
from napari_medsynth.session import connect_as_napari
from napari_medsynth.train_follow import FollowDesk
from napari_medsynth.train_order import OrderDesk
from napari_medsynth.train_panel import TrainPanel
from napari_medsynth.train_samples import show_samples


class TrainWidget(Docked):
    """The panel in one viewer. `connect` opens a client of the service."""

    def __init__(self, napari_viewer: napari.viewer.Viewer, connect: Callable[[], Client] = connect_as_napari) -> None:
        super().__init__()
        self._viewer = napari_viewer
        self.panel = TrainPanel(napari_viewer)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(self.panel)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Expanding)
        self._courier = Courier()
        self.session = Session(self, self._courier.post, connect)
        self.follow = FollowDesk(self.panel, self.session)
        remembered = settings.load_as(TrainingForm, TRAIN) or TrainingForm()
        self.order = OrderDesk(self.panel, self.session, remembered, lambda: self.follow.watch.trainings)
        self.capabilities: Capabilities | None = None
        self.viewer_events = Connections()
        self._wire()
        self.session.open()
        self.follow.watch.open()

    # what the session tells

    def engine_changed(self, view: EngineView) -> None:
        """Show how the engine is."""
        self.panel.pill.show_view(view)

    def capabilities_changed(self, capabilities: Capabilities) -> None:
        """Offer what there is."""
        self.capabilities = capabilities
        self.order.offer(capabilities)
        self.follow.know(capabilities)

    def trouble(self, problem: MedSynthError) -> None:
        """Show an error with its fix."""
        report = diagnostics.report(self.session.status, problem, f"training, engine: {self.order.form.engine}")
        acts = {"Start engine": self.session.start_engine, "Try again": self.order.examine}
        self.panel.message.show_message(failure(error_from_code(problem.code, in_a_form(str(problem))), acts, report))

    def run_progressed(self, *_: Any) -> None:
        """No runs are started here, and so of all that is told of runs."""

    run_announced = run_grew = run_made = run_ended = run_progressed

    # what the user wants

    def start_training(self) -> None:
        """Order the training, if nothing stands in its way."""
        if self.order.judge():
            return
        self.panel.message.clear()
        self._remember()
        self.follow.watch.start(self.order.form.request())

    def use_model(self) -> None:
        """Open the engine's panel with the model that was made."""
        training = self.follow.watch.training
        if training is not None and training.request.engine in PANELS:
            use_model(open_panel(self._viewer, training.request.engine), training.request.model_id)

    def open_samples(self, step: int) -> None:
        """Show the samples of a step in the viewer."""
        training, content = self.follow.watch.training, self.panel.view.strip.content(step)
        if training is not None and content:
            show_samples(self._viewer, title_of(training), training.id, step, content)

    def ends(self) -> tuple[Callable[[], None], ...]:
        """Return what ends the session and all connections to the viewer; trainings go on. None is a method of a Qt object."""
        return self.session.close, self.viewer_events.close

    def _started(self, _: TrainingInfo) -> None:
        self.order.begin_anew()

    def _remember(self) -> None:
        try:
            settings.save(TRAIN, replace(self.order.form, name=""))  # a new model needs a new name
        except OSError as refused:
            self.panel.message.show_message(Message(Lamp.AMBER, f"The settings could not be kept: {refused.strerror}."))

    def _theme_changed(self, *_: Any) -> None:
        self.panel.set_theme(self._viewer.theme)

    def _wire(self) -> None:
        panel, watch = self.panel, self.follow.watch
        panel.pages.picked.connect(panel.show_page)
        panel.button.run_wanted.connect(self.start_training)
        panel.view.use_wanted.connect(self.use_model)
        panel.view.strip.opened.connect(self.open_samples)
        self.order.examining.connect(panel.message.clear)
        self.order.doctor.failed.connect(self.trouble)
        self.follow.news.connect(self.capabilities_changed)
        watch.failed.connect(self.trouble)
        watch.started.connect(self._started)
        watch.listed.connect(self.order.judge)
        engine_pill.drive(panel.pill, self.session, self._viewer)
        self.end_with_it()
        self.viewer_events.add(self._viewer.events.theme, self._theme_changed)

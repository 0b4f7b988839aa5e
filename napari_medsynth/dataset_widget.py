"""The dock widget *Make a data set*: what `msynth dataset` does, as a form, in the viewer's own process."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import napari
import napari.viewer
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QSizePolicy, QVBoxLayout

from medsynth_core.cli_making import Progress
from medsynth_core.client import Client
from medsynth_core.engine_view import EngineView
from medsynth_core.errors import MedSynthError
from medsynth_core.lamp import Lamp
from medsynth_core.protocol import Capabilities
from medsynth_core.run import RunProgress
from medsynth_core.session import Session
from napari_medsynth import diagnostics, engine_pill, settings
from napari_medsynth.connections import Connections
from napari_medsynth.courier import Courier
from napari_medsynth.dataset_desk import ENGINES, DatasetDesk, DatasetForm
from napari_medsynth.dataset_panel import DatasetPanel
from napari_medsynth.dataset_run import Current, DatasetRun, Ended
from napari_medsynth.docked import Docked
from napari_medsynth.message_panel import Message, failure
from napari_medsynth.primary_button import Mode
from napari_medsynth.session import connect_as_napari

PANEL = "dataset"
LOOK_MS = 200
"""How long the form must be left alone before the command line is written anew."""


class DatasetWidget(Docked):
    """The panel in one viewer. `engines` are those whose models are offered; `connect` opens a client of the service."""

    def __init__(
        self,
        napari_viewer: napari.viewer.Viewer,
        engines: tuple[str, ...] = ENGINES,
        connect: Callable[[], Client] = connect_as_napari,
    ) -> None:
        super().__init__()
        self._viewer, self.panel = napari_viewer, DatasetPanel(napari_viewer)
        self.desk = DatasetDesk(napari_viewer, self.panel, engines)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(self.panel)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Expanding)
        self._courier = Courier()
        self.session = Session(self, self._courier.post, connect)
        self.capabilities: Capabilities | None = None
        self._current = Current()
        self.remembered = settings.load_as(DatasetForm, PANEL) or DatasetForm()
        self._shown: tuple[str, Any] = ("", None)
        self._looks = QTimer(self)
        self._looks.setSingleShot(True)
        self._looks.timeout.connect(self.look)
        self.viewer_events = Connections()
        self.desk.show(self.remembered)
        self._wire()
        self.session.open()

    @property
    def running(self) -> bool:
        """Whether a data set is being made."""
        return self._current.run is not None

    # what the session tells

    def engine_changed(self, view: EngineView) -> None:
        """Show how the engine is."""
        self.panel.pill.show_view(view)

    def capabilities_changed(self, capabilities: Capabilities) -> None:
        """Offer the models there are."""
        self.capabilities = capabilities
        self.desk.offer(capabilities, self.remembered.model)
        self._picked()

    def trouble(self, problem: MedSynthError) -> None:
        """Show an error with its fix."""
        report = diagnostics.report(self.session.status, problem, f"data set, engine: {self.desk.engine}")
        acts = {"Start engine": self.session.start_engine, "Try again": self.start}
        self.panel.message.show_message(failure(problem, acts, report))

    def run_progressed(self, *_: Any) -> None:
        """No runs of the session are started here, and so of all that is told of them."""

    run_announced = run_grew = run_made = run_ended = run_progressed

    # what the user wants

    def start(self) -> None:
        """Make the data set, or go on with it."""
        if self.running or self.desk.missing():
            return
        try:
            wish = self.desk.wish()
            self.desk.give(wish)
            self.remembered = self.desk.form()
            settings.save(PANEL, self.remembered)
        except MedSynthError as problem:
            self.trouble(problem)
            return
        except OSError as refused:
            self.panel.message.show_message(Message(Lamp.RED, f"{refused.filename or 'A file'}: {refused.strerror}."))
            return
        self.panel.message.clear()
        self._current.run = run = DatasetRun(wish, self._courier.post, self._progressed)
        run.start(self.session, self._ended, self._failed)
        self.panel.lock(True)
        self.panel.button.set_mode(Mode.RUNNING)
        self.panel.progress.show_progress(RunProgress(0.0, None, "sent"))

    def stop(self) -> None:
        """End soon; what is made stays."""
        if self._current.run is not None:
            self.panel.button.set_mode(Mode.CANCELLING)
            self._current.run.stop()

    def look(self) -> None:
        """Let the button and the command line follow the form."""
        missing = self.desk.missing()
        self.panel.button.block(missing)
        try:
            self.panel.command.show_command("" if missing else self.desk.wish().command)
        except MedSynthError as problem:
            self.panel.command.show_command("")
            self.panel.button.block(str(problem))

    def ends(self) -> tuple[Callable[[], None], ...]:
        """Return what ends the run, the session and all connections to the viewer. None is a method of a Qt object."""
        return self._current.leave, self.session.close, self.viewer_events.close

    def _progressed(self, far: Progress) -> None:
        if not self.running:
            return
        left_out = f", {far.left_out} left out" if far.left_out else ""
        text = f"{far.done} of {far.total}{left_out}"
        self.panel.progress.show_progress(RunProgress(far.done / far.total, far.seconds_left, text))

    def _ended(self, ended: Ended) -> None:
        self._ready()
        self.panel.message.show_message(self._message(ended))

    def _failed(self, problem: MedSynthError) -> None:
        self._ready()
        self.trouble(problem)

    def _ready(self) -> None:
        self._current.run = None
        self.panel.lock(False)
        self.panel.progress.hide()
        self.panel.button.set_mode(Mode.READY)
        self._follow()

    def _message(self, ended: Ended) -> Message:
        left_out = f", {ended.left_out} left out" if ended.left_out else ""
        there = f"{ended.there} of {self.remembered.count} samples are there{left_out}"
        if ended.stopped:
            return Message(Lamp.AMBER, f"Stopped: {there}. {self.panel.button.text()} goes on, and so does the command.")
        if ended.problem is not None:
            return Message(Lamp.RED, f"{there}, {ended.failed} failed. The first: {ended.problem}.", "Try again", self.start)
        lamp = Lamp.GREEN if ended.there >= self.remembered.count else Lamp.AMBER
        return Message(lamp, f"{there}, with a manifest of how each was made.")

    def _picked(self, *_: Any) -> None:
        params = self.desk.params()
        picked = self.panel.picked_model()
        if (picked.id if picked else "", params) != self._shown:  # not at each refresh: it would undo what the user just set
            self._shown = (picked.id if picked else "", params)
            self.panel.show_params(params)
            self.panel.restore_params(self.remembered.params if self._shown[0] == self.remembered.model else {})
            for form in (self.panel.plain, self.panel.advanced):
                for one in form.fields.values():
                    one.changed.connect(self._soon)
        self._follow()

    def _follow(self, *_: Any) -> None:
        self.desk.follow()
        self._soon()

    def _soon(self, *_: Any) -> None:
        self._looks.start(LOOK_MS)

    def _wire(self) -> None:
        panel, events = self.panel, self._viewer.layers.events
        panel.button.run_wanted.connect(self.start)
        panel.button.cancel_wanted.connect(self.stop)
        panel.model.currentIndexChanged.connect(self._picked)
        panel.source.picked.connect(self._follow)
        panel.layer.layer_changed.connect(self._soon)
        for row in (panel.masks, panel.output):
            row.picked.connect(self._soon)
        for checks in (panel.changes, panel.layouts):
            checks.changed.connect(self._soon)
        for box in (panel.count, panel.seed):
            box.valueChanged.connect(self._soon)
        engine_pill.drive(panel.pill, self.session, self._viewer)
        self.end_with_it()
        self.viewer_events.add(self._viewer.events.theme, lambda _: panel.set_theme(self._viewer.theme))
        self.viewer_events.add(events.inserted, panel.layer.relist)
        self.viewer_events.add(events.removed, panel.layer.relist)
        self.viewer_events.add(self._viewer.layers.selection.events.active, panel.layer.follow)
        panel.layer.relist()
        self._follow()

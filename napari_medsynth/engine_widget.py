"""What every dock widget of ours does: it shows what the session tells and sends the user's intentions there.

The widget of one engine says what is sent, what becomes of results, what is checked before, and which fixes it knows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import napari
import numpy as np
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QSizePolicy, QVBoxLayout

from medsynth_core import preflight
from medsynth_core.client import Client
from medsynth_core.engine_view import EngineView
from medsynth_core.errors import MedSynthError
from medsynth_core.lamp import Lamp
from medsynth_core.preflight import Chip, Fix
from medsynth_core.protocol import Capabilities, DeviceInfo, OutputInfo, ParamInfo, Scalar
from medsynth_core.run import Ending, Made, Run, RunProgress, RunRequest
from medsynth_core.session import Session
from napari_medsynth import diagnostics, engine_pill, settings
from napari_medsynth.connections import Connections
from napari_medsynth.courier import Courier
from napari_medsynth.desk import Desk
from napari_medsynth.docked import Docked
from napari_medsynth.message_panel import Message, failure
from napari_medsynth.model_desk import ModelDesk
from napari_medsynth.panel import Panel
from napari_medsynth.primary_button import Mode
from napari_medsynth.settings import Settings

DISTRIBUTION = "napari-medsynth"
PREFLIGHT_MS = 150
"""How long what would be sent must be left alone before it is checked again."""


class EngineWidget(Docked):
    """The panel of one engine in one viewer; a subclass ends its `__init__` with `begin`. `connect` opens a client."""

    panel: Panel
    desk: Desk

    def __init__(self, viewer: napari.Viewer, engine: str, panel: Panel, desk: Desk, connect: Callable[[], Client]) -> None:
        super().__init__()
        self._viewer, self._engine, self.panel, self.desk = viewer, engine, panel, desk
        self._run: Run | None = None
        self._timed = ""
        self._shown: tuple[str, tuple[ParamInfo, ...]] | None = None
        self.remembered = settings.load(engine)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(panel)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Expanding)
        self._checks = QTimer(self)
        self._checks.setSingleShot(True)
        self._checks.timeout.connect(self.check_now)
        self._courier = Courier()
        self.session = Session(self, self._courier.post, connect)
        self.model = ModelDesk(engine, panel, self.session)
        self.viewer_events = Connections()

    # what the widget of one engine says

    def start_run(self) -> None:
        """Start what the button stands for."""
        raise NotImplementedError

    def place(self, made: Made) -> None:
        """Bring a result into the viewer."""
        raise NotImplementedError

    def show_quality(self, made: Made) -> None:
        """Show how good a result is."""
        self.panel.quality.show_recipe(made.recipe)

    def look(self, device: DeviceInfo | None, seconds: float | None) -> tuple[Chip, ...]:
        """Return the chips. `seconds` is what a run took the last time, None if never measured. Raises MedSynthError."""
        raise NotImplementedError

    def keep(self, settings: Settings) -> Settings:
        """Return the settings with what the panel shows beside the parameters."""
        raise NotImplementedError

    def shown_params(self, params: tuple[ParamInfo, ...]) -> tuple[ParamInfo, ...]:
        """Return the parameters that get a field of the form."""
        return params

    def restore(self, values: Mapping[str, Scalar]) -> None:
        """Show the parameters that were used with the model the last time."""
        self.panel.restore_params(values)

    def run_size(self) -> str:
        """Return what the time of a run depends on beside its parameters, as part of a key."""
        return ""

    def fixes(self) -> dict[str, Callable[[], None]]:
        """Return what can be done about an error or a chip, by the name of the fix."""
        return {
            "Start engine": self.session.start_engine,
            Fix.FREE_MEMORY: self.session.free_memory,
            "Try again": self.start_run,
            **self.desk.fixes(),
        }

    def ends(self) -> tuple[Callable[[], None], ...]:
        """Return what ends the session and all connections to the viewer; jobs under way go on and land in the history."""
        return self.session.close, self.viewer_events.close, *self.desk.ends()

    # what the session tells

    def engine_changed(self, view: EngineView) -> None:
        """Show how the engine is."""
        self.panel.pill.show_view(view)

    def capabilities_changed(self, capabilities: Capabilities) -> None:
        """Offer the models there are and keep the picked one."""
        self.model.offer(capabilities, self.remembered.model)
        self._model_picked()

    def trouble(self, problem: MedSynthError) -> None:
        """Show an error with its fix."""
        report = diagnostics.report(self.session.status, problem, f"engine: {self._engine}, model: {self.model_id}")
        self.panel.message.show_message(failure(problem, self.fixes(), report))

    def run_progressed(self, run: Run, progress: RunProgress) -> None:
        """Show how far the run is."""
        if run is self._run:
            self.panel.progress.show_progress(progress)

    def run_announced(self, run: Run, output: OutputInfo) -> None:
        """Slices of this output will come, if the request streams."""

    def run_grew(self, run: Run, output: str, z: int, pixels: np.ndarray) -> None:
        """A slice of an announced output came."""

    def run_made(self, run: Run, made: Made) -> None:
        """Take a result of the run."""
        if run is self._run:
            self.place(made)
            self.show_quality(made)
            if self._timed:
                self.remembered = self.remembered.with_seconds(self._timed, made.seconds)

    def run_ended(self, run: Run, ending: Ending, problem: MedSynthError | None) -> None:
        """Be ready for the next run and say what happened."""
        if run is not self._run:
            return
        self._run = None
        self.panel.button.set_mode(Mode.READY)
        self.panel.progress.hide()
        self.check_now()
        try:
            settings.save(self._engine, self.remembered)
        except OSError as refused:
            self.panel.message.show_message(Message(Lamp.AMBER, f"The settings could not be kept: {refused.strerror}."))
        if ending is Ending.FAILED and problem is not None:
            self.trouble(problem)
        elif ending is Ending.CANCELLED:
            self.panel.message.show_message(Message(Lamp.AMBER, "Cancelled. What was finished before is kept."))

    # what all have in common

    @property
    def model_id(self) -> str:
        """The id of the picked model, empty for an engine without models."""
        return self.model.id

    @property
    def running(self) -> bool:
        """Whether a run that the button started is under way."""
        return self._run is not None

    def launch(self, request: RunRequest) -> None:
        """Send a request and let the button and the progress show it."""
        self.panel.message.clear()
        self.panel.quality.clear()
        self.remembered = self.keep(self.remembered.with_params(self.model.key, request.params))
        self._timed = self._timing_key() if self.model.warm else ""
        self._run = self.session.run(request)
        self.panel.progress.show_progress(RunProgress(0.0, None, "sent"))
        self.panel.button.set_mode(Mode.RUNNING)

    def cancel_run(self) -> None:
        """Ask the run to stop."""
        if self._run is not None:
            self.panel.button.set_mode(Mode.CANCELLING)
            self._run.cancel()

    def check_soon(self) -> None:
        """Run the pre-flight checks when nothing has been changed for a moment."""
        self._checks.start(PREFLIGHT_MS)

    def check_now(self) -> None:
        """Run the pre-flight checks and let the button follow."""
        device = self.session.status.device if self.session.status else None
        try:
            chips = self.look(device, self.remembered.seconds.get(self._timing_key()))
        except MedSynthError as problem:
            chips = (Chip(Lamp.RED, "Not shown", f"{problem}."),)
        self.panel.chips.show_chips(chips)
        self.panel.button.block(self.model.lacking() or preflight.blocking(chips))

    def fix(self, fix: Fix) -> None:
        """Do what a chip offers."""
        self.fixes()[fix]()

    def begin(self) -> None:
        """Wire the parts, show what is remembered and open the session."""
        panel = self.panel
        panel.button.run_wanted.connect(self.start_run)
        panel.button.cancel_wanted.connect(self.cancel_run)
        panel.model.currentIndexChanged.connect(self._model_picked)
        panel.chips.fix_wanted.connect(self.fix)
        engine_pill.drive(panel.pill, self.session, self._viewer)
        self.desk.changed.connect(self.check_soon)
        self.end_with_it()
        self.viewer_events.add(self._viewer.events.theme, self._theme_changed)
        self.desk.relist()
        self._model_picked()
        self.session.open()

    def _model_picked(self, *_: Any) -> None:
        params = self.shown_params(self.model.params())
        if (self.model_id, params) != self._shown:  # not at each refresh: it would undo what the user just set
            self._shown = (self.model_id, params)
            self.panel.show_params(params)
            self.restore(self.remembered.params.get(self.model.key, {}))
        self.desk.set_card(self.model.card)
        self.model.preload()
        self.check_now()

    def _theme_changed(self, *_: Any) -> None:
        self.panel.set_theme(self._viewer.theme)

    def _timing_key(self) -> str:
        return settings.timing_key(self.model.key, self.panel.param_values(), self.model.device_name, self.run_size())

"""The dock widget *Synthesize*: paint a mask, click, see an image of it.

It shows what the session tells and sends the user's intentions there; arrays are the business of `layers`. It drives any engine
that takes an input named `mask`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import napari
import napari.viewer
from qtpy.QtCore import QEvent, QTimer
from qtpy.QtWidgets import QSizePolicy, QVBoxLayout, QWidget

from medsynth_core.client import Client
from medsynth_core.errors import MedSynthError
from medsynth_core.protocol import Capabilities, ModelCard, ParamInfo
from napari_medsynth import diagnostics, engine_pill, layers, preflight, settings
from napari_medsynth.connections import Connections
from napari_medsynth.courier import Courier
from napari_medsynth.engine_view import EngineView
from napari_medsynth.lamp import Lamp
from napari_medsynth.mask_desk import MaskDesk
from napari_medsynth.message_panel import Message, failure
from napari_medsynth.panel import Panel
from napari_medsynth.preflight import Fix
from napari_medsynth.primary_button import Mode
from napari_medsynth.results import Destination
from napari_medsynth.run import Ending, Made, Run, RunProgress, RunRequest
from napari_medsynth.session import Session, connect_as_napari

PREFLIGHT_MS = 150
"""How long the mask must be left alone before it is checked again."""


class SynthesizeWidget(QWidget):
    """The panel in one viewer. `engine` names the engine it drives; `connect` opens a client of the service."""

    def __init__(
        self, napari_viewer: napari.viewer.Viewer, engine: str = "synthesize", connect: Callable[[], Client] = connect_as_napari
    ) -> None:
        super().__init__()
        self._viewer, self._engine = napari_viewer, engine
        self._capabilities: Capabilities | None = None
        self._run: Run | None = None
        self._timed = ""
        self._destination: Destination | None = None
        self.remembered = settings.load()
        self._shown: tuple[str, tuple[ParamInfo, ...]] | None = None
        self._preloaded = ("", "")
        self.panel = Panel(napari_viewer)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(self.panel)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Expanding)
        self._checks = QTimer(self)
        self._checks.setSingleShot(True)
        self._checks.timeout.connect(self.check_now)
        self._courier = Courier()
        self.session = Session(self, self._courier.post, connect)
        self.desk = MaskDesk(napari_viewer, self.panel)
        self._viewer_events = Connections()
        self._wire()
        self.session.open()

    @property
    def card(self) -> ModelCard | None:
        """The card of the picked model, None for an engine without models."""
        picked = self.panel.picked_model()
        return picked.card if picked else None

    @property
    def model_id(self) -> str:
        """The id of the picked model, empty for an engine without models."""
        picked = self.panel.picked_model()
        return picked.id if picked else ""

    # what the session tells

    def engine_changed(self, view: EngineView) -> None:
        """Show how the engine is."""
        self.panel.pill.show_view(view)

    def capabilities_changed(self, capabilities: Capabilities) -> None:
        """Offer the models there are and keep the picked one."""
        keep = self.model_id or self.remembered.model
        self._capabilities = capabilities
        models = tuple(m for m in capabilities.models if m.engine == self._engine and m.card is not None)
        self.panel.list_models(models, keep)
        self._model_picked()

    def trouble(self, problem: MedSynthError) -> None:
        """Show an error with its fix."""
        report = diagnostics.report(self.session.status, problem, f"engine: {self._engine}, model: {self.model_id}")
        acts: dict[str, Callable[[], None]] = {
            "Start engine": self.session.start_engine,
            "Free memory": self.session.free_memory,
            "Map labels": lambda: self._fix(Fix.MAP_LABELS),
            "Try again": self.start_run,
        }
        self.panel.message.show_message(failure(problem, acts, report))

    def run_progressed(self, run: Run, progress: RunProgress) -> None:
        """Show how far the run is."""
        if run is self._run:
            self.panel.progress.show_progress(progress)

    def image_made(self, run: Run, made: Made) -> None:
        """Put an image that was made into the viewer."""
        if run is not self._run or self._destination is None:
            return
        layer = self._destination.place(made)
        self.panel.variations.add(made, layer)
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
            settings.save(self.remembered)
        except OSError as refused:
            self.panel.message.show_message(Message(Lamp.AMBER, f"The settings could not be kept: {refused.strerror}."))
        if ending is Ending.FAILED and problem is not None:
            self.trouble(problem)
        elif ending is Ending.CANCELLED:
            self.panel.message.show_message(Message(Lamp.AMBER, "Cancelled. What was finished before is kept."))

    # what the user wants

    def start_run(self) -> None:
        """Send the shown plane of the mask and make one image a seed."""
        mask = self.desk.mask
        if mask is None or self._run is not None:
            return
        try:
            plane = layers.shown_plane(mask, self._viewer.dims)
            volume, params = layers.as_volume(layers.take(mask, plane), plane), self.panel.param_values()
        except MedSynthError as problem:
            self.trouble(problem)
            return
        self.panel.message.clear()
        self.panel.variations.clear()
        seeds = self.panel.seed_row.next_seeds()
        self.remembered = self.panel.seed_row.kept(self.remembered.with_params(self.model_id or self._engine, params))
        self._timed = self._timing_key() if self._warm() else ""
        self._destination = Destination(self._viewer, plane, mask, self.model_id or self._engine)
        self._run = self.session.run(RunRequest(self._engine, self.model_id, volume, seeds, params))
        self.panel.progress.show_progress(RunProgress(0.0, None, "sent"))
        self.panel.button.set_mode(Mode.RUNNING)

    def cancel_run(self) -> None:
        """Ask the run to stop."""
        if self._run is not None:
            self.panel.button.set_mode(Mode.CANCELLING)
            self._run.cancel()

    def check_now(self) -> None:
        """Run the pre-flight checks and let the button follow."""
        device = self.session.status.device if self.session.status else None
        seconds = self.remembered.seconds.get(self._timing_key())
        try:
            chips = preflight.check(self.desk.pixels(), self.card, device, seconds)
        except MedSynthError as problem:
            chips = (preflight.Chip(Lamp.RED, "Not shown", f"{problem}."),)
        self.panel.chips.show_chips(chips)
        self.panel.button.block(preflight.lacking(self._capabilities, self._engine, self.model_id) or preflight.blocking(chips))

    def event(self, event: QEvent | None) -> bool:
        """Notice that the dock was removed: napari then takes the parent away and forgets the widget."""
        if event is not None and event.type() == QEvent.Type.ParentChange and self.parent() is None:
            for end in self._ends():
                end()
            self.deleteLater()
        return super().event(event)

    def _ends(self) -> tuple[Callable[[], None], ...]:
        """Return what ends the session and all connections to the viewer; jobs under way go on and land in the history.

        None is a method of a Qt object: those are not called any more when their object is destroyed.
        """
        return self.session.close, self._viewer_events.close, self.desk.viewer_events.close, self.desk.mask_events.close

    # how it hangs together

    def _wire(self) -> None:
        panel = self.panel
        panel.button.run_wanted.connect(self.start_run)
        panel.button.cancel_wanted.connect(self.cancel_run)
        panel.model.currentIndexChanged.connect(self._model_picked)
        panel.chips.fix_wanted.connect(self._fix)
        panel.pill.start_wanted.connect(self.session.start_engine)
        panel.pill.stop_wanted.connect(self.session.stop_engine)
        panel.pill.free_wanted.connect(self.session.free_memory)
        panel.pill.copy_wanted.connect(lambda: engine_pill.copy(diagnostics.report(self.session.status)))
        self.desk.changed.connect(lambda: self._checks.start(PREFLIGHT_MS))
        for end in self._ends():
            self.destroyed.connect(end)
        self._viewer_events.add(self._viewer.events.theme, self._theme_changed)
        panel.seed_row.restore(self.remembered.seed, self.remembered.seed_locked, self.remembered.variations)
        panel.mask_row.relist()
        self._model_picked()

    def _model_picked(self, *_: Any) -> None:
        card, capabilities = self.card, self._capabilities
        info = next((e for e in capabilities.engines if e.name == self._engine), None) if capabilities else None
        params = (*(info.params if info else ()), *(card.options if card else ()))
        if (self.model_id, params) != self._shown:  # not at each refresh: it would undo what the user just set
            self._shown = (self.model_id, params)
            self.panel.show_params(params)
            self.panel.restore_params(self.remembered.params.get(self.model_id or self._engine, {}))
        self.desk.set_card(card)
        self._preload()
        self.check_now()

    def _preload(self) -> None:
        """Let the service load the picked model once, so that the first click is as quick as the next."""
        wanted = (self._capabilities.instance if self._capabilities else "", self.model_id)
        if self.model_id and wanted != self._preloaded:
            self._preloaded = wanted
            self.session.preload(self.model_id)

    def _theme_changed(self, *_: Any) -> None:
        self.panel.set_theme(self._viewer.theme)

    def _warm(self) -> bool:
        """Return whether the next run will not have to load its model first; else its time says little about the next."""
        return not self.model_id or (self.session.status is not None and self.model_id in self.session.status.loaded_models)

    def _timing_key(self) -> str:
        device = self._capabilities.device.name if self._capabilities and self._capabilities.device else ""
        return settings.timing_key(self.model_id or self._engine, self.panel.param_values(), device)

    def _fix(self, fix: Fix) -> None:
        match fix:
            case Fix.NEW_MASK:
                self.desk.new_mask()
            case Fix.FREE_MEMORY:
                self.session.free_memory()
            case Fix.MAP_LABELS:
                self.desk.map_labels()

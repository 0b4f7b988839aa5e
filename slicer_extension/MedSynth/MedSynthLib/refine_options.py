"""What the effect Refine (diffusion) shows in the Segment Editor: the refine engine's form, one button, and Apply or Discard.

It works on the selected segment alone and asks the same service as the module MedSynth, which need not be open.
"""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, Protocol

import numpy as np
import qt

from medsynth_core.client import Client
from medsynth_core.engine_view import EngineView
from medsynth_core.errors import InputError, LabelError, MedSynthError
from medsynth_core.protocol import Capabilities, EngineInfo, ModelCard, OutputInfo
from medsynth_core.run import Ending, Made, Run, RunProgress, RunRequest
from medsynth_core.run_button import Mode
from medsynth_core.sentences import sentence
from medsynth_core.session import Session
from medsynth_core.vocabulary import foreground
from MedSynthLib import conversion, inputs, results, scripting, segments
from MedSynthLib.chip_row import COLORS
from MedSynthLib.courier import Courier
from MedSynthLib.engine_page import EnginePage
from MedSynthLib.growing import GrowingNodes
from MedSynthLib.primary_button import PrimaryButton
from MedSynthLib.review import Review, Sent, sent
from MedSynthLib.run_bar import RunBar

ENGINE = "refine"
WAITING = "The engine is starting: one moment."
SEED = 0
"""One seed for all runs: the same strokes give the same boundary."""


class Host(Protocol):
    """The editor the effect lives in: its nodes may be None, its segment empty; `save_state` is told before a change."""

    def segmentation(self) -> Any:
        """Return the segmentation node that is edited."""

    def image(self) -> Any:
        """Return the volume node it is edited over."""

    def segment(self) -> str:
        """Return the id of the selected segment."""

    def save_state(self) -> None:
        """Keep what is there now for the editor's undo."""


class RefineOptions:
    """The widgets, in `page`, and the run behind them. `connect` opens the client, and may start the service."""

    def __init__(self, host: Host, connect: Callable[[], Client] | None = None) -> None:
        self._host, self._connect = host, connect or scripting.connector()
        self.ui = _widgets()
        self.page = self.ui.page
        self.form: EnginePage | None = None
        self.session: Session | None = None
        self._courier: Courier | None = None
        self._run: Run | None = None
        self._sent: Sent | None = None
        self._growing: GrowingNodes | None = None
        self.button = PrimaryButton(self.ui.runButton, self.start, self.cancel)
        self.button.set_verb("Refine")
        self._bar = RunBar(self.ui.progressBar, self.button)
        self.review = Review(self.ui, self._say, lambda segmentation: host.save_state(), own_undo=False)
        self.check()

    def open(self) -> None:
        """Look for the service, and start it if there is none; asked again, nothing."""
        if self.session is None:
            self._courier = Courier()
            self.session = Session(self, self._courier.post, self._connect)
            self.session.open()
        self.check()

    def close(self) -> None:
        """Let go of the service; may be called twice."""
        self.cancel()
        if self.session is not None and self._courier is not None:
            self.session.close()
            self._courier.close()
        self.session = self._courier = self._run = self._growing = None

    def check(self) -> None:
        """Say on the button whether a run can start, or why not."""
        self.review.show()
        self.button.block(self._lacking())

    def start(self) -> None:
        """Start a run; what is missing is said, nothing is raised."""
        try:
            request = self.request()
        except MedSynthError as problem:
            self.trouble(problem)
            return
        if self.session is None:
            return
        segmentation = self._host.segmentation()
        labels = segments.labels_like(segmentation, dict(self._sent.values) if self._sent is not None else {})
        name = f"{segmentation.GetName()} {ENGINE}"
        self._growing = GrowingNodes(name, labels, lambda node, output: results.present(node, output, segmentation))
        self._say("")
        self.review.discard()
        self.button.set_mode(Mode.RUNNING)
        self._run = self.session.run(request)

    def cancel(self) -> None:
        """Ask the run to stop."""
        if self._run is not None:
            self.button.set_mode(Mode.CANCELLING)
            self._run.cancel()

    def request(self) -> RunRequest:
        """Return what would be asked for: the selected segment, in the shown slice or in all. Raises MedSynthError."""
        if (reason := self._lacking()) or self.form is None:
            raise InputError(reason)
        engine, card = self.form.engine, self.form.card
        segmentation, image, segment = self._host.segmentation(), self._host.image(), self._host.segment()
        k = inputs.slice_sent(engine, _Chosen(image, self.ui.shownBox.checked))
        values = {segment: label_for(segmentation, segment, card)}
        volume = conversion.volume_of(image)
        given = {"image": volume if k is None else conversion.one_slice(volume, k)}
        given[inputs.MAIN_LABELS] = conversion.labels_of(segmentation, image, values, k)
        if not given[inputs.MAIN_LABELS].array.any():
            raise InputError("nothing of the selected segment lies in the shown slice: paint roughly what you mean")
        others = {info.name: info for info in engine.inputs}
        given |= {name: inputs.labels_in(others[name], node, image, k) for name, node in self.form.chosen.items()}
        self._sent = sent(segmentation, values, image, k)
        return RunRequest(engine.name, card.id if card is not None else "", given, (SEED,), self.form.values(), streams=True)

    def engine_changed(self, view: EngineView) -> None:
        """Show how the engine is."""
        self.ui.engineLabel.setText(f"● {view.text}")
        self.ui.engineLabel.setToolTip(view.detail)
        self.ui.engineLabel.setStyleSheet(f"color: {COLORS[view.lamp]};")

    def capabilities_changed(self, capabilities: Capabilities) -> None:
        """Draw the form anew."""
        engine = _refiner(capabilities)
        kept = self.form.values() if self.form is not None else {}
        if self.form is not None:
            self.form.close()
        self.form = EnginePage(engine, capabilities) if engine is not None else None
        if self.form is not None:
            self.form.set_values(kept)
            self.ui.formColumn.addWidget(self.form.page)
        self.check()

    def trouble(self, problem: MedSynthError) -> None:
        """Say what did not work."""
        self._say(f"{sentence(problem)}.")

    def run_progressed(self, run: Run, progress: RunProgress) -> None:
        """Show how far the run is."""
        if run is self._run:
            self._bar.progressed(progress)

    def run_announced(self, run: Run, output: OutputInfo) -> None:
        """Make the node of the refined segment; where it is unsure is for the module MedSynth."""
        if run is self._run and self._growing is not None and output.name == inputs.MAIN_LABELS:
            self._growing.announce(output)

    def run_grew(self, run: Run, output: str, z: int, pixels: np.ndarray) -> None:
        """Put a slice in its place."""
        if run is self._run and self._growing is not None:
            self._growing.put(output, z, pixels)

    def run_made(self, run: Run, made: Made) -> None:
        """Write the recipe into the node."""
        if run is self._run and self._growing is not None:
            self._growing.note(made.recipe, made.job)

    def run_ended(self, run: Run, ending: Ending, problem: MedSynthError | None) -> None:
        """Offer the result, and be ready for the next run."""
        if run is not self._run:
            return
        if self._growing is not None:
            self._growing.redraw(last=True)
            preview = self._growing.nodes().get(inputs.MAIN_LABELS)
            if ending is Ending.DONE and preview is not None and self._sent is not None:
                self.review.offer(preview, self._sent)
        self._run = None
        self._bar.ended(ending)
        if ending is Ending.FAILED and problem is not None:
            self.trouble(problem)
        self.check()

    def _lacking(self) -> str:
        if self.form is None:
            return WAITING
        if self._host.image() is None:
            return "Choose a source volume: the boundary is found in it."
        segmentation, segment = self._host.segmentation(), self._host.segment()
        if segmentation is None or segmentation.GetSegmentation().GetSegment(segment) is None:
            return "Select a segment."
        if not conversion.painted(segmentation, {segment: 1}).size:
            return "Nothing is painted in the selected segment: paint roughly what you mean."
        return ""

    def _say(self, text: str) -> None:
        self.ui.messageLabel.setText(text)


def label_for(segmentation: Any, segment: str, card: ModelCard | None) -> int:
    """Return which label a segment is sent as: 1 if a model takes any, its only one, or that of its name. Raises LabelError."""
    known = foreground(card.labels) if card is not None else ()
    if len(known) <= 1:
        return known[0].value if known else 1
    name = segmentation.GetSegmentation().GetSegment(segment).GetName()
    found = [label.value for label in known if label.name.casefold() == name.casefold()]
    if not found:
        legend = ", ".join(label.name for label in known)
        raise LabelError(f"segment {name!r} is no label of the model, which knows {legend}: rename it, or choose another model")
    return found[0]


class _Chosen(SimpleNamespace):
    """As much of the panel's settings as says which slice is sent."""

    def __init__(self, image: Any, shown_only: bool) -> None:
        super().__init__(image=image, shown_only=shown_only)


def _refiner(capabilities: Capabilities) -> EngineInfo | None:
    return next((engine for engine in capabilities.engines if engine.name == ENGINE and not engine.problem), None)


def _widgets() -> SimpleNamespace:
    """Return the widgets by the names that the panel gives them, too."""
    ui = SimpleNamespace(page=qt.QWidget())
    column = qt.QVBoxLayout(ui.page)
    ui.engineLabel, ui.messageLabel = qt.QLabel("● Starting…"), qt.QLabel()
    ui.messageLabel.setWordWrap(True)
    ui.formColumn = qt.QVBoxLayout()
    ui.shownBox = qt.QCheckBox("Only the slice in the Red view")
    ui.shownBox.setChecked(True)
    ui.runButton, ui.progressBar = qt.QPushButton("Refine"), qt.QProgressBar()
    ui.reviewRow = qt.QWidget()
    row = qt.QHBoxLayout(ui.reviewRow)
    row.setContentsMargins(0, 0, 0, 0)
    ui.applyButton, ui.discardButton, ui.undoButton = qt.QPushButton("Apply"), qt.QPushButton("Discard"), qt.QPushButton("Undo")
    ui.applyButton.setToolTip("Write the outline into the segment; the editor's Undo takes it back")
    ui.discardButton.setToolTip("Leave the segment as it is")
    for button in (ui.applyButton, ui.discardButton, ui.undoButton):
        row.addWidget(button)
    column.addWidget(ui.engineLabel)
    column.addLayout(ui.formColumn)
    for widget in (ui.shownBox, ui.runButton, ui.progressBar, ui.reviewRow, ui.messageLabel):
        column.addWidget(widget)
    return ui

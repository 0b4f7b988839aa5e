"""The parts of *Make a data set* and where they stand. No behavior: see `dataset_widget`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import napari
from qtpy.QtCore import QSize, Qt, Signal
from qtpy.QtWidgets import QCheckBox, QGridLayout, QHBoxLayout, QLabel, QLineEdit, QPushButton, QSpinBox, QWidget

from medsynth_core.cli_dataset_masks import Change
from medsynth_core.cli_dataset_order import MAX_COUNT
from medsynth_core.cli_layouts import Layout
from napari_medsynth.choice_row import ChoiceRow
from napari_medsynth.engine_pill import copy
from napari_medsynth.layer_box import LayerBox
from napari_medsynth.mask_row import NO_MASK, is_mask
from napari_medsynth.panel import Panel
from napari_medsynth.train_folder import FolderRow

LAYER, FOLDER, SAMPLE = "layer", "folder", "sample"
SOURCES = {LAYER: "Layer", FOLDER: "Folder", SAMPLE: "Samples"}
TIPS = {
    LAYER: "Vary the mask that the viewer shows",
    FOLDER: "Vary the masks of a folder",
    SAMPLE: "Take what ships, or let the model draw its own",
}
CHANGE_TIPS = {
    Change.FLIP.value: "Left and right",
    Change.SCALE.value: "Larger or smaller by up to a quarter",
    Change.SHIFT.value: "Moved by up to a tenth of the side",
    Change.TURN.value: "Turned by up to 14°",
    Change.ELASTIC.value: "Bent a little",
    Change.SWAP.value: "Every other mask gets a lesion of another one in the place of its own",
}
LAYOUT_TITLES: dict[str, str] = {
    Layout.NNUNET: "nnU-Net",
    Layout.STARDIST: "StarDist",
    Layout.COCO: "COCO",
    Layout.HOVERNET: "HoVer-Net",
}
FILTER = (
    "What shows nothing is left out. The command can hold samples against the model's training images, too:\nadd --real DATA."
)


class Checks(QWidget):
    """Some things that may be ticked, several in a row; `changed` says that one was."""

    changed = Signal()

    def __init__(self, titles: Mapping[str, str], tips: Mapping[str, str], columns: int, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.boxes = {value: QCheckBox(title, self) for value, title in titles.items()}
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(3)
        for place, (value, box) in enumerate(self.boxes.items()):
            box.setToolTip(tips.get(value, ""))
            box.toggled.connect(lambda _: self.changed.emit())
            grid.addWidget(box, *divmod(place, columns))

    @property
    def ticked(self) -> tuple[str, ...]:
        """What is ticked, of what is offered."""
        return tuple(value for value, box in self.boxes.items() if box.isChecked() and not box.isHidden())

    def offer(self, values: Iterable[str]) -> None:
        """Show these and hide the others, which keep their ticks for later."""
        wanted = set(values)
        for value, box in self.boxes.items():
            box.setVisible(value in wanted)

    def tick(self, values: Iterable[str]) -> None:
        """Tick these and no others."""
        wanted = set(values)
        for value, box in self.boxes.items():
            box.setChecked(value in wanted)


class CommandRow(QWidget):
    """The same as a command line, to copy."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.line, self.copy = QLineEdit(self), QPushButton("Copy", self)
        self.line.setReadOnly(True)
        self.copy.setToolTip("Copy the command that makes the same data set, and goes on with this one")
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(4)
        row.addWidget(self.line, 1)
        row.addWidget(self.copy)
        self.copy.clicked.connect(lambda: copy(self.line.text()))

    def show_command(self, text: str) -> None:
        """Show a command from its beginning; none while the form is not complete."""
        if text != self.line.text():
            self.line.setText(text)
            self.line.setCursorPosition(0)
            self.line.setToolTip(text)
        self.copy.setEnabled(bool(text))


class DatasetPanel(Panel):
    """All parts of *Make a data set*."""

    def __init__(self, viewer: napari.Viewer) -> None:
        super().__init__(viewer, "Make the data set", "Make image and mask as often as wanted; the same form again goes on")
        self.source = ChoiceRow(SOURCES, TIPS, self)
        self.layer = LayerBox(viewer, is_mask, NO_MASK, self)
        self.masks = FolderRow(self)
        self.masks.choose.setToolTip("Choose the folder with your masks")
        self.changes = Checks({change: change.value for change in Change}, CHANGE_TIPS, 3, self)
        self.count, self.seed = _number(1, MAX_COUNT), _number(0, 2**31 - 1)
        self.count.setToolTip("Samples wanted; what is left out is made up for")
        self.seed.setToolTip("Same seed, same data set")
        self.layouts = Checks(LAYOUT_TITLES, {}, 2, self)
        self.output = FolderRow(self)
        self.output.choose.setToolTip("Choose the folder that the data set goes to")
        self.output.path.setPlaceholderText("a new folder")
        self.filter = QLabel(FILTER, self)
        self.filter.setWordWrap(True)
        self.filter.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.command = CommandRow(self)
        rows = {"Masks from": self.source, "Layer": self.layer, "Folder": self.masks, "Changes": self.changes}
        self.add_rows({**rows, "Samples": self.count, "Seed": self.seed, "Also as": self.layouts, "Into": self.output})
        self.params_follow(self.changes)
        self.add_below(self.filter, over_checks=True)
        self.add_below(self.command)

    def sizeHint(self) -> QSize:
        """Return a size that shows the whole form."""
        return QSize(super().sizeHint().width() + 20, 720)

    def show_source(self, source: str, drawn: bool, own_only: bool) -> None:
        """Show what belongs to a source of masks. `drawn`: the model can draw its own; `own_only`: it does nothing else."""
        self.source.rename(SAMPLE, "Model draws" if drawn else "Samples")
        self.source.set_value(SAMPLE if own_only else source)
        for part in (self.source, self.changes):
            self.show_row(part, not own_only)
        if not own_only:
            self.show_row(self.changes, not (drawn and source == SAMPLE))
        self.show_row(self.layer, source == LAYER and not own_only)
        self.show_row(self.masks, source == FOLDER and not own_only)

    def lock(self, locked: bool) -> None:
        """Let nothing be changed while it runs."""
        parts = (self.model, self.source, self.layer, self.masks, self.changes, self.count, self.seed, self.layouts, self.output)
        for part in parts:
            part.setEnabled(not locked)
        for form in (self.plain, self.advanced):
            for one in form.fields.values():
                one.native.setEnabled(not locked)


def _number(low: int, high: int) -> QSpinBox:
    box = QSpinBox()
    box.setRange(low, high)
    box.setMinimumWidth(64)
    return box

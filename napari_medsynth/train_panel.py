"""The parts of *Train on your own cases* and where they stand: a page for a new training, and one for those there are."""

from __future__ import annotations

import napari
from qtpy.QtCore import QSize
from qtpy.QtGui import QDragEnterEvent, QDropEvent
from qtpy.QtWidgets import QFormLayout, QHBoxLayout, QLabel, QProgressBar, QPushButton, QVBoxLayout, QWidget

from napari_medsynth.choice_row import ChoiceRow
from napari_medsynth.elided_box import ElidedBox
from napari_medsynth.engine_pill import EnginePill
from napari_medsynth.message_panel import MessagePanel
from napari_medsynth.panel import WIDTH, new_form, scrolled
from napari_medsynth.primary_button import PrimaryButton
from napari_medsynth.train_facts import FactsView
from napari_medsynth.train_findings import FindingsView
from napari_medsynth.train_folder import FolderRow
from napari_medsynth.train_list import TrainList
from napari_medsynth.train_settings import SettingsForm, align
from napari_medsynth.train_view import TrainingView

NEW, THERE = "new", "there"
PAGES = {NEW: "New training", THERE: "Trainings"}
TIPS = {
    NEW: "Choose cases, let the doctor look at them, and train",
    THERE: "What runs, waits or has ended, with its curves",
}
NO_TRAININGS = "No training yet. One that you start goes on when the viewer is closed, and is found here again."


class LookRow(QWidget):
    """Says that the doctor looks, with Cancel; when he does not, lets him look."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.line, self.bar = QLabel(self), QProgressBar(self)
        self.line.setWordWrap(True)
        self.bar.setRange(0, 0)
        self.bar.setTextVisible(False)
        self.bar.setFixedHeight(8)
        self.look, self.cancel = QPushButton("Examine", self), QPushButton("Cancel", self)
        self.look.setToolTip("Let the doctor look at the folder, again if its files were mended")
        self.cancel.setToolTip("End the look")
        top, column = QHBoxLayout(), QVBoxLayout(self)
        top.addWidget(self.line, 1)
        top.addWidget(self.look)
        top.addWidget(self.cancel)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addLayout(top)
        column.addWidget(self.bar)

    def show_look(self, looking: bool, line: str, again: bool) -> None:
        """Show whether the doctor looks, and what there is to say; `again`: he has looked before."""
        self.line.setText(line)
        self.look.setText("Examine again" if again else "Examine")
        self.look.setVisible(not looking)
        self.cancel.setVisible(looking)
        self.bar.setVisible(looking)


class TrainPanel(QWidget):
    """One scrolling column of two pages. No behavior: see `train_widget`."""

    def __init__(self, viewer: napari.Viewer) -> None:
        super().__init__()
        look = viewer.theme
        self.pill, self.pages = EnginePill(look, self), ChoiceRow(PAGES, TIPS, self)
        self.engine, self.folder, self.look = ElidedBox(self), FolderRow(self), LookRow(self)
        self.facts, self.findings = FactsView(look, self), FindingsView(look, self)
        self.settings = SettingsForm(look, self)
        self.button = PrimaryButton(look, "Train", "Start the training; it goes on when the viewer is closed", self)
        self.list, self.view, self.none = TrainList(look, self), TrainingView(look, self), QLabel(NO_TRAININGS, self)
        self.message = MessagePanel(look, self)
        self.none.setWordWrap(True)
        self.pill.train.setVisible(False)  # it is this panel
        self.engine.setToolTip("What the model will do")
        self._themed = (self.pill, self.facts, self.findings, self.settings, self.button, self.list, self.view, self.message)
        self._lay_out()
        self.show_page(NEW)
        self.setAcceptDrops(True)

    def sizeHint(self) -> QSize:
        """Return a width that leaves the canvas its room."""
        return QSize(WIDTH + 20, 620)

    def minimumSizeHint(self) -> QSize:
        """Return how far the dock may be narrowed before parts are cut, with the scroll bar that may come."""
        bar = self._scroll.verticalScrollBar()
        room = bar.sizeHint().width() if bar is not None else 0
        return QSize(max(WIDTH, self._inner.minimumSizeHint().width() + room), 240)

    @property
    def page(self) -> str:
        """The page that is shown."""
        return self.pages.value

    def show_page(self, page: str) -> None:
        """Turn to another page."""
        self.pages.set_value(page)
        self._new.setVisible(page == NEW)
        self._there.setVisible(page == THERE)

    def set_theme(self, name: str) -> None:
        """Follow the viewer's theme."""
        for part in self._themed:
            part.set_theme(name)

    def dragEnterEvent(self, event: QDragEnterEvent | None) -> None:  # Qt's name
        """Take a folder anywhere on the page of a new training."""
        if self.page == NEW:
            self.folder.dragEnterEvent(event)

    def dropEvent(self, event: QDropEvent | None) -> None:  # Qt's name
        """Pick what was dropped."""
        self.folder.dropEvent(event)

    def _lay_out(self) -> None:
        self._inner = QWidget()
        column = QVBoxLayout(self._inner)
        column.setSpacing(8)
        form = new_form()
        form.setRowWrapPolicy(QFormLayout.RowWrapPolicy.DontWrapRows)
        form.addRow("Engine", self.engine)
        form.addRow("Folder", self.folder)
        align(form)
        self._new = _page(form, self.look, self.facts, self.findings, self.settings, self.button)
        self._there = _page(None, self.none, self.list, self.view)
        for part in (self.pill, self.pages, self._new, self._there, self.message):
            column.addWidget(part)
        column.addStretch(1)
        self._scroll = scrolled(self._inner, self)


def _page(form: QFormLayout | None, *parts: QWidget) -> QWidget:
    page = QWidget()
    column = QVBoxLayout(page)
    column.setContentsMargins(0, 0, 0, 0)
    column.setSpacing(8)
    if form is not None:
        column.addLayout(form)
    for part in parts:
        column.addWidget(part)
    return page

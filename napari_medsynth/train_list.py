"""All trainings in a list, newest first: what each is called, and how it stands."""

from __future__ import annotations

from qtpy.QtCore import QSize, Qt, Signal
from qtpy.QtWidgets import QAbstractItemView, QListWidget, QListWidgetItem, QWidget

from medsynth_core.protocol_training import TrainingInfo
from medsynth_core.training_words import STATE_LAMPS, state_line, title_of
from napari_medsynth import theme

MOST_ROWS, ROW_PX = 4, 24
ID = Qt.ItemDataRole.UserRole


class TrainList(QListWidget):
    """Shows trainings; `picked` carries the id of the one that was clicked."""

    picked = Signal(str)

    def __init__(self, theme_name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme_name
        self._trainings: tuple[TrainingInfo, ...] = ()
        self.setIconSize(QSize(12, 12))
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setTextElideMode(Qt.TextElideMode.ElideRight)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setAccessibleName("Trainings")
        self.itemClicked.connect(lambda item: self.picked.emit(item.data(ID)))
        self.itemActivated.connect(lambda item: self.picked.emit(item.data(ID)))

    def show_trainings(self, trainings: tuple[TrainingInfo, ...], shown: str) -> None:
        """Show these; `shown` is the one that is looked at."""
        self._trainings = trainings
        while self.count() > len(trainings):
            self.takeItem(self.count() - 1)
        while self.count() < len(trainings):
            self.addItem(QListWidgetItem())
        for row, training in enumerate(trainings):
            if (item := self.item(row)) is not None:
                self._dress(item, training)
                if training.id == shown:
                    self.setCurrentItem(item)
        rows = min(MOST_ROWS, max(1, len(trainings)))
        self.setFixedHeight(rows * ROW_PX + 2 * self.frameWidth())

    def set_theme(self, name: str) -> None:
        """Follow the viewer's theme."""
        self._theme = name
        for row, training in enumerate(self._trainings):
            if (item := self.item(row)) is not None:
                item.setIcon(theme.dot(STATE_LAMPS[training.state], name))

    def _dress(self, item: QListWidgetItem, training: TrainingInfo) -> None:
        text = f"{title_of(training)} · {state_line(training)}"
        item.setSizeHint(QSize(0, ROW_PX))
        if item.text() != text or item.data(ID) != training.id:
            item.setText(text)
            item.setData(ID, training.id)
            item.setToolTip(f"{text}\n{training.request.engine}, model id {training.request.model_id}")
            item.setIcon(theme.dot(STATE_LAMPS[training.state], self._theme))

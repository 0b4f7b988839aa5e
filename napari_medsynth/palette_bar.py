"""The semantic brush in the panel: a button a label, with its color, name and key; background erases."""

from __future__ import annotations

from qtpy.QtCore import QSize, Signal
from qtpy.QtGui import QColor, QIcon, QPixmap
from qtpy.QtWidgets import QButtonGroup, QPushButton, QWidget
from superqt import QFlowLayout

from medsynth_core import vocabulary
from medsynth_core.protocol import LabelInfo
from napari_medsynth.palette import KEYS


class PaletteBar(QWidget):
    """Shows a vocabulary; `label_picked` carries the value of the label the user took."""

    label_picked = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._flow = QFlowLayout(self)
        self._flow.setContentsMargins(0, 0, 0, 0)
        self._group = QButtonGroup(self)
        self._group.idClicked.connect(self.label_picked.emit)

    def show_labels(self, labels: tuple[LabelInfo, ...]) -> None:
        """Show another vocabulary, foreground first, the eraser last."""
        for button in self._group.buttons():
            self._group.removeButton(button)
            self._flow.removeWidget(button)
            button.hide()
            button.deleteLater()
        for index, label in enumerate(vocabulary.foreground(labels)):
            self._add(label.value, label.name, KEYS[index : index + 1], _swatch(label.color))
        if labels:
            self._add(0, "erase", "", QIcon())
        self.setVisible(bool(labels))

    def mark(self, value: int) -> None:
        """Show which label the brush paints."""
        if (button := self._group.button(value)) is not None:
            button.setChecked(True)

    def _add(self, value: int, name: str, key: str, swatch: QIcon) -> None:
        button = QPushButton(self)
        button.setCheckable(True)
        button.setText(f" {name}  {key}" if key else name)
        button.setToolTip(f"Paint {name}" + (f" (key {key} on the mask)" if key else "") if value else "Erase")
        button.setIcon(swatch)
        button.setIconSize(QSize(14, 14))
        self._group.addButton(button, value)
        self._flow.addWidget(button)


def _swatch(color: str) -> QIcon:
    pixmap = QPixmap(28, 28)
    pixmap.fill(QColor(color))
    return QIcon(pixmap)

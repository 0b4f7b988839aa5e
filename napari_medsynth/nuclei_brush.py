"""The brush that paints nuclei: the next one with a number of its own, the bucket, the eraser."""

from __future__ import annotations

from typing import Any

from napari.layers import Labels
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QHBoxLayout, QPushButton, QSizePolicy, QWidget

from napari_medsynth.connections import Connections

PAINT, FILL, ERASE = "paint", "fill", "erase"
BUTTONS = {
    PAINT: ("Next nucleus  M", "Paint another nucleus, with a number of its own (key M); strokes apart get their own, too"),
    FILL: ("Fill", "Fill the inside of an outline that you painted"),
    ERASE: ("Erase", "Take paint away"),
}


class NucleusBrush(QWidget):
    """Buttons for the modes of a Labels layer; `wanted` carries the mode that the user took."""

    wanted = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._events = Connections()
        self.buttons: dict[str, QPushButton] = {}
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(2)
        for mode, (title, tooltip) in BUTTONS.items():
            button = QPushButton(title, self)
            button.setCheckable(True)
            button.setToolTip(tooltip)
            button.setStyleSheet("padding: 3px 2px;")
            button.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
            button.clicked.connect(lambda _=False, mode=mode: self.wanted.emit(mode))
            self.buttons[mode] = button
            row.addWidget(button, 2 if mode == PAINT else 1)

    def watch(self, layer: Labels | None) -> None:
        """Show the mode of this layer from now on."""
        self._events.close()
        if layer is not None:
            self._events.add(layer.events.mode, lambda *_: self.show_mode(str(layer.mode)))
        self.show_mode("" if layer is None else str(layer.mode))

    def show_mode(self, mode: str) -> None:
        """Show which of the modes holds, if one of them does."""
        for value, button in self.buttons.items():
            button.setChecked(value == mode)

    def close_events(self) -> None:
        """Watch nothing any more."""
        self._events.close()


def take(layer: Labels, mode: str) -> None:
    """Put the brush into the user's hand; painting begins another nucleus."""
    if mode == PAINT:
        layer.selected_label = next_number(layer)
    layer.mode = mode


def next_number(layer: Labels) -> int:
    """Return the number of the next nucleus: one more than the largest, as napari's key M gives it."""
    data: Any = layer.data
    return int(data.max(initial=0)) + 1

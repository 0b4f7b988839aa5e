"""The row of tools that move, double and delete one nucleus by mouse, the image they change, and their undo."""

from __future__ import annotations

import napari
import numpy as np
from napari.layers import Image, Labels, Layer
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QGridLayout, QPushButton, QSizePolicy, QWidget

from napari_medsynth.layer_box import LayerBox
from napari_medsynth.layers import has_part
from napari_medsynth.placement import same_size

MOVE, DUPLICATE, DELETE = "move", "duplicate", "delete"
TOOLS = {
    MOVE: ("Move", "Drag a nucleus; the image is made anew only there"),
    DUPLICATE: ("Duplicate", "Drag a copy of a nucleus to its place; the image is made anew only there"),
    DELETE: ("Delete", "Click a nucleus to take it away; the image is made anew only there"),
}
NO_IMAGE = "no image of this size"


class NucleiHand(QWidget):
    """`tool_wanted` carries the tool the user took, empty when it was put down; `image` is the layer that edits change."""

    tool_wanted = Signal(str)
    undo_wanted = Signal()

    def __init__(self, viewer: napari.Viewer, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._mask: Labels | None = None
        self.image = LayerBox(viewer, self._fits, NO_IMAGE, self)
        self.image.setToolTip("The image that edits change")
        self.undo = QPushButton("Undo edit", self)
        self.buttons: dict[str, QPushButton] = {}
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(2)
        grid.setVerticalSpacing(4)
        for column, (tool, (title, tooltip)) in enumerate(TOOLS.items()):
            button = QPushButton(title, self)
            button.setCheckable(True)
            button.setToolTip(tooltip)
            button.setStyleSheet("padding: 3px 2px;")
            button.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
            button.clicked.connect(lambda on, tool=tool: self.tool_wanted.emit(tool if on else ""))
            self.buttons[tool] = button
            grid.addWidget(button, 0, column)
            grid.setColumnStretch(column, 1)
        grid.addWidget(self.image, 1, 0, 1, 2)
        grid.addWidget(self.undo, 1, 2)
        self.undo.clicked.connect(self.undo_wanted.emit)
        self.show_undo(0)

    def show_tool(self, tool: str) -> None:
        """Show which tool is in the hand, empty for none."""
        for name, button in self.buttons.items():
            button.setChecked(name == tool)

    def show_undo(self, count: int) -> None:
        """Show how many edits can be taken back."""
        self.undo.setEnabled(count > 0)
        self.undo.setToolTip("Take the last edit back, in nuclei and image" if count else "No edit to take back")

    def follow(self, mask: Labels | None) -> None:
        """List the images that lie on this layer."""
        self._mask = mask
        self.image.relist()

    def _fits(self, layer: Layer) -> bool:
        return self._mask is not None and is_slide(layer) and same_size(layer, self._mask)


def is_slide(layer: Layer) -> bool:
    """Return whether a layer is a color image as the engine takes it: 8-bit RGB."""
    return (
        isinstance(layer, Image) and bool(layer.rgb) and not layer.multiscale and layer.dtype == np.uint8 and not has_part(layer)
    )

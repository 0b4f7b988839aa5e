"""Which Labels layer is the mask, and a button that makes a new one."""

from __future__ import annotations

import napari
from napari.layers import Image, Labels, Layer
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QHBoxLayout, QPushButton, QWidget

from napari_medsynth.layer_box import LayerBox
from napari_medsynth.layers import RESULT_PREFIX, has_part

NO_MASK = "no mask yet"


class MaskRow(QWidget):
    """A box with the viewer's masks and *New mask*; `box` tells when another one is picked."""

    new_wanted = Signal()

    def __init__(self, viewer: napari.Viewer, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self.box = LayerBox(viewer, is_mask, NO_MASK, self)
        self.new = QPushButton("New mask", self)
        self.new.setToolTip("Make an empty mask that fits the picked image, and take the brush")
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(4)
        row.addWidget(self.box, 1)
        row.addWidget(self.new)
        self.new.clicked.connect(self.new_wanted.emit)

    @property
    def picked(self) -> Labels | None:
        """The mask, None without one."""
        picked: Labels | None = self.box.picked
        return picked

    def reference(self) -> Layer | None:
        """Return the image a new mask is for: the active one, else the topmost that is not a result, else any."""
        active = self._viewer.layers.selection.active
        images = [layer for layer in reversed(self._viewer.layers) if isinstance(layer, Image) and not has_part(layer)]
        if active in images:
            return active
        return next((layer for layer in images if not layer.name.startswith(RESULT_PREFIX)), next(iter(images), None))


def is_mask(layer: Layer) -> bool:
    """Return whether a layer is somebody's mask: a Labels layer that plays no part of ours beside one."""
    return isinstance(layer, Labels) and not has_part(layer)

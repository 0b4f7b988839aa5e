"""Which Labels layer is the mask, and a button that makes a new one."""

from __future__ import annotations

from typing import Any

import napari
from napari.layers import Image, Labels, Layer
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QHBoxLayout, QPushButton, QWidget

from napari_medsynth.elided_box import ElidedBox
from napari_medsynth.layers import RESULT_PREFIX

NO_MASK = "no mask yet"


class MaskRow(QWidget):
    """Lists the viewer's Labels layers; `mask_changed` says that another one (or none) is picked."""

    mask_changed = Signal()
    new_wanted = Signal()

    def __init__(self, viewer: napari.Viewer, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._listed: list[Labels] = []
        self.picked: Labels | None = None
        self.box = ElidedBox(self)
        self.new = QPushButton("New mask", self)
        self.new.setToolTip("Make an empty mask that fits the picked image, and take the brush")
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(4)
        row.addWidget(self.box, 1)
        row.addWidget(self.new)
        self.box.activated.connect(lambda index: self._choose(self._listed[index] if self._listed else None))
        self.new.clicked.connect(self.new_wanted.emit)

    def relist(self, *_: Any) -> None:
        """Show the Labels layers there are now, newest first; keep the picked one if it is still there."""
        self._listed = [layer for layer in reversed(self._viewer.layers) if isinstance(layer, Labels)]
        self.box.clear()
        self.box.addItems([layer.name for layer in self._listed] or [NO_MASK])
        self.box.setEnabled(bool(self._listed))
        keep = self.picked if self.picked in self._listed else next(iter(self._listed), None)
        self._choose(keep)

    def follow(self, *_: Any) -> None:
        """Pick the layer that is active in the viewer, if it is a Labels layer."""
        active = self._viewer.layers.selection.active
        if isinstance(active, Labels) and active in self._listed:
            self._choose(active)

    def reference(self) -> Layer | None:
        """Return the image a new mask is for: the active one, else the topmost that is not a result, else any."""
        active = self._viewer.layers.selection.active
        images = [layer for layer in reversed(self._viewer.layers) if isinstance(layer, Image)]
        if active in images:
            return active
        return next((layer for layer in images if not layer.name.startswith(RESULT_PREFIX)), next(iter(images), None))

    def _choose(self, layer: Labels | None) -> None:
        if layer is not None:
            self.box.setCurrentIndex(self._listed.index(layer))
        if layer is not self.picked:
            self.picked = layer
            self.mask_changed.emit()

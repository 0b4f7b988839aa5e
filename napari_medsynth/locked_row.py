"""Which Labels layer holds the strokes that must stay as they are, and a button that makes one."""

from __future__ import annotations

import napari
from napari.layers import Labels, Layer
from napari.utils.colormaps import DirectLabelColormap
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QHBoxLayout, QPushButton, QWidget

from napari_medsynth import layers
from napari_medsynth.layer_box import LayerBox

PURPLE = "#cc79a7"
"""Stands apart from the blue and the orange of the preview for every kind of color vision (Okabe and Ito)."""


class LockedRow(QWidget):
    """A box with the Labels layers, *nothing* first, and *New lock layer*."""

    new_wanted = Signal()

    def __init__(self, viewer: napari.Viewer, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.box = LayerBox(viewer, _may_lock, "nothing", self, optional=True)
        self.new = QPushButton("New lock layer", self)
        self.new.setToolTip("Make a layer to paint on: what is under its strokes stays as it is")
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(4)
        row.addWidget(self.box, 1)
        row.addWidget(self.new)
        self.new.clicked.connect(self.new_wanted.emit)


def new_lock(mask: Labels) -> Labels:
    """Return an empty lock layer on the grid of a mask, ready to paint on."""
    layer = layers.empty_labels(mask, "Locked", {"part": "locked"})
    layer.colormap = DirectLabelColormap(color_dict={None: PURPLE, 0: "transparent"}, name="MedSynth locked")
    layer.mode, layer.brush_size, layer.opacity = "paint", layers.brush_size(layer), 0.6
    return layer


def _may_lock(layer: Layer) -> bool:
    return isinstance(layer, Labels) and layer.metadata.get("medsynth", {}).get("part", "locked") == "locked"

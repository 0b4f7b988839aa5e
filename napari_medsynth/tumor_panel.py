"""The panel of *Grow a tumor volume*: beside the common parts, where it grows, what is asked, and how it grows."""

from __future__ import annotations

import napari
from napari.layers import Image, Layer
from qtpy.QtWidgets import QCheckBox, QHBoxLayout, QPushButton, QWidget

from napari_medsynth.grow_bar import GrowBar
from napari_medsynth.layer_box import LayerBox
from napari_medsynth.layers import has_part
from napari_medsynth.panel import Panel
from napari_medsynth.seed_row import SeedRow
from napari_medsynth.tumor_fields import FieldRow, OpenField, SliderRow

NEW_HEAD = "nothing, a new head"
DRAWN, AUTO = "drawn", "auto"
CENTER_TIPS = ("World x in mm, to the patient's right", "World y in mm, to the front", "World z in mm, upwards")
EXTENT_TIPS = ("Width in mm, left to right", "Depth in mm, front to back", "Height in mm, up and down")


class PlaceRow(QWidget):
    """The switch that lets the canvas take clicks, and the one that turns the view as radiologists do."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.place = QPushButton("Place in the view", self)
        self.place.setCheckable(True)
        self.place.setToolTip("Click in the slice view where the tumor should be; drag its outline to move it")
        self.upright = QCheckBox("Upright", self)
        self.upright.setToolTip("Front of the head at the top, the patient's right on the left, as radiologists look at it")
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.place, 1)
        row.addWidget(self.upright)


class TumorPanel(Panel):
    """All parts of *Grow a tumor volume*."""

    def __init__(self, viewer: napari.Viewer) -> None:
        super().__init__(viewer, "Grow", "Grow image and mask together, slice by slice")
        look = viewer.theme
        self.background = LayerBox(viewer, is_volume, NEW_HEAD, self, optional=True)
        self.background.setToolTip("A volume that is kept: only the lesion is grown into it")
        self.place_row = PlaceRow(self)
        self.center = FieldRow([_field(DRAWN, -500, 500, tip) for tip in CENTER_TIPS], "Let a place be drawn", together=True)
        self.volume = SliderRow(_field(DRAWN, 0.1, 1000, "Volume in ml"), "Let a volume be drawn", ratio=True)
        self.extent = FieldRow([_field(AUTO, 1, 300, tip) for tip in EXTENT_TIPS], "Let the size follow the volume")
        self.sphericity = SliderRow(_field(DRAWN, 0.05, 1, "1 is a ball", decimals=2), "Let the roundness be drawn")
        self.seed_row = SeedRow(look, self)
        self.grow = GrowBar(look, self)
        self.add_rows(
            {
                "Grow into": self.background,
                "Place": self.place_row,
                "x, y, z mm": self.center,
                "Volume ml": self.volume,
                "W, D, H mm": self.extent,
                "Sphericity": self.sphericity,
                "Seed": self.seed_row,
            }
        )
        self.params_follow(self.seed_row)
        self.add_below(self.grow)
        self.follow_theme(self.center, self.volume, self.extent, self.sphericity, self.seed_row, self.grow)
        self.set_theme(look)


def is_volume(layer: Layer) -> bool:
    """Return whether a layer is a grey volume that something may be grown into."""
    return isinstance(layer, Image) and layer.ndim >= 3 and not layer.rgb and not layer.multiscale and not has_part(layer)


def _field(word: str, low: float, high: float, tip: str, decimals: int = 1) -> OpenField:
    field = OpenField(word, low, high, decimals)
    field.setToolTip(tip)
    return field

"""What the panels that start from a mask have in common: which layer it is, and the brush that paints it."""

from __future__ import annotations

import napari

from medsynth_core.protocol import LabelInfo
from napari_medsynth.mask_row import MaskRow
from napari_medsynth.palette_bar import PaletteBar
from napari_medsynth.panel import Panel


class MaskPanel(Panel):
    """A Panel with a mask and a brush; the engine's parameters follow under them."""

    def __init__(self, viewer: napari.Viewer, verb: str, tooltip: str) -> None:
        super().__init__(viewer, verb, tooltip)
        self.mask_row = MaskRow(viewer, self)
        self.palette_bar = PaletteBar(self)
        self.add_rows({"Mask": self.mask_row, "Brush": self.palette_bar})
        self.params_follow(self.palette_bar)

    def show_labels(self, labels: tuple[LabelInfo, ...]) -> None:
        """Show the brush for these labels; no row where there are none."""
        self.palette_bar.show_labels(labels)
        self.show_row(self.palette_bar, bool(labels))

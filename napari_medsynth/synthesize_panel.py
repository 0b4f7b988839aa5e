"""The panel of Synthesize: beside the common parts, the seed, how many images, and the last of them in small."""

from __future__ import annotations

import napari

from napari_medsynth.mask_panel import MaskPanel
from napari_medsynth.seed_row import SeedRow
from napari_medsynth.variation_strip import VariationStrip


class SynthesizePanel(MaskPanel):
    """All parts of *Synthesize*."""

    def __init__(self, viewer: napari.Viewer) -> None:
        super().__init__(viewer, "Synthesize", "Make the image")
        self.seed_row = SeedRow(viewer.theme, self)
        self.variations = VariationStrip(viewer.theme, self)
        self.add_rows({"Seed": self.seed_row, "Images": self.seed_row.count})
        self.add_below(self.variations)
        self.follow_theme(self.seed_row, self.variations)

"""The panel of *Nuclei + histology*: where nuclei come from, how they are counted, asked for and edited."""

from __future__ import annotations

import napari
from qtpy.QtWidgets import QLabel

from napari_medsynth.choice_row import ChoiceRow
from napari_medsynth.layer_box import LayerBox
from napari_medsynth.mask_panel import MaskPanel
from napari_medsynth.nuclei_brush import NucleusBrush
from napari_medsynth.nuclei_count import NucleiCount
from napari_medsynth.nuclei_hand import NucleiHand, is_slide
from napari_medsynth.nuclei_request import NucleiRequest, Reference, Source
from napari_medsynth.seed_row import SeedRow
from napari_medsynth.tumor_fields import FieldRow, OpenField, SliderRow
from napari_medsynth.variation_strip import VariationStrip

DRAWN = "drawn"
CHOICES = {Source.NEW.value: "New field", Source.COMPLETE.value: "Complete", Source.KEEP.value: "Paint these"}
VERBS = {Source.NEW: "Make a pair", Source.COMPLETE: "Complete the field", Source.KEEP: "Paint these"}
TIPS = {
    Source.NEW.value: "Nuclei and their histology from nothing",
    Source.COMPLETE.value: "The nuclei you painted stay, others come between them; then the histology",
    Source.KEEP.value: "Histology of exactly the nuclei of the layer",
}


class NucleiPanel(MaskPanel):
    """All parts of *Nuclei + histology*."""

    def __init__(self, viewer: napari.Viewer) -> None:
        super().__init__(viewer, VERBS[Source.NEW], TIPS[Source.NEW.value])
        look = viewer.theme
        self.source = ChoiceRow(CHOICES, TIPS, self)
        self.brush = NucleusBrush(self)
        self.count = NucleiCount(look, self)
        self.density = SliderRow(_field(400, "Nuclei per 256² pixels", 1), "Let a plausible density be drawn", ratio=True)
        self.area = SliderRow(_field(20_000, "Mean area of a nucleus in pixels"), "Let a plausible area be drawn", ratio=True)
        self.stain = LayerBox(viewer, is_slide, DRAWN, self, optional=True)
        self.stain.setToolTip("An image layer whose stain the new images get")
        self.grid = FieldRow([_side("Rows"), _side("Columns")], "The model's own grid")
        self.seed_row = SeedRow(look, self)
        self.hand = NucleiHand(viewer, self)
        self.variations = VariationStrip(look, self)
        self.add_rows({"Make": self.source}, before=self.mask_row)
        self.add_rows(
            {
                "Brush": self.brush,
                "Count": self.count,
                "Density": self.density,
                "Area px": self.area,
                "Stain": self.stain,
                "Grid y, x": self.grid,
                "Seed": self.seed_row,
                "Images": self.seed_row.count,
                "Edit": self.hand,
            }
        )
        self._name_mask_row()
        self.params_follow(self.grid)
        self.add_below(self.variations)
        self.follow_theme(self.count, self.density, self.area, self.grid, self.seed_row, self.variations)
        self.set_theme(look)
        self.show_source()

    @property
    def request(self) -> NucleiRequest:
        """What the fields ask for."""
        (density,), (size,), (height, width) = self.density.numbers, self.area.numbers, self.grid.numbers
        return NucleiRequest(Source(self.source.value), density or 0.0, size or 0.0, int(height or 0), int(width or 0))

    def show_request(self, request: NucleiRequest) -> None:
        """Show a request; says nothing."""
        self.source.set_value(request.source.value)
        self.density.show_numbers([request.density or None])
        self.area.show_numbers([request.size_px or None])
        self.grid.show_numbers([request.height or None, request.width or None])
        self.show_source()

    def show_reference(self, reference: Reference) -> None:
        """Let sliders and counter show what another model learned from."""
        self.density.set_range(reference.density, reference.typical_density)
        self.area.set_range(reference.area_px, reference.typical_area_px)
        self.count.show_reference(reference)

    def show_source(self) -> None:
        """Show the rows that matter to where the nuclei come from, and what the button does."""
        source = Source(self.source.value)
        for row in (self.density, self.area):
            self.show_row(row, source is not Source.KEEP)
        self.show_row(self.grid, source is Source.NEW)
        self.button.set_verb(VERBS[source], TIPS[source.value])

    def _name_mask_row(self) -> None:
        if isinstance(label := self._form.labelForField(self.mask_row), QLabel):
            label.setText("Nuclei")
        self.mask_row.new.setText("New layer")
        self.mask_row.new.setToolTip("Make an empty layer that fits the picked image, and take the brush")


def _field(most: float, tip: str, decimals: int = 0) -> OpenField:
    field = OpenField(DRAWN, 1, most, decimals)
    field.setToolTip(tip)
    return field


def _side(name: str) -> OpenField:
    field = OpenField("auto", 32, 4096, 0)
    field.start = 256
    field.setToolTip(f"{name} of a new field in pixels")
    return field

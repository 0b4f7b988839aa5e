"""The panel of Refine: beside the common parts, the image, locks, strength, scope, live mode, and the review of the changes."""

from __future__ import annotations

import napari
from napari.layers import Image, Layer

from napari_medsynth.choice_row import ChoiceRow
from napari_medsynth.layer_box import LayerBox
from napari_medsynth.layers import has_part
from napari_medsynth.live_row import LiveRow
from napari_medsynth.locked_row import LockedRow
from napari_medsynth.mask_panel import MaskPanel
from napari_medsynth.preview_layer import ADDED, REMOVED
from napari_medsynth.review_bar import ReviewBar

STRENGTHS = {"touch-up": "Touch up", "correct": "Correct", "redraw": "Redraw"}
STRENGTH_TOOLTIPS = {
    "touch-up": "The boundary moves a little: for a mask that is nearly right",
    "correct": "The boundary moves by about half the width of the object: for a mask with mistakes",
    "redraw": "The boundary moves freely around the object: for a rough stroke",
}
SLICE, STACK = "slice", "stack"
SCOPES = {SLICE: "This slice", STACK: "Whole stack"}
SCOPE_TOOLTIPS = {SLICE: "Refine the slice that is shown", STACK: "Refine all slices, along the axis of the slider"}


class RefinePanel(MaskPanel):
    """All parts of *Refine*."""

    def __init__(self, viewer: napari.Viewer) -> None:
        super().__init__(viewer, "Refine", "Make a preview of a better boundary; the mask is not touched")
        self.image = LayerBox(viewer, _is_image, "no image yet", self)
        self.locked = LockedRow(viewer, self)
        self.strength = ChoiceRow(STRENGTHS, STRENGTH_TOOLTIPS, self)
        self.scope = ChoiceRow(SCOPES, SCOPE_TOOLTIPS, self)
        self.live = LiveRow(self)
        self.review = ReviewBar(ADDED, REMOVED, self)
        self.add_rows({"Image": self.image}, before=self.mask_row)
        self.add_rows({"Locked": self.locked, "Strength": self.strength, "Scope": self.scope, "Live": self.live})
        self.add_below(self.review)
        self.show_row(self.scope, False)


def _is_image(layer: Layer) -> bool:
    return isinstance(layer, Image) and not has_part(layer)

"""How nuclei look over their image: outlines in light colors, which stand out from pink and violet as napari's own do not."""

from __future__ import annotations

from napari.layers import Labels
from napari.utils.colormaps import CyclicLabelColormap

COLORS = ("#00e5ff", "#76ff03", "#ffffff", "#ffab40", "#80d8ff", "#ccff90", "#1de9b6")
"""In turns, so that neighbors, which mostly have numbers near each other, differ; not the yellow of the nucleus in the hand."""


def dress(layer: Labels) -> None:
    """Give the nuclei of a layer of ours their colors."""
    layer.colormap = CyclicLabelColormap(colors=COLORS, name="MedSynth nuclei")


def outline(layer: Labels) -> None:
    """Let the image under the nuclei be seen."""
    layer.contour, layer.opacity = 1, max(layer.opacity, 0.8)

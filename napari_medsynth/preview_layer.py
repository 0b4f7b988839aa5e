"""What the preview looks like: a layer over the mask with added and removed pixels in two colors, the ones looked at strong."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from napari.layers import Labels
from napari.utils.colormaps import DirectLabelColormap

from napari_medsynth import layers

NAME = "Refine preview"
ADDED, REMOVED = "#56b4e9", "#e69f00"
"""Sky blue and orange: told apart by every kind of color vision (Okabe and Ito), and from the grey of an image."""
FAINT, STRONG = "b0", "ff"
"""Opacity of a change, and of the one that is looked at."""
COLORS: dict[int | None, str] = {
    None: "transparent",
    0: "transparent",
    1: ADDED + FAINT,
    2: REMOVED + FAINT,
    3: ADDED + STRONG,
    4: REMOVED + STRONG,
}


def codes(added: npt.NDArray[np.bool_], looked_at: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """Return the values of the preview for changed pixels (n,): 1 added, 2 removed, 3 and 4 where they are looked at."""
    return np.where(added, 1, 2) + 2 * looked_at


def preview_layer(mask: Labels, recipe: Mapping[str, Any]) -> Labels:
    """Return an empty preview on the grid of a mask. Nobody paints on it."""
    layer = layers.empty_labels(mask, NAME, {**recipe, "part": "preview"})
    layer.colormap = DirectLabelColormap(color_dict=COLORS, name="MedSynth preview")
    layer.opacity, layer.editable = 1.0, False
    return layer

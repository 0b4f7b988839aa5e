"""Where the images of a run go: under their mask, on the cut it came from, without taking the brush out of the user's hand."""

from __future__ import annotations

import weakref

import napari
from napari.layers import Image, Labels

from medsynth_core.run import Made
from napari_medsynth import layers
from napari_medsynth.layers import RESULT_PREFIX, Cut


class Destination:
    """Made at the click; the mask may be gone when the images come."""

    def __init__(self, viewer: napari.Viewer, cut: Cut, mask: Labels, title: str) -> None:
        self._viewer, self._cut, self._title = viewer, cut, title
        self._mask = weakref.ref(mask)

    def place(self, made: Made) -> Image:
        """Add the image to the viewer and return its layer: under the mask if that is still there, else on top."""
        recipe = {**made.recipe, "job": made.job, "seed": made.seed, "synthetic": True}
        layer = layers.result_layer(made.volume, self._cut, f"{RESULT_PREFIX} {self._title} · seed {made.seed}", recipe)
        listed, mask = self._viewer.layers, self._mask()
        active = listed.selection.active
        listed.insert(listed.index(mask) if mask in listed else len(listed), layer)
        if active in listed:
            listed.selection.active = active
        return layer

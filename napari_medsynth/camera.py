"""Where the viewer looks: at one place of a layer, on its slice, near enough to see it."""

from __future__ import annotations

import napari
import numpy as np
from napari.layers import Layer

from napari_medsynth.placement import to_world

SCREEN_PX = 4.0
"""Screen pixels that a layer's pixel takes at least, if what is looked at fits."""
ROOM_PX = 500.0
"""Screen pixels that are surely there."""


def look_at(viewer: napari.Viewer, layer: Layer, place: tuple[int, ...], extent_px: int = 1) -> None:
    """Move the sliders and the camera to a pixel of a layer; `extent_px` is the size of what should be seen around it."""
    world = np.array(layer.data_to_world(place))
    first = viewer.dims.ndim - layer.ndim
    shown = viewer.dims.displayed
    for axis in range(layer.ndim):
        if axis + first not in shown:
            viewer.dims.set_point(axis + first, world[axis])
    center = [world[axis - first] for axis in shown if axis >= first]
    viewer.camera.center = (*([0.0] * (3 - len(center))), *center)
    pixel = np.linalg.norm(to_world(layer)[:-1, shown[-1] - first])
    viewer.camera.zoom = max(viewer.camera.zoom, min(SCREEN_PX, ROOM_PX / (2 * extent_px)) / pixel)

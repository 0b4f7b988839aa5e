"""The uncertainty of a refinement in the viewer: a layer on demand, and a walk to the places where the result is least sure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import napari
import numpy as np
from napari.layers import Image

from medsynth_core.uncertain import uncertain_places
from medsynth_core.uncertain_walk import Walk
from medsynth_core.volume import Volume
from napari_medsynth import camera, layers
from napari_medsynth.connections import Connections
from napari_medsynth.layers import Cut

NAME = "Refine uncertainty"


class UncertaintyTour:
    """Holds the newest uncertainty (0 sure, 255 as unsure as can be) of a cut; shows it and goes through its places.

    It calls `removed` when the user took the layer away.
    """

    def __init__(self, viewer: napari.Viewer, removed: Callable[[], None]) -> None:
        self._viewer, self._removed = viewer, removed
        self.viewer_events = Connections()
        self.viewer_events.add(viewer.layers.events.removed, self._layer_removed)
        self._made: tuple[Volume, Cut, dict[str, Any]] | None = None
        self._layer: Image | None = None
        self._walk: Walk | None = None

    @property
    def text(self) -> str:
        """Which place is looked at, such as `2 of 7`; empty before the first."""
        return self._walk.text if self._walk else ""

    @property
    def unsure(self) -> bool:
        """Whether there is an uncertain place at all."""
        return self._made is not None and bool(self._made[0].array.any())

    @property
    def walk(self) -> Walk:
        """The walk to the uncertain places, pixels of the cut; found when they are first asked for."""
        if self._walk is None:
            volume, cut, _ = self._made if self._made else (None, None, None)
            self._walk = Walk(uncertain_places(layers.as_pixels(volume, cut), cut.along) if volume and cut else ())
        return self._walk

    def take(self, volume: Volume, cut: Cut, recipe: Mapping[str, Any]) -> None:
        """Hold a new uncertainty; a layer that is shown shows it."""
        shown = self._layer is not None
        same = self._made is not None and self._made[1].index == cut.index and self._made[0].size == volume.size
        self._made, self._walk = (volume, cut, dict(recipe)), None
        if self._layer is not None and same:
            self._layer.data = layers.result_layer(volume, cut, NAME, recipe).data
        elif shown:
            self.show(False)
            self.show(True)

    def clear(self) -> None:
        """Hold nothing."""
        self.show(False)
        self._made = self._walk = None

    def show(self, shown: bool) -> None:
        """Add the layer or take it away; what is active in the viewer stays active."""
        if not shown:
            layer, self._layer = self._layer, None
            if layer is not None and layer in self._viewer.layers:
                self._viewer.layers.remove(layer)
            return
        if self._made is None or self._layer is not None:
            return
        volume, cut, recipe = self._made
        layer = layers.result_layer(volume, cut, NAME, {**recipe, "part": "uncertainty"})
        layer.colormap, layer.blending, layer.contrast_limits = "magma", "additive", (0, 255)
        active = self._viewer.layers.selection.active
        self._layer = layer
        self._viewer.add_layer(layer)
        if active in self._viewer.layers:
            self._viewer.layers.selection.active = active

    def go_on(self, mask: napari.layers.Labels) -> None:
        """Look at the next uncertain place, after the last at the first again."""
        if self._made is None or (found := self.walk.next()) is None:
            return
        place = layers.layer_index(self._made[1], tuple(np.array([i]) for i in found))
        camera.look_at(self._viewer, mask, tuple(int(axis[0]) for axis in place))

    def _layer_removed(self, event: Any) -> None:
        if self._layer is not None and event.value == self._layer:
            self._layer = None
            self._removed()

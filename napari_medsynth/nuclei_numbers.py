"""Gives every new nucleus a number of its own while the user paints: a stroke that makes a blob apart begins another nucleus.

The new number is written past napari's undo: all of a blob apart is of the last stroke, so taking the stroke back clears it.
"""

from __future__ import annotations

from typing import Any

import napari
import numpy as np
from napari.layers import Labels

from medsynth_core.errors import ShapeError
from napari_medsynth import layers
from napari_medsynth.connections import Connections
from napari_medsynth.layers import Cut
from napari_medsynth.nuclei_blobs import MOST, fresh_blobs


class Numbers:
    """Watches one Labels layer at a time."""

    def __init__(self, viewer: napari.Viewer) -> None:
        self._viewer = viewer
        self._layer: Labels | None = None
        self._events = Connections()
        self._place: tuple[int | None, ...] = ()
        self._seen: np.ndarray | None = None

    def watch(self, layer: Labels | None) -> None:
        """Watch this layer instead."""
        self._events.close()
        self._layer = layer
        if layer is not None:
            self._events.add(layer.events.paint, self._painted)
            for event in (layer.events.set_data, layer.events.data):  # undo, redo, another slice: not while a stroke lasts
                self._events.add(event, self.look)
        self.look()

    def close(self) -> None:
        """Watch nothing any more; may be called twice."""
        self._events.close()

    def look(self, *_: Any) -> None:
        """See the plane as it is now: something else than a stroke may have changed it."""
        self._place, self._seen = (), None
        if self._layer is not None and (cut := self._cut()) is not None:
            self._place, self._seen = cut.index, layers.take(self._layer, cut)

    def _painted(self, *_: Any) -> None:
        layer, cut = self._layer, self._cut()
        if layer is None or cut is None:
            return
        known = self._seen if cut.index == self._place else None
        now = layers.take(layer, cut)
        if known is not None and known.shape == now.shape and layer.selected_label:
            for places in fresh_blobs(known, now, layer.selected_label):
                self._renumber(layer, cut, places)
        self.look()

    def _renumber(self, layer: Labels, cut: Cut, places: tuple[np.ndarray, ...]) -> None:
        number = int(layer.data.max()) + 1
        if number > min(MOST, np.iinfo(layer.data.dtype).max):
            return  # it gets one of its own when it is sent
        layer.data[layers.layer_index(cut, places)] = number
        layer.selected_label = number
        layer.refresh(extent=False)

    def _cut(self) -> Cut | None:
        if self._layer is None or self._layer.multiscale:
            return None
        try:
            return layers.shown_plane(self._layer, self._viewer.dims)
        except ShapeError:  # the viewer shows none of it
            return None

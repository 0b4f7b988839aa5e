"""Redraws what grows, no oftener than a viewer can bear, and lets the view follow the newest slice if that is wanted."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import napari
import numpy as np
from napari.layers import Layer
from qtpy.QtCore import QElapsedTimer, QObject, QTimer, Signal

from napari_medsynth.connections import Connections

FLAT_MS, DEEP_MS = 67, 500
"""Least time between two redraws: 15 a second in a slice view, 2 in 3-D, where the whole volume is drawn."""
BREATH = 2
"""Times what a redraw takes that is between two: on a slow display half of the time is left for the user."""


class Redraw(QObject):
    """Collects what changed and draws it when its time has come. `shown` says that another slice is looked at.

    `left` says that the user moved the slider himself while it was `busy`: then the view follows no longer.
    """

    shown = Signal()
    left = Signal()

    def __init__(self, viewer: napari.Viewer, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self.viewer_events = Connections()
        self.viewer_events.add(viewer.dims.events.point, self._moved)
        self._waiting: dict[int, Layer] = {}
        self._newest: tuple[Layer, int] | None = None
        self._moving = False
        self.follow = self.busy = False
        self._since = QElapsedTimer()
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self.flush)
        self._drawn = QTimer(self)
        self._drawn.setSingleShot(True)
        self._drawn.timeout.connect(self._note_cost)
        self._cost_ms = 0

    @contextlib.contextmanager
    def quietly(self) -> Iterator[None]:
        """Take a move of the sliders in this block for ours, not the user's."""
        before, self._moving = self._moving, True
        try:
            yield
        finally:
            self._moving = before

    def changed(self, layer: Layer, z: int) -> None:
        """Take note that slice z of a layer is another one: drawn soon if it is shown, gone to soon if the view follows."""
        if self.follow and self._viewer.dims.ndisplay == 2:
            self._newest = (layer, z)
        elif not self._sees(layer, z):
            return
        self._waiting[id(layer)] = layer
        if not self._timer.isActive():
            self._timer.start(self._rest())

    def flush(self) -> None:
        """Draw now what waits."""
        self._timer.stop()
        self._since.start()
        waiting, self._waiting = list(self._waiting.values()), {}
        newest, self._newest = self._newest, None
        moved = newest is not None and self.go_to(*newest)
        for layer in waiting:
            if not moved and layer in self._viewer.layers:  # a move draws all layers
                layer.refresh(thumbnail=False, highlight=False, extent=False)
        self._drawn.start(0)

    def go_to(self, layer: Layer, z: int) -> bool:
        """Show slice z of a layer in the slice view; no move of the user's. Return whether another one was shown."""
        dims, before = self._viewer.dims, self.slice_of(layer)
        here = np.array(layer.world_to_data(dims.point[-layer.ndim :]))
        here[-3] = z
        first = dims.ndim - layer.ndim
        with self.quietly():
            for axis, place in enumerate(layer.data_to_world(here)):
                if axis + first not in dims.displayed:
                    dims.set_point(axis + first, float(place))
        return self.slice_of(layer) != before

    def slice_of(self, layer: Layer) -> int | None:
        """Return which slice of a layer is shown, None where the view shows many."""
        if layer.ndim - 3 + self._viewer.dims.ndim - layer.ndim in self._viewer.dims.displayed:
            return None
        return int(np.rint(layer.world_to_data(self._viewer.dims.point[-layer.ndim :])[-3]))

    def _sees(self, layer: Layer, z: int) -> bool:
        shown = self.slice_of(layer)
        return layer.visible and (shown is None or shown == z)

    def _rest(self) -> int:
        least = FLAT_MS if self._viewer.dims.ndisplay == 2 else DEEP_MS
        return max(0, max(least, BREATH * self._cost_ms) - int(self._since.elapsed())) if self._since.isValid() else 0

    def _note_cost(self) -> None:
        """Note what the last redraw took, painting included: this runs when all events have been worked off."""
        self._cost_ms = int(self._since.elapsed())

    def _moved(self, *_: Any) -> None:
        if self.busy and self.follow and not self._moving:
            self.left.emit()
        self.shown.emit()

"""What is asked, drawn over the viewer: the outline of the tumor, and that of a typical head where there is no image yet.

In a slice view the cut of the shown slice is drawn, whichever way the view is turned; in 3-D a cage of rings. The head is drawn
at all of its slices, so that the slider can go through it.
"""

from __future__ import annotations

from typing import Any

import napari
import numpy as np
from napari.layers import Vectors

from medsynth_core.tumor_request import Ellipsoid
from napari_medsynth import tumor_lines
from napari_medsynth.connections import Connections
from napari_medsynth.placement import world_mm
from napari_medsynth.tumor_lines import Lines

TUMOR, HEAD = "Requested tumor", "Typical head"
COLORS = {TUMOR: "#e69f00", HEAD: "#56b4e9"}
"""Orange and sky blue: told apart by every kind of color vision (Okabe and Ito), and from the grey of an image."""
WIDTHS = {TUMOR: 1.0, HEAD: 0.7}
Step = tuple[float, float, float]


class Guide:
    """At most two layers. They follow the view. One that the user removes stays away until the next `show`."""

    def __init__(self, viewer: napari.Viewer) -> None:
        self._viewer = viewer
        self.viewer_events = Connections()
        for event in (viewer.dims.events.point, viewer.dims.events.order, viewer.dims.events.ndisplay):
            self.viewer_events.add(event, self._redraw)
        self._layers: dict[str, Vectors] = {}
        self.tumor: Ellipsoid | None = None
        self.head: Ellipsoid | None = None
        self._step: Step = (1.0, 1.0, 1.0)

    def show(self, tumor: Ellipsoid | None, head: Ellipsoid | None, step_mm: Step) -> None:
        """Draw the outlines there are. `step_mm` (z, y, x) is how far the viewer's sliders move at once."""
        self.tumor, self.head, self._step = tumor, head, step_mm
        for name, body in self._bodies():
            if body is None:
                self._remove(name)
            elif self._drawn(name) is None:
                self._add(name, self._lines(name, body))
        self._redraw()

    def clear(self) -> None:
        """Take the outlines out of the viewer."""
        self.show(None, None, self._step)

    @property
    def layers(self) -> list[Vectors]:
        """The layers that are drawn."""
        return [layer for layer in self._layers.values() if layer in self._viewer.layers]

    def _bodies(self) -> tuple[tuple[str, Ellipsoid | None], ...]:
        return (HEAD, self.head), (TUMOR, self.tumor)

    def _drawn(self, name: str) -> Vectors | None:
        layer = self._layers.get(name)
        return layer if layer in self._viewer.layers else None

    def _remove(self, name: str) -> None:
        if (layer := self._drawn(name)) is not None:
            del self._layers[name]
            self._viewer.layers.remove(layer)

    def _redraw(self, *_: Any) -> None:
        """Draw as the view is now. It adds no layer: the view moves, too, while layers are being removed."""
        for name, body in self._bodies():
            if body is not None and (layer := self._drawn(name)) is not None:
                layer.scale = self._step
                layer.data = self._lines(name, body)

    def _lines(self, name: str, body: Ellipsoid) -> Lines:
        return self._lines_mm(name, body) / np.array(self._step)

    def _lines_mm(self, name: str, body: Ellipsoid) -> Lines:
        dims = self._viewer.dims
        axis = dims.order[-3] - (dims.ndim - 3) if dims.ndim > 2 else 0
        if axis < 0 or (dims.ndisplay == 3 and name == TUMOR):
            return tumor_lines.cage(body)
        if name == TUMOR:
            return tumor_lines.ring(body, axis, world_mm(self._viewer, dims.point)[axis])
        center, half = body.center_mm[2 - axis], body.half_mm[2 - axis]
        first, last = np.ceil((center - half) / self._step[axis]), np.floor((center + half) / self._step[axis])
        return tumor_lines.rings(body, axis, np.arange(first, last + 1) * self._step[axis])

    def _add(self, name: str, lines: Lines) -> None:
        """Add a layer without taking the brush out of the user's hand."""
        active = self._viewer.layers.selection.active
        layer = Vectors(
            lines,
            ndim=3,
            name=name,
            edge_color=COLORS[name],
            edge_width=WIDTHS[name],
            vector_style="line",
            scale=self._step,
            units=("mm",) * 3,
            axis_labels=("z", "y", "x"),
            metadata={"medsynth": {"part": "guide"}},
        )
        self._layers[name] = layer
        self._viewer.add_layer(layer)
        if active in self._viewer.layers:
            self._viewer.layers.selection.active = active

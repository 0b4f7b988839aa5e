"""The hand that places the tumor: while it is on, a click in the slice view says where, and a drag moves the outline."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import napari
import numpy as np

from medsynth_core.tumor_request import Ellipsoid, Triple
from napari_medsynth.placement import world_mm
from napari_medsynth.press import Press


class Placing:
    """Calls `placed` with a place in world mm. `body` gives the outline that may be dragged; elsewhere a drag is the camera's."""

    def __init__(self, viewer: napari.Viewer, body: Callable[[], Ellipsoid | None], placed: Callable[[Triple], None]) -> None:
        self._viewer, self._body, self._placed = viewer, body, placed
        self.on = False

    def start(self) -> None:
        """Take clicks from now on."""
        if not self.on:
            self.on = True
            self._viewer.mouse_drag_callbacks.append(self._press)

    def stop(self) -> None:
        """Leave clicks to the viewer again; may be called twice."""
        if self.on:
            self.on = False
            self._viewer.mouse_drag_callbacks.remove(self._press)

    def _press(self, viewer: Any, event: Any) -> Iterator[None]:
        if len(event.dims_displayed) != 2 or event.button != 1:
            return
        press, start = Press(event), self._place(event)
        body = self._body()
        grip = np.subtract(body.center_mm, start) if body is not None and body.holds(start) else None
        pan = self._viewer.camera.mouse_pan
        if grip is not None:
            self._viewer.camera.mouse_pan = False  # else the picture would follow the hand, too
        try:
            yield
            while event.type == "mouse_move":
                self._carry(press, grip, event)
                yield
            self._carry(press, grip, event)
        finally:
            self._viewer.camera.mouse_pan = pan
        if not press.dragged:
            self._put(start)

    def _carry(self, press: Press, grip: Any, event: Any) -> None:
        if press.follow(event) and grip is not None:
            self._put(self._place(event) + grip)

    def _put(self, place: Any) -> None:
        x, y, z = (float(v) for v in place)
        self._placed((x, y, z))

    def _place(self, event: Any) -> Triple:
        x, y, z = (np.array(world_mm(self._viewer, event.position)))[::-1]
        return float(x), float(y), float(z)

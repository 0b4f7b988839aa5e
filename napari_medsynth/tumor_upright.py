"""Turns the view as radiologists look at a head: its front at the top, the patient's right on the left."""

from __future__ import annotations

import napari

RADIOLOGICAL = ("away", "up", "left")
"""Screen directions of world z, y, x. Right-handed, as the world (RAS) is: nothing is mirrored in 3-D either."""


class Upright:
    """Turns the camera and turns it back. The world's numbers stay what they are."""

    def __init__(self, viewer: napari.Viewer) -> None:
        self._viewer = viewer
        self._before: tuple[str, ...] | None = None

    def set(self, upright: bool) -> None:
        """Turn the view, or turn it back to how it was."""
        if upright and self._before is None:
            self._before = tuple(str(direction.value) for direction in self._viewer.camera.orientation)
            self._viewer.camera.orientation = RADIOLOGICAL
        elif not upright and self._before is not None:
            self._viewer.camera.orientation, self._before = self._before, None

"""A press on the canvas: a click, or a drag?

The place of the release counts as well as those between. vispy drops moves that come within 10 ms of another, and napari puts
some off: when a viewer was busy, press, moves and release come all at once, and a drag is seen without a single move.
"""

from __future__ import annotations

from typing import Any

import numpy as np

DRAG_PX = 4
"""A press that moves further than this on the screen is a drag."""


class Press:
    """Begins with the event of the press. `follow` it with each event up to the release; then `dragged` says what it was."""

    def __init__(self, event: Any) -> None:
        self._began = np.array(event.pos)
        self.dragged = False

    def follow(self, event: Any) -> bool:
        """Take another place of the mouse and return whether this is a drag. One that comes back stays a drag."""
        self.dragged = self.dragged or bool(np.linalg.norm(np.array(event.pos) - self._began) > DRAG_PX)
        return self.dragged

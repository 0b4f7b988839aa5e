"""Work that is made ready over some turns of the main loop, and begun anew when what it is made from changes meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from MedSynthLib.conversion import BINARY
from MedSynthLib.rewriting import Work

TURN_S = 0.02
"""How long a turn works, in processor time, before it lets others have theirs; a bit of work that was begun is ended."""


class Applying:
    """One Apply under way: `begin` starts the work on segmentations, which are only read until the very end."""

    def __init__(self, begin: Callable[[], Work], *segmentations: Any, clock: Callable[[], float] = time.thread_time) -> None:
        self._begin, self._segmentations, self._clock = begin, segmentations, clock
        self._work, self._seen = begin(), self._look()

    def go_on(self) -> Callable[[], None] | None:
        """Work for a turn; return what puts the result in place, None while it is not ready. Raises what the work raises."""
        if self._look() != self._seen:  # somebody painted between two turns
            self._work, self._seen = self._begin(), self._look()
        until = self._clock() + TURN_S
        while True:
            try:
                next(self._work)
            except StopIteration as ready:
                put: Callable[[], None] = ready.value
                return put
            if self._clock() >= until:
                return None

    def _look(self) -> list[tuple[str, int]]:
        """Return when the segments were changed the last time."""
        found = []
        for inside in (segmentation.GetSegmentation() for segmentation in self._segmentations):
            for segment in inside.GetSegmentIDs():
                image = inside.GetSegment(segment).GetRepresentation(BINARY)
                found.append((segment, image.GetMTime() if image is not None else 0))
        return found

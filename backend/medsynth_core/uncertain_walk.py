"""A walk to the places where a result is least sure, in the same words in every viewer."""

from __future__ import annotations

from collections.abc import Sequence

SHOW, SHOW_TIP = "Uncertainty", "Show where the result is not sure: bright is uncertain"
NEXT, NEXT_TIP = "Next uncertain place", "Go to the next of the places where the result is least sure"
SURE, LOOKING = "The result is sure everywhere", "Looking…"

Place = tuple[int, ...]


class Walk:
    """Goes through `places`, worst first, and after the last to the first again; None while they are still looked for."""

    def __init__(self, places: Sequence[Place] | None = ()) -> None:
        self.places: Sequence[Place] | None = places
        self._at = 0

    @property
    def text(self) -> str:
        """Which place is looked at, such as `2 of 7`; empty before the first."""
        return f"{self._at} of {len(self.places)}" if self._at and self.places else ""

    @property
    def tip(self) -> str:
        """What the button does, or why it does nothing."""
        return LOOKING if self.places is None else NEXT_TIP if self.places else SURE

    def next(self) -> Place | None:
        """Go on to the next place; None when there is none."""
        if not self.places:
            return None
        self._at = self._at % len(self.places) + 1
        return self.places[self._at - 1]

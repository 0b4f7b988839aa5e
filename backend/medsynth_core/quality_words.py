"""The badge of a result in a viewer's words and colors, the same in napari, in 3D Slicer and in `msynth`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from medsynth_core.lamp import Lamp
from medsynth_core.quality import Badge, Grade

LAMPS = {Grade.GOOD: Lamp.GREEN, Grade.LOOK: Lamp.AMBER, Grade.COPY: Lamp.RED, Grade.UNKNOWN: Lamp.OFF}
UNMEASURED = "Nobody has measured this result: its engine has no badge."
NO_JUDGE = "not judged: the model has no judge"
COUNTED = {Grade.GOOD: "good", Grade.LOOK: "to look at", Grade.COPY: "may be copies", Grade.UNKNOWN: "not judged"}


@dataclass(frozen=True)
class Sign:
    """What stands beside a result: a lamp, its word, and the sentences that are told when it is pointed at."""

    lamp: Lamp
    word: str
    tip: str


def sign(recipe: Mapping[str, Any]) -> Sign:
    """Return the sign of a result by its recipe; off where nothing was measured."""
    badge = Badge.of_recipe(recipe)
    if badge is None:
        return Sign(Lamp.OFF, Grade.UNKNOWN.value, UNMEASURED)
    word = badge.grade.value
    return Sign(LAMPS[badge.grade], word, "\n".join((f"Quality: {word}", *badge.sentences)))


def told(recipe: Mapping[str, Any]) -> str:
    """Return a line for a terminal: the grade, and why where it is not good; empty where nothing was measured."""
    badge = Badge.of_recipe(recipe)
    if badge is None:
        return ""
    wrong = [verdict.says for verdict in badge.verdicts if verdict.grade in (Grade.LOOK, Grade.COPY)]
    return ". ".join((f"quality: {badge.grade.value}", *wrong))


class Tally:
    """Counts the grades of results that come one after the other."""

    def __init__(self) -> None:
        self._counts: Counter[Grade] = Counter()

    def add(self, recipe: Mapping[str, Any]) -> str:
        """Count a result by its recipe; return a line where something is wrong with it, else nothing.

        A result that nobody has measured, as of an engine without a badge, does not count.
        """
        badge = Badge.of_recipe(recipe)
        if badge is None:
            return ""
        self._counts[badge.grade] += 1
        return told(recipe) if badge.grade in (Grade.LOOK, Grade.COPY) else ""

    @property
    def line(self) -> str:
        """The one line that ends a run: how many are good, and how many are not; empty where all was said before."""
        if set(self._counts) == {Grade.UNKNOWN}:
            return f"quality: {NO_JUDGE}"
        if self._counts.total() <= 1:
            return f"quality: {Grade.GOOD.value}" if self._counts[Grade.GOOD] else ""
        return "quality: " + ", ".join(f"{self._counts[grade]} {word}" for grade, word in COUNTED.items() if self._counts[grade])

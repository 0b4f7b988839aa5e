"""The vocabulary of a model to be: names and colors for the label values of a training folder."""

from __future__ import annotations

import colorsys

from medsynth_core.errors import ParameterError
from medsynth_core.protocol import LabelInfo

BACKGROUND = LabelInfo(0, "background", "#000000")
HIGHEST = 31
COLORS = ("#4dd0e1", "#ffb74d", "#ba68c8", "#aed581", "#f06292", "#7986cb", "#fff176", "#a1887f")


def vocabulary_of(names: dict[int, str] | None, found: set[int]) -> tuple[LabelInfo, ...]:
    """Return background and the labels named; with None for `names`, those `found` in the masks under names of our own.

    Raises ParameterError when there is none, or a value is not between 1 and 31.
    """
    if names is None:
        values = sorted(found - {0})
        names = {1: "lesion"} if values == [1] else {value: f"label {value}" for value in values}
    if not names or 0 in names or max(names) > HIGHEST:
        raise ParameterError(
            f"labels are {sorted(names)}: foreground values must lie between 1 and {HIGHEST}; renumber the masks"
        )
    return (BACKGROUND, *(LabelInfo(value, name, color(i)) for i, (value, name) in enumerate(sorted(names.items()))))


def color(index: int) -> str:
    """Return a color for each foreground label, no two alike: a painted mask must tell them apart."""
    if index < len(COLORS):
        return COLORS[index]
    rgb = colorsys.hsv_to_rgb(index * 0.618 % 1, 0.9, 0.8)  # the golden ratio spreads the hues
    return "#" + bytes(round(255 * part) for part in rgb).hex()

"""A tumor in the words people ask with: a center, an extent, a grid of three numbers each; on the wire each number has a name.

Centers and extents run x, y, z in world millimeters (RAS); grids and their spacing run z, y, x like arrays.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from medsynth_core.errors import ParameterError

TRIPLES = {
    "center_mm": ("center_x_mm", "center_y_mm", "center_z_mm"),
    "extent_mm": ("extent_x_mm", "extent_y_mm", "extent_z_mm"),
    "shape": ("slices", "height", "width"),
    "spacing_mm": ("slice_mm", "row_mm", "column_mm"),
}
PLACE, GIVEN = "place", "given"
"""The parameter that says whether a center counts: without it the engine draws one."""


def spread(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Return the engine's parameters: each triple by its three names, the rest as it is. A center is then no longer drawn.

    Raises ParameterError for a triple that has not three entries.
    """
    params: dict[str, Any] = {}
    for name, value in asked.items():
        if name in TRIPLES:
            params |= dict(zip(TRIPLES[name], _three(name, value), strict=True))
        else:
            params[name] = value
    return params | ({PLACE: GIVEN} if "center_mm" in asked else {})


def gathered(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return facts with every complete triple under its one name, as a list; the inverse of `spread`."""
    whole = {name: parts for name, parts in TRIPLES.items() if all(part in facts for part in parts)}
    gone = {PLACE, *(part for parts in whole.values() for part in parts)}
    rest = {name: value for name, value in facts.items() if name not in gone}
    return rest | {name: [facts[part] for part in parts] for name, parts in whole.items()}


def _three(name: str, value: Any) -> Sequence[Any]:
    try:
        parts = list(value)
    except TypeError:
        parts = []
    if len(parts) != 3 or isinstance(value, str):
        raise ParameterError(f"{name} is {value!r}: it must be three numbers, {', '.join(TRIPLES[name])}")
    return parts

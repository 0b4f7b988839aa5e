"""A volume that grows slice by slice: what every viewer says of it, how bright its marks are, what is noted of half of one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from medsynth_core.deed import Deed

FAINTEST = 0.35
"""Opacity of the slice that came first; the one that came last is opaque."""
RULER_TIP = "The finished slices from first to last, the newest brightest"
FOLLOW, FOLLOW_TIP = "Follow", "The view goes to each new slice, until you scroll yourself"

RESUME = Deed("Resume", "Go on from the finished slices; the result will be the same as without the pause")
KEEP = Deed("Keep", "Leave the finished slices as they are; the rest stays black")
DISCARD = Deed("Discard", "Take the unfinished result away; it stays in the list of jobs")


def count_text(came: int, depth: int) -> str:
    """Return how many slices there are."""
    return f"{came} / {depth} slices"


def stopped_text(came: int, depth: int) -> str:
    """Return what happened to a volume that did not get whole."""
    return f"Stopped at {came} of {depth} slices."


def kept_text(came: int, depth: int) -> str:
    """Return what became of one that is kept as it is."""
    return f"Kept with {came} of {depth} slices."


def in_order(arrived: Sequence[int]) -> list[int]:
    """Return the slices that are there in the order they came; one that was replaced counts when it came last."""
    return list(dict.fromkeys(reversed(arrived)))[::-1]


def opacity(place: int, count: int) -> float:
    """Return how bright the mark of the slice is that came `place`-th, from 0, of `count`."""
    return FAINTEST + (1 - FAINTEST) * (place + 1) / count


def unfinished(recipe: Mapping[str, Any], job: str, arrived: Sequence[int]) -> dict[str, Any]:
    """Return what is noted of a volume that is not whole: its recipe as far as it is known, and which slices there are."""
    return {**recipe, "job": job, "partial": True, "slices": sorted(set(arrived))}

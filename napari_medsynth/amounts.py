"""What a refinement did, in words: in pixels, or in mm, mm² and ml where the layer has units. No Qt."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from skimage.measure import regionprops

from medsynth_core.kept import kept_places
from medsynth_core.strength import STRENGTHS, reach_px

Spacing = tuple[float, ...] | None
"""Size of a pixel along each axis of a cut in mm; None where it has no length."""
MINUS = "\N{MINUS SIGN}"


def strength_texts(mask: np.ndarray | None, spacing: Spacing) -> dict[str, str]:
    """Return how far each strength may move the boundary of what is painted in a mask (y, x): ±9.0 px, ±4.5 mm.

    Several labels are refined each by its own width: then it is at most so far, ≤ 9.0 px. Nothing is said of an empty mask.
    """
    objects = [] if mask is None else [region.image for region in regionprops(mask)]  # cut out: labels may be hundreds
    if not objects:
        return dict.fromkeys(STRENGTHS, "")
    scale, unit = (math.sqrt(spacing[-1] * spacing[-2]), "mm") if spacing else (1.0, "px")
    return {word: f"{_farthest([scale * reach_px(one, word) for one in objects])} {unit}" for word in STRENGTHS}


def change_text(sign: str, pixels: int, spacing: Spacing) -> str:
    """Return a number of pixels of a cut with its sign, as an area for a plane and as a volume for a stack."""
    if not spacing:
        return f"{sign}{pixels:,} px".replace(",", "\N{NARROW NO-BREAK SPACE}")
    size = pixels * math.prod(spacing)
    return f"{sign}{_short(size)} mm²" if len(spacing) == 2 else f"{sign}{_short(size / 1000)} ml"


def kept_text(recipe: Mapping[str, Any]) -> str:
    """Return what a refinement kept as it was, from the notes in its recipe: `kept z 3` holds what became of slice 3."""
    kept = kept_places(recipe)
    if not kept:
        return ""
    if len(kept) == 1:
        return f"The result of {next(iter(kept.values()))} would have left its input: it is kept. A gentler strength may do it."
    places = list(kept)
    more = f" and {len(places) - 5} more" if len(places) > 5 else ""
    return f"In {len(kept)} slices something would have left its input and was kept as it was: {', '.join(places[:5])}{more}."


def _farthest(lengths: list[float]) -> str:
    low, high = _short(min(lengths)), _short(max(lengths))
    return f"±{high}" if low == high else f"≤ {high}"


def _short(number: float) -> str:
    """Return a number with two digits that say something: 0.042, 0.4, 3.7, 12, 140."""
    if number == 0:
        return "0"
    digits = max(0, 1 - math.floor(math.log10(abs(number))))
    return f"{number:.{digits}f}" if number < 10 else f"{number:.0f}"

"""How well nuclei were found in one tile."""

from __future__ import annotations

from dataclasses import dataclass

from medsynth_core.evaluation.instances import Field, aggregated_jaccard, foreground_dice, panoptic_quality

FIGURES = ("dice", "aji", "pq")


@dataclass(frozen=True)
class NucleiScore:
    """Dice of nuclei against background, aggregated Jaccard index, panoptic quality; each from 0 to 1."""

    dice: float
    aji: float
    pq: float


def score(found: Field, true: Field) -> NucleiScore:
    """Return the figures of instances (y, x). Raises ShapeError when the two differ in shape."""
    return NucleiScore(foreground_dice(found, true), aggregated_jaccard(found, true), panoptic_quality(found, true).value)

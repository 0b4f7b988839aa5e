"""How good is this result? The badge that stands beside every result: adherence, intensity range, nearest training image.

    badge = Badge.of(Thresholds(0.45, (12.0, 230.0), 0.81), adherence=0.6, range_=(3.0, 251.0), likeness=0.5)
    recipe["quality"] = badge.record()          # by the worker; every client reads it back: Badge.of_recipe(recipe)

Light: it judges numbers that somebody else has measured, by thresholds of the model's card, so that napari, 3D Slicer and msynth
say the same of one result. What a card gives no threshold for is not judged, and that is said; nothing is assumed in its place.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from medsynth_core.protocol import Thresholds

Range = tuple[float, float]
KEY = "quality"
"""Where the badge stands in a recipe."""
ADHERENCE, INTENSITY, LIKENESS = "adherence", "intensity", "likeness"


class Grade(enum.StrEnum):
    """The worst of all that was judged."""

    GOOD = "good"
    LOOK = "look at it"
    COPY = "may be a copy"
    UNKNOWN = "not judged"


@dataclass(frozen=True)
class Verdict:
    """One measure beside its threshold, in a sentence for people."""

    name: str
    grade: Grade
    says: str


@dataclass(frozen=True)
class Badge:
    """The verdicts on one result, in the order adherence, intensity, likeness."""

    verdicts: tuple[Verdict, ...]

    @classmethod
    def of(cls, thresholds: Thresholds, adherence: float | None, range_: Range | None, likeness: float | None) -> Badge:
        """Return the badge of a result; a measure is None where it was not taken."""
        return cls(
            (
                _adherence(adherence, thresholds.adherence),
                _intensity(range_, thresholds.intensity, thresholds.contrast),
                _likeness(likeness, thresholds.likeness),
            )
        )

    @classmethod
    def of_recipe(cls, recipe: Mapping[str, Any]) -> Badge | None:
        """Return the badge in a job's recipe; None where nobody has measured, as of an older service or another engine."""
        record = recipe.get(KEY)
        if not isinstance(record, dict):
            return None
        told = {name: value for name, value in record.items() if isinstance(value, dict)}
        try:
            return cls(tuple(Verdict(name, Grade(one["grade"]), str(one["says"])) for name, one in told.items()))
        except (KeyError, ValueError):
            return None  # of a newer service, in words that are not known here

    @property
    def may_be_a_copy(self) -> bool | None:
        """Whether it may show a training image; None where that was not judged."""
        grade = next((verdict.grade for verdict in self.verdicts if verdict.name == LIKENESS), Grade.UNKNOWN)
        return None if grade is Grade.UNKNOWN else grade is Grade.COPY

    @property
    def grade(self) -> Grade:
        """The worst grade: a possible copy before all else; good only if something was judged and nothing is wrong."""
        grades = {verdict.grade for verdict in self.verdicts}
        return next(grade for grade in (Grade.COPY, Grade.LOOK, Grade.GOOD, Grade.UNKNOWN) if grade in grades)

    @property
    def sentences(self) -> tuple[str, ...]:
        """What a viewer shows when the badge is pointed at."""
        return tuple(verdict.says for verdict in self.verdicts)

    def record(self) -> dict[str, Any]:
        """Return what goes into the recipe as `quality`."""
        return {"grade": self.grade.value} | {v.name: {"grade": v.grade.value, "says": v.says} for v in self.verdicts}


def _adherence(value: float | None, least: float | None) -> Verdict:
    if value is None or least is None or math.isnan(value):
        return Verdict(ADHERENCE, Grade.UNKNOWN, "Whether the image shows its mask was not judged.")
    beside = f"adherence {value:.2f}; 95 % of real images reach {least:.2f}"
    if value < least:
        return Verdict(ADHERENCE, Grade.LOOK, f"The image does not show its mask as real ones do ({beside}).")
    return Verdict(ADHERENCE, Grade.GOOD, f"The image shows its mask ({beside}).")


def _intensity(found: Range | None, usual: Range | None, least: float | None) -> Verdict:
    if found is None or usual is None:
        return Verdict(INTENSITY, Grade.UNKNOWN, "Whether its brightness is like that of training images was not judged.")
    beside = f"{found[0]:.0f} to {found[1]:.0f}; training images lie in {usual[0]:.0f} to {usual[1]:.0f}"
    if found[0] < usual[0] or found[1] > usual[1]:
        return Verdict(INTENSITY, Grade.LOOK, f"Its brightness is unlike that of training images ({beside}).")
    if least is not None and found[1] - found[0] < least:
        pale = f"{beside}, over {least:.0f} levels and more"
        return Verdict(INTENSITY, Grade.LOOK, f"It is paler than training images are ({pale}).")
    return Verdict(INTENSITY, Grade.GOOD, f"Its brightness is like that of training images ({beside}).")


def _likeness(value: float | None, most: float | None) -> Verdict:
    if value is None or most is None or math.isnan(value):
        return Verdict(LIKENESS, Grade.UNKNOWN, "Whether it is a copy of a training image was not judged.")
    beside = f"likeness {value:.2f}; 95 % of real images stay below {most:.2f}"
    if value > most:
        return Verdict(LIKENESS, Grade.COPY, f"It may be a copy of a training image ({beside}).")
    return Verdict(LIKENESS, Grade.GOOD, f"It is no more like a training image than other people's images are ({beside}).")

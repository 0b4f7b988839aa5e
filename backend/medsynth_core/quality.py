"""How good is this result? The badge that stands beside every result: adherence, intensity range, nearest training image.

    badge = Badge.of(Thresholds(0.45, (12.0, 230.0), 0.81), adherence=0.6, range_=(3.0, 251.0), likeness=0.5)
    badge.grade, badge.sentences, badge.record()

Light: it judges numbers that somebody else has measured, by thresholds of the model's card, so that napari, 3D Slicer and msynth
say the same of one result. What a card gives no threshold for is not judged, and that is said; nothing is assumed in its place.
"""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass
from typing import Any

Range = tuple[float, float]


class Grade(enum.StrEnum):
    """The worst of all that was judged."""

    GOOD = "good"
    LOOK = "look at it"
    COPY = "may be a copy"
    UNKNOWN = "not judged"


@dataclass(frozen=True)
class Thresholds:
    """What a card says of real held-out images; None where it says nothing.

    `adherence` is the Dice that 95 % of real images reach with their masks; `intensity` the 1st and 99th percentile of grey
    levels between which 95 % of real images lie; `likeness` the 95th percentile of their likeness to the nearest training image.
    """

    adherence: float | None = None
    intensity: Range | None = None
    likeness: float | None = None


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
                _intensity(range_, thresholds.intensity),
                _likeness(likeness, thresholds.likeness),
            )
        )

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
    name = "adherence"
    if value is None or least is None or math.isnan(value):
        return Verdict(name, Grade.UNKNOWN, "Whether the image shows its mask was not judged.")
    beside = f"Dice {value:.2f}; 95 % of real images reach {least:.2f}"
    if value < least:
        return Verdict(name, Grade.LOOK, f"A segmenter does not find the mask in the image ({beside}).")
    return Verdict(name, Grade.GOOD, f"A segmenter finds the mask in the image ({beside}).")


def _intensity(found: Range | None, usual: Range | None) -> Verdict:
    name = "intensity"
    if found is None or usual is None:
        return Verdict(name, Grade.UNKNOWN, "Whether its brightness is like that of training images was not judged.")
    beside = f"{found[0]:.0f} to {found[1]:.0f}; training images lie in {usual[0]:.0f} to {usual[1]:.0f}"
    if found[0] < usual[0] or found[1] > usual[1]:
        return Verdict(name, Grade.LOOK, f"Its brightness is unlike that of training images ({beside}).")
    return Verdict(name, Grade.GOOD, f"Its brightness is like that of training images ({beside}).")


def _likeness(value: float | None, most: float | None) -> Verdict:
    name = "likeness"
    if value is None or most is None or math.isnan(value):
        return Verdict(name, Grade.UNKNOWN, "Whether it is a copy of a training image was not judged.")
    beside = f"likeness {value:.2f}; 95 % of real images stay below {most:.2f}"
    if value > most:
        return Verdict(name, Grade.COPY, f"It may be a copy of a training image ({beside}).")
    return Verdict(name, Grade.GOOD, f"It is no more like a training image than other people's images are ({beside}).")

"""How good is this result? The badge that stands beside every result: adherence, intensity range, nearest training image.

    badge = Badge.of(Thresholds(0.45, (12.0, 230.0), 0.81), adherence=0.6, range_=(3.0, 251.0), likeness=0.5)
    recipe["quality"] = badge.record()          # by the worker; every client reads it back: Badge.of_recipe(recipe)

Light: it judges numbers that somebody else has measured, by thresholds of the model's card, so that napari, 3D Slicer and msynth
say the same of one result. What a card gives no threshold for is not judged, and that is said; nothing is assumed in its place.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from medsynth_core.protocol import Thresholds

Range = tuple[float, float]
KEY = "quality"
"""Where the badge stands in a recipe."""
ADHERENCE, INTENSITY, LIKENESS, INPUT = "adherence", "intensity", "likeness", "input"
FEW = 20
"""Below so many real images "95 % of them" are all of them, and that is said."""


class Grade(enum.StrEnum):
    """The worst of all that was judged."""

    GOOD = "good"
    LOOK = "look at it"
    COPY = "may be a copy"
    UNKNOWN = "not judged"


WORST_FIRST = (Grade.COPY, Grade.LOOK, Grade.GOOD, Grade.UNKNOWN)


@dataclass(frozen=True)
class Verdict:
    """One measure beside its threshold, in a sentence for people."""

    name: str
    grade: Grade
    says: str


@dataclass(frozen=True)
class Badge:
    """The verdicts on one result: adherence, intensity, likeness; on one that changes what was given, that on the input."""

    verdicts: tuple[Verdict, ...]

    @classmethod
    def of(cls, thresholds: Thresholds, adherence: float | None, range_: Range | None, likeness: float | None) -> Badge:
        """Return the badge of a result; a measure is None where it was not taken."""
        return cls(
            (
                _adherence(adherence, thresholds.adherence, _most(thresholds.count)),
                _intensity(range_, thresholds.intensity, thresholds.contrast),
                _likeness(likeness, thresholds.likeness, _most(thresholds.count)),
            )
        )

    @classmethod
    def of_input(cls, thresholds: Thresholds, strangeness: float | None) -> Badge:
        """Return the badge of a result that is as good as the image it was given is like those that were learned from."""
        return cls((_input(strangeness, thresholds.strangeness, _most(thresholds.count)),))

    @classmethod
    def worst(cls, parts: Sequence[Badge]) -> Badge:
        """Return the badge of a result in several parts, such as tiles: of each measure the verdict on the worst part, named."""
        if len(parts) == 1:
            return parts[0]
        return cls(tuple(_worst(verdicts) for verdicts in zip(*(part.verdicts for part in parts), strict=True)))

    @classmethod
    def of_recipe(cls, recipe: Mapping[str, Any]) -> Badge | None:
        """Return the badge in a job's recipe; None where nobody has measured, as of an older service or another engine."""
        record = recipe.get(KEY)
        if not isinstance(record, dict):
            return None
        told = {name: value for name, value in record.items() if isinstance(value, dict)}
        try:
            verdicts = tuple(Verdict(name, Grade(one["grade"]), str(one["says"])) for name, one in told.items())
            return cls(verdicts) if verdicts else None
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
        return next(grade for grade in WORST_FIRST if grade in grades)

    @property
    def sentences(self) -> tuple[str, ...]:
        """What a viewer shows when the badge is pointed at."""
        return tuple(verdict.says for verdict in self.verdicts)

    def record(self) -> dict[str, Any]:
        """Return what goes into the recipe as `quality`."""
        return {"grade": self.grade.value} | {v.name: {"grade": v.grade.value, "says": v.says} for v in self.verdicts}


def _most(count: int) -> str:
    return f"all of {count} real images" if 0 < count < FEW else "95 % of real images"


def _worst(verdicts: Sequence[Verdict]) -> Verdict:
    """Return the first of the worst verdicts, with the number of its part where something is wrong with it."""
    number = min(range(len(verdicts)), key=lambda i: WORST_FIRST.index(verdicts[i].grade))
    worst = verdicts[number]
    if worst.grade not in (Grade.COPY, Grade.LOOK):
        return worst
    alike = sum(one.grade is worst.grade for one in verdicts)
    return replace(worst, says=f"{alike} of {len(verdicts)} tiles, first tile {number + 1}: {worst.says}")


def _adherence(value: float | None, least: float | None, most: str) -> Verdict:
    if value is None or least is None or math.isnan(value):
        return Verdict(ADHERENCE, Grade.UNKNOWN, "Whether the image shows its mask was not judged.")
    beside = f"adherence {value:.2f}; {most} reach {least:.2f}"
    if value < least:
        return Verdict(ADHERENCE, Grade.LOOK, f"The image does not show its mask as real ones do ({beside}).")
    return Verdict(ADHERENCE, Grade.GOOD, f"The image shows its mask ({beside}).")


def _input(value: float | None, most_strange: float | None, most: str) -> Verdict:
    if value is None or most_strange is None or math.isnan(value):
        return Verdict(INPUT, Grade.UNKNOWN, "Whether the model has learned from such images was not judged.")
    beside = f"strangeness {value:.2f}; {most} of its kinds stay below {most_strange:.2f}"
    if value > most_strange:
        return Verdict(INPUT, Grade.LOOK, f"The image is unlike those that the model has learned from ({beside}).")
    return Verdict(INPUT, Grade.GOOD, f"The image is like those that the model has learned from ({beside}).")


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


def _likeness(value: float | None, threshold: float | None, most: str) -> Verdict:
    if value is None or threshold is None or math.isnan(value):
        return Verdict(LIKENESS, Grade.UNKNOWN, "Whether it is a copy of a training image was not judged.")
    beside = f"likeness {value:.2f}; {most} stay below {threshold:.2f}"
    if value > threshold:
        return Verdict(LIKENESS, Grade.COPY, f"It may be a copy of a training image ({beside}).")
    return Verdict(LIKENESS, Grade.GOOD, f"It is no more like a training image than other people's images are ({beside}).")

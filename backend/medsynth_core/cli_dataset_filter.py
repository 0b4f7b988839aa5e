"""What decides whether a sample belongs in a data set: judges say what they see, the order says what is left out for it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np

from medsynth_core.quality import Badge
from medsynth_core.volume import Volume

LEAST_CONTRAST = 1.0
"""Standard deviation, in levels of 255, under which a picture shows nothing."""


@dataclass(frozen=True)
class Verdict:
    """What a judge says of a sample: figures by name, flags in words, and whether it looks like a training image.

    `copy` is None where no judge could tell: there was nothing to compare it with.
    """

    figures: dict[str, float] = field(default_factory=dict)
    flags: tuple[str, ...] = ()
    copy: bool | None = None


class Judge(Protocol):
    """What looks at samples. The same sample gets the same verdict, so a run that goes on ends as one that was never killed."""

    @property
    def terms(self) -> dict[str, Any]:
        """All that decides a verdict: names, thresholds, checksums."""

    def verdict(self, image: Volume, labels: Volume) -> Verdict:
        """Return the verdict on an image (c, z, y, x) with its labels (1, z, y, x)."""


class PlainJudge:
    """What can be seen without anything to compare with: whether there is a picture at all."""

    @property
    def terms(self) -> dict[str, Any]:
        """The rule."""
        return {"least_contrast": LEAST_CONTRAST}

    def verdict(self, image: Volume, labels: Volume) -> Verdict:
        """Flag an image that is not finite, or of one value, and labels that show nothing."""
        pixels = image.array.astype(np.float32)
        spread = float(pixels.std())
        rules = {
            "values that are no numbers": not np.isfinite(pixels).all(),
            "nothing to see: one value all over": spread < LEAST_CONTRAST * _level(image),
            "nothing is labeled": not labels.array.any(),
        }
        return Verdict(flags=tuple(words for words, broken in rules.items() if broken))


@dataclass(frozen=True)
class Judges:
    """Several judges as one."""

    all: tuple[Judge, ...]

    @property
    def terms(self) -> dict[str, Any]:
        """The terms of each."""
        merged: dict[str, Any] = {}
        for judge in self.all:
            merged |= judge.terms
        return merged

    def verdict(self, image: Volume, labels: Volume) -> Verdict:
        """Return what all of them say together."""
        told = [judge.verdict(image, labels) for judge in self.all]
        figures: dict[str, float] = {}
        for verdict in told:
            figures |= verdict.figures
        copies = [verdict.copy for verdict in told if verdict.copy is not None]
        return Verdict(figures, tuple(flag for verdict in told for flag in verdict.flags), any(copies) if copies else None)


def heeding(verdict: Verdict, badge: Badge | None) -> Verdict:
    """Return a verdict that heeds the badge of the result where no judge has looked for copies itself: theirs aligns pictures."""
    if badge is None or verdict.copy is not None:
        return verdict
    return replace(verdict, copy=badge.may_be_a_copy)


def _level(image: Volume) -> float:
    """Return how much of the image's own scale one level of 255 is: other types than bytes have no scale but their own."""
    return 1.0 if image.array.dtype == np.uint8 else 1e-9

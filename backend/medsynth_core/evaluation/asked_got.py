"""Is a tumor the one asked for? Requests beside what came, in the numbers a user gives.

    volume error      |V − V*| / V*
    center error      distance of the centers, mm
    extent IoU        IoU of the two boxes: extent about center
    sphericity error  |S − S*|

The star marks what was asked. A request that brought no tumor at all counts with a volume error of 1, an IoU of 0 and an endless
center error: medians bear it, and leaving it out would reward a generator that refuses what is hard. Source: methods.md, 3.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy.stats import spearmanr

from medsynth_core.errors import InputError

Triple = tuple[float, float, float]


class Body(Protocol):
    """What is compared: a tumor as its numbers say it. Center and extent (x, y, z) in mm, in one frame for both."""

    @property
    def volume_ml(self) -> float: ...
    @property
    def sphericity(self) -> float: ...
    @property
    def center_mm(self) -> Triple: ...
    @property
    def extent_mm(self) -> Triple: ...


@dataclass(frozen=True)
class Agreement:
    """One request beside what came; `got_ml` is 0 where nothing came."""

    asked_ml: float
    got_ml: float
    volume_error: float
    center_error_mm: float
    extent_iou: float
    sphericity_error: float


@dataclass(frozen=True)
class Summary:
    """Medians over requests, and the rank correlation of asked and got volume. `missing` requests brought no tumor."""

    requests: int
    missing: int
    volume_error: float
    center_error_mm: float
    extent_iou: float
    sphericity_error: float
    volume_rank: float


@dataclass(frozen=True)
class Sweep:
    """One knob turned while all others stay: values asked (n,), and for each value what came, one number a seed."""

    knob: str
    asked: tuple[float, ...]
    got: tuple[tuple[float, ...], ...]

    @property
    def rank(self) -> float:
        """Spearman's correlation of asked and got over all volumes; NaN where all came out alike."""
        flat = [(asked, value) for asked, values in zip(self.asked, self.got, strict=True) for value in values]
        return rank_correlation(*zip(*flat, strict=True))

    @property
    def means(self) -> tuple[float, ...]:
        """The mean over the seeds at each value asked."""
        return tuple(float(np.mean(values)) for values in self.got)

    @property
    def monotone(self) -> bool:
        """Whether each larger value asked brought a larger mean."""
        return bool((np.diff(self.means) > 0).all())


def agreement(asked: Body, got: Body | None) -> Agreement:
    """Return how well a request was met; None: no tumor came."""
    if got is None:
        return Agreement(asked.volume_ml, 0.0, 1.0, math.inf, 0.0, asked.sphericity)
    return Agreement(
        asked.volume_ml,
        got.volume_ml,
        abs(got.volume_ml - asked.volume_ml) / asked.volume_ml,
        math.dist(asked.center_mm, got.center_mm),
        box_iou(asked, got),
        abs(got.sphericity - asked.sphericity),
    )


def box_iou(a: Body, b: Body) -> float:
    """Return the IoU of the boxes of two bodies: their extents about their centers."""
    both = 1.0
    for i in range(3):
        low = max(a.center_mm[i] - a.extent_mm[i] / 2, b.center_mm[i] - b.extent_mm[i] / 2)
        high = min(a.center_mm[i] + a.extent_mm[i] / 2, b.center_mm[i] + b.extent_mm[i] / 2)
        both *= max(0.0, high - low)
    either = math.prod(a.extent_mm) + math.prod(b.extent_mm) - both
    return both / either if either > 0 else 0.0


def summarize(found: Sequence[Agreement]) -> Summary:
    """Return the medians over requests. Raises InputError when there is none."""
    if not found:
        raise InputError("there is no request to summarize: give at least one")

    def median(name: str) -> float:
        return float(np.median([getattr(a, name) for a in found]))

    return Summary(
        len(found),
        sum(a.got_ml == 0 for a in found),
        median("volume_error"),
        median("center_error_mm"),
        median("extent_iou"),
        median("sphericity_error"),
        rank_correlation([a.asked_ml for a in found], [a.got_ml for a in found]),
    )


def rank_correlation(a: Sequence[float], b: Sequence[float]) -> float:
    """Return Spearman's correlation; NaN where one of the two does not vary."""
    if len(a) < 2 or len(set(a)) < 2 or len(set(b)) < 2:
        return math.nan
    return float(spearmanr(a, b).statistic)

"""A mean with the interval in which it lies, by drawing anew: cases, or whole groups of cases (patients, slides, sequences)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

RESAMPLES = 2000


@dataclass(frozen=True)
class Interval:
    """A mean with the 95 % interval of a bootstrap."""

    mean: float
    low: float
    high: float


def bootstrap(values: Sequence[float], groups: Sequence[str], seed: int = 0) -> Interval:
    """Return the mean and its percentile interval when whole groups are drawn anew (images, patients); NaN is left out."""
    array, names = np.array(values, float), np.array(groups)
    there = ~np.isnan(array)
    if not there.any():
        return Interval(float("nan"), float("nan"), float("nan"))
    _, place = np.unique(names[there], return_inverse=True)
    sums, counts = np.bincount(place, array[there]), np.bincount(place)
    drawn = np.random.default_rng(seed).integers(len(sums), size=(RESAMPLES, len(sums)))
    means = sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
    low, high = np.percentile(means, (2.5, 97.5))
    return Interval(float(array[there].mean()), float(low), float(high))

"""How different are images from each other: those of one mask, those of different masks, and real ones?

    d(a, b)   = 1 − f(a)·f(b) / |f(a)||f(b)|     f the features that KID looks through; 0 alike, 1 unrelated
    diversity = mean d over pairs

Images of one mask at different seeds vary less than images of different masks; a generator that has collapsed shows by values far
below those of real images. Source: methods.md, 5.4.
"""

from __future__ import annotations

import numpy as np

from medsynth_core.errors import InputError, ShapeError
from medsynth_core.evaluation.metrics import Features


def spread(features: Features) -> float:
    """Return the mean distance over all pairs of features (n, d). Raises ShapeError for others, InputError for fewer than two."""
    if features.ndim != 2:
        raise ShapeError(f"features are {features.shape}: they must be (items, length)")
    if len(features) < 2:
        raise InputError("one image has nothing to differ from: diversity needs two at least")
    unit = features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1e-12)
    count = len(unit)
    alike = (np.square(unit.sum(axis=0)).sum() - np.square(unit).sum()) / (count * (count - 1))  # mean over pairs i ≠ j
    return float(1 - alike)

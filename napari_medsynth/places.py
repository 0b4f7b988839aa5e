"""The places where a result is least certain, worst first, each its own neighborhood. No Qt."""

from __future__ import annotations

import numpy as np
from skimage.filters import gaussian

MOST = 9
LEAST = 0.1
"""A place counts when its neighborhood is, on average, at least this share of the worst one's."""


def uncertain_places(uncertainty: np.ndarray, along: int = 0) -> list[tuple[int, ...]]:
    """Return up to nine pixels of an uncertainty map, (y, x) or a stack of planes along `along`, the most uncertain first.

    A pixel counts by the mean of its neighborhood in its plane, about a sixteenth of the shorter side across; a place that was
    taken takes its neighborhood, in the planes beside it too, out of the running (non-maximum suppression).
    """
    sides = [n for axis, n in enumerate(uncertainty.shape) if uncertainty.ndim == 2 or axis != along]
    width = max(3, min(sides) // 16)
    sigma = [0.0 if uncertainty.ndim == 3 and axis == along else width / 4 for axis in range(uncertainty.ndim)]
    left = gaussian(uncertainty.astype(np.float32), sigma=sigma, mode="constant", preserve_range=True)
    worst = float(left.max(initial=0.0))
    places: list[tuple[int, ...]] = []
    while len(places) < MOST:
        place = np.unravel_index(int(left.argmax()), left.shape)
        if left[place] <= 0 or left[place] < LEAST * worst:
            break
        places.append(tuple(int(i) for i in place))
        left[tuple(slice(max(0, int(i) - width), int(i) + width + 1) for i in place)] = 0
    return places

"""The places where a result is least certain, worst first, each its own neighborhood; for every viewer, so numpy alone."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

MOST = 9
LEAST = 0.1
"""A place counts when its neighborhood is, on average, at least this share of the worst one's."""
REACH = 4
"""The Gaussian is cut off at so many standard deviations."""


def uncertain_places(uncertainty: np.ndarray, along: int = 0) -> list[tuple[int, ...]]:
    """Return up to nine pixels of an uncertainty map, (y, x) or a stack of planes along `along`, the most uncertain first.

    A pixel counts by the mean of its neighborhood in its plane, about a sixteenth of the shorter side across; a place that was
    taken takes its neighborhood, in the planes beside it too, out of the running (non-maximum suppression).
    """
    sides = [n for axis, n in enumerate(uncertainty.shape) if uncertainty.ndim == 2 or axis != along]
    width = max(3, min(sides) // 16)
    left = _smooth(uncertainty, width / 4, along)
    worst = float(left.max(initial=0.0))
    places: list[tuple[int, ...]] = []
    while len(places) < MOST:
        place = np.unravel_index(int(left.argmax()), left.shape)
        if left[place] <= 0 or left[place] < LEAST * worst:
            break
        places.append(tuple(int(i) for i in place))
        left[tuple(slice(max(0, int(i) - width), int(i) + width + 1) for i in place)] = 0
    return places


def _smooth(uncertainty: np.ndarray, sigma: float, along: int) -> npt.NDArray[np.float32]:
    """Return the planes under a Gaussian of `sigma` pixels; what lies outside counts as sure, and plain planes cost nothing."""
    planes = uncertainty[None] if uncertainty.ndim == 2 else np.moveaxis(uncertainty, along, 0)
    weights = _gaussian(sigma)
    smooth = np.zeros(planes.shape, np.float32)
    for z, plane in enumerate(planes):
        if plane.any():
            smooth[z] = _convolve(_convolve(plane.astype(np.float32), weights).T, weights).T
    return smooth[0] if uncertainty.ndim == 2 else np.moveaxis(smooth, 0, along)


def _gaussian(sigma: float) -> npt.NDArray[np.float32]:
    reach = int(REACH * sigma + 0.5)
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    return (weights / weights.sum()).astype(np.float32)


def _convolve(plane: npt.NDArray[np.float32], weights: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return a plane (y, x) convolved along x with an odd number of weights."""
    reach = len(weights) // 2
    padded = np.pad(plane, ((0, 0), (reach, reach)))
    made = np.zeros_like(plane)
    for shift, weight in enumerate(weights):
        made += weight * padded[:, shift : shift + plane.shape[1]]
    return made

"""The outline of an ellipsoid as short lines: a ring in each plane that cuts it. No Qt, no layers.

Everything is in the viewer's order (z, y, x); lines are (n, 2, 3), each a start and the way from there to its end.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from medsynth_core.tumor_request import Ellipsoid

Lines = npt.NDArray[np.float64]
POINTS = 72
RINGS = 9
NOTHING: Lines = np.zeros((0, 2, 3))


def ring(body: Ellipsoid, axis: int, at: float) -> Lines:
    """Return the outline of the cut at the place `at` along an axis; nothing where the plane misses the body."""
    center, half = _reversed(body.center_mm), _reversed(body.half_mm)
    height = (at - center[axis]) / half[axis]
    if abs(height) >= 1:
        return NOTHING
    angle = 2 * np.pi * np.arange(POINTS + 1) / POINTS
    points = np.empty((POINTS + 1, 3))
    points[:, axis] = at
    one, other = (i for i in range(3) if i != axis)
    shrunk = np.sqrt(1 - height**2) * half
    points[:, one] = center[one] + shrunk[one] * np.sin(angle)
    points[:, other] = center[other] + shrunk[other] * np.cos(angle)
    return np.stack([points[:-1], np.diff(points, axis=0)], axis=1)


def rings(body: Ellipsoid, axis: int, places: npt.ArrayLike) -> Lines:
    """Return the outlines of the cuts at several places along an axis."""
    return np.concatenate([NOTHING, *(ring(body, axis, float(at)) for at in np.asarray(places))])


def cage(body: Ellipsoid) -> Lines:
    """Return rings along all three axes: the body as it is seen in 3-D."""
    center, half = _reversed(body.center_mm), _reversed(body.half_mm)
    heights = np.linspace(-1, 1, RINGS + 2)[1:-1]
    return np.concatenate([rings(body, axis, center[axis] + half[axis] * heights) for axis in range(3)])


def _reversed(triple: tuple[float, float, float]) -> npt.NDArray[np.float64]:
    return np.array(triple[::-1])

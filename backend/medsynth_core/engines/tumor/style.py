"""What a volume looks like apart from its tumor: where its head lies and how bright it is. Keeps its slabs alike."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from medsynth_core.engines.tumor.shape import Triple
from medsynth_core.errors import InputError

LEVELS = (10, 50, 75, 95)
"""Percentiles of the intensities inside the head that make the style."""
FOREGROUND = 0.08
"""Share of the full scale above which a voxel counts as head."""
SOLID = 5.0**0.5
"""Half axis of a solid ellipsoid over the standard deviation of its points."""


@dataclass(frozen=True)
class Head:
    """The ellipsoid with the same moments as the foreground: center and half axes (x, y, z) in frame mm."""

    center_mm: Triple
    half_mm: Triple


@dataclass(frozen=True)
class Style:
    """Percentiles `LEVELS` of the intensity inside the head (0 to 1), and the head."""

    levels: tuple[float, ...]
    head: Head

    def vector(self) -> npt.NDArray[np.float32]:
        """Return the style as (10,): levels, head center and half axes in decimeters."""
        return np.array([*self.levels, *(v / 100 for v in (*self.head.center_mm, *self.head.half_mm))], np.float32)

    @classmethod
    def from_vector(cls, vector: npt.ArrayLike) -> Style:
        """Return the style of a vector (10,)."""
        v = [float(x) for x in np.asarray(vector)]
        n = len(LEVELS)
        center, half = (100 * np.array(part) for part in (v[n : n + 3], v[n + 3 : n + 6]))
        return cls(tuple(v[:n]), Head(_triple(center), _triple(half)))


def style_of(image: npt.NDArray[np.float32], spacing_mm: Triple) -> Style:
    """Return the style of a stack (z, y, x) in [0, 1], spacing (z, y, x) in mm. Raises InputError for an empty one."""
    inside = image > FOREGROUND
    if inside.sum() < 8:
        raise InputError("the volume has no foreground: its intensities are nearly all at the low end")
    middle = (np.array(image.shape) - 1) / 2
    points = (np.argwhere(inside) - middle) * np.array(spacing_mm)  # (n, 3) z y x in mm
    center, half = points.mean(axis=0)[::-1], SOLID * points.std(axis=0)[::-1]
    levels = tuple(float(v) for v in np.percentile(image[inside], LEVELS))
    return Style(levels, Head(_triple(center), _triple(np.maximum(half, 1.0))))


def _triple(values: npt.ArrayLike) -> Triple:
    x, y, z = (float(v) for v in np.asarray(values))
    return x, y, z

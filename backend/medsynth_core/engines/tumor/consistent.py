"""Which numbers can belong to one body: rules of geometry, for many candidates at once.

box     the extents' box holds the volume, and the tumor fills a fair part of it
round   no body is rounder than the roundest that fills its box as much
head    the ellipsoid with the tumor's extents lies in the head's ellipsoid, as far as the training patients' did
frame   it lies within the volume that is to be made
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from medsynth_core.engines.tumor.shape import Triple, TumorShape
from medsynth_core.engines.tumor.style import Head

Numbers = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

FILL = (0.1, 0.85)
"""Share of its box that a tumor may fill; an ellipsoid fills π/6 = 0.52. Training patients: 0.13 to 0.64."""
ROUNDEST = ((0.0, 1 / 6, np.pi / 6, 1.0), (0.5, 0.846, 1.0, 0.806))
"""Share of the box filled, and the sphericity of the roundest body in a cubic box: octahedron, ball, cube."""
SLACK = 1.08
"""A measured body may be this much rounder than its rule: measuring rounds edges off."""
DIRECTIONS = 96


@dataclass(frozen=True)
class Candidates:
    """Many shapes at once: volume (n,) in ml, center and extent (n, 3) in frame mm (x, y, z), sphericity (n,)."""

    volume_ml: Numbers
    center_mm: Numbers
    extent_mm: Numbers
    sphericity: Numbers

    @classmethod
    def of(cls, shapes: list[TumorShape]) -> Candidates:
        """Return measured shapes as candidates."""
        columns = [(s.volume_ml, s.center_mm, s.extent_mm, s.sphericity) for s in shapes]
        return cls(*(np.array(column, float) for column in zip(*columns, strict=True)))

    @property
    def fill(self) -> Numbers:
        """The share of its box that each tumor fills."""
        return self.volume_ml * 1e3 / self.extent_mm.prod(axis=1)

    def reach(self, head: Head) -> Numbers:
        """Return how far out each tumor's ellipsoid comes: 0 is the middle of the head, 1 its surface."""
        middle, half = np.array(head.center_mm), np.array(head.half_mm)
        offset = (self.center_mm - middle) / half
        rim = _SPHERE[:, None] * (self.extent_mm / 2 / half)  # (directions, n, 3)
        return np.linalg.norm(offset + rim, axis=2).max(axis=0)


def rules(c: Candidates, head: Head, farthest: float, half_mm: Triple | None) -> dict[str, Flags]:
    """Return which candidates obey each rule; `farthest` is the reach allowed, `half_mm` half of the volume's size (x, y, z)."""
    kept = {
        "box": (c.fill >= FILL[0]) & (c.fill <= FILL[1]),
        "round": c.sphericity <= np.minimum(1, SLACK * np.interp(c.fill, *ROUNDEST) * ellipsoid_sphericity(c.extent_mm)),
        "head": c.reach(head) <= farthest,
    }
    if half_mm is not None:
        ends: Numbers = np.abs(c.center_mm) + c.extent_mm / 2
        kept["frame"] = np.all(ends <= np.array(half_mm) + 1e-6, axis=1)
    return kept


def ellipsoid_sphericity(axes: npt.ArrayLike) -> Numbers:
    """Return the sphericity of ellipsoids with axes (n, 3), within 1 % (Knud Thomsen's formula for the surface)."""
    x, y, z = np.moveaxis(np.asarray(axes, float), -1, 0)
    p = 1.6075
    mean = (((x * y) ** p + (x * z) ** p + (y * z) ** p) / 3) ** (1 / p)
    return (x * y * z) ** (2 / 3) / mean


def _even_directions(count: int) -> Numbers:
    """Return unit vectors (count, 3), evenly spread: a Fibonacci spiral."""
    i = np.arange(count) + 0.5
    z, turn = 1 - 2 * i / count, np.pi * (1 + 5**0.5) * i
    radius = np.sqrt(1 - z * z)
    return np.stack([radius * np.cos(turn), radius * np.sin(turn), z], axis=1)


_SPHERE = _even_directions(DIRECTIONS)

"""How far two boundaries lie apart: HD95 and surface Dice, in mm, 2-D or 3-D.

    S(a)       = pixels of a with a neighbor (across an edge, a face in 3-D) outside a; outside the grid counts as outside
    d(p, b)    = distance from pixel p to the nearest pixel of S(b), centers, in mm
    HD95(a, b) = max(P95{d(p, b) : p ∈ S(a)}, P95{d(p, a) : p ∈ S(b)})
    SD_τ(a, b) = (|{p ∈ S(a) : d(p, b) ≤ τ}| + |{p ∈ S(b) : d(p, a) ≤ τ}|) / (|S(a)| + |S(b)|)

Two empty masks agree: HD95 0, surface Dice 1. One empty mask alone: surface Dice 0, and HD95 the diagonal of the grid, the
largest a distance can be, so that a mean over cases stays finite and a lost object costs the most.

Source: Nikolov et al. 2018, arXiv 1809.04430 (surface Dice); Maier-Hein et al., Metrics reloaded, Nature Methods 2024.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from medsynth_core.errors import InputError, ShapeError

Mask = npt.NDArray[np.generic]
Distances = npt.NDArray[np.float64]


@dataclass(frozen=True)
class SurfaceDistances:
    """Distances in mm from each boundary pixel of one mask to the other's boundary, both ways; `diagonal_mm` of the grid."""

    there: Distances
    back: Distances
    diagonal_mm: float

    def hd95(self) -> float:
        """Return the greater of both 95th percentiles, in mm."""
        if not len(self.there) and not len(self.back):
            return 0.0
        if not len(self.there) or not len(self.back):
            return self.diagonal_mm
        return float(max(np.percentile(self.there, 95), np.percentile(self.back, 95)))

    def surface_dice(self, tolerance_mm: float) -> float:
        """Return the share of both boundaries that lies within the tolerance of the other."""
        total = len(self.there) + len(self.back)
        if not total:
            return 1.0
        if not len(self.there) or not len(self.back):
            return 0.0
        return float((self.there <= tolerance_mm).sum() + (self.back <= tolerance_mm).sum()) / total


def surface_distances(a: Mask, b: Mask, spacing_mm: tuple[float, ...] | None = None) -> SurfaceDistances:
    """Return the distances between the boundaries of two masks (y, x) or (z, y, x), nonzero is foreground.

    `spacing_mm` goes with the axes; None means 1 mm, so that all figures are in pixels. Raises ShapeError when the masks differ
    in shape or the spacing in length, InputError when a spacing is not above 0.
    """
    if a.shape != b.shape or a.ndim not in (2, 3):
        raise ShapeError(f"masks are {a.shape} and {b.shape}: both must be (y, x) or (z, y, x) of one shape")
    spacing = spacing_mm or (1.0,) * a.ndim
    if len(spacing) != a.ndim:
        raise ShapeError(f"spacing has {len(spacing)} entries, the masks {a.ndim} axes: they must match")
    if not all(np.isfinite(step) and step > 0 for step in spacing):
        raise InputError(f"spacing is {spacing}: each must be above 0 mm")
    diagonal = float(np.linalg.norm([(n - 1) * step for n, step in zip(a.shape, spacing, strict=True)]))
    if not a.any() or not b.any():
        return SurfaceDistances(np.zeros(int(a.any())), np.zeros(int(b.any())), diagonal)
    edge_a, edge_b = _in_common_window(boundary(a), boundary(b))
    there = ndimage.distance_transform_edt(~edge_b, spacing)[edge_a]
    back = ndimage.distance_transform_edt(~edge_a, spacing)[edge_b]
    return SurfaceDistances(there, back, diagonal)


def hd95(a: Mask, b: Mask, spacing_mm: tuple[float, ...] | None = None) -> float:
    """Return the 95th percentile Hausdorff distance in mm (pixels without a spacing)."""
    return surface_distances(a, b, spacing_mm).hd95()


def surface_dice(a: Mask, b: Mask, tolerance_mm: float, spacing_mm: tuple[float, ...] | None = None) -> float:
    """Return the share of both boundaries within `tolerance_mm` (pixels without a spacing) of the other."""
    return surface_distances(a, b, spacing_mm).surface_dice(tolerance_mm)


def boundary(mask: Mask) -> npt.NDArray[np.bool_]:
    """Return the pixels of a mask that have a neighbor outside it across an edge (a face in 3-D)."""
    foreground = mask != 0
    return foreground & ~ndimage.binary_erosion(foreground)


def _in_common_window(*edges: npt.NDArray[np.bool_]) -> tuple[npt.NDArray[np.bool_], ...]:
    either = np.logical_or.reduce(edges)
    (window,) = ndimage.find_objects(either.astype(np.uint8))  # all nearest points lie within: distances stay the same
    return tuple(edge[window] for edge in edges)

"""The nine numbers of a tumor: volume, surface, sphericity, center and extent.

Frame coordinates (x, y, z) are millimeters from the middle of the volume, along the axes of the model's grid: x to the
patient's left, y to the back, z upwards (LPS). `run.py` is where the user's world (RAS) is turned into the frame.

    volume      V   voxels times the size of a voxel: what every other tool reports for the mask, at any slice distance
    surface     S   area of the marching-cubes mesh of the smoothed mask, the mesh scaled to hold V
    sphericity  π^(1/3) · (6V)^(2/3) / S

Meshing the mask as it is, as PyRadiomics does, keeps its staircase: a ball's surface comes out 9 % too large however fine the
grid, and 15 to 25 % at slices of 5 to 7 mm, so that no ball would be one. So the mask is smoothed first and cut at the level
that leaves its volume: the surface of an ellipsoid comes within 1 % at 1 mm (tested), and since a mesh never beats the ball,
sphericity is at most 1. The smoothing is a length in mm, the same for all grids, because a tumor is ragged at every scale: real
ones, measured again on every second slice, change by 4 %, but by 12 % when the smoothing follows the grid.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from skimage.measure import marching_cubes, mesh_surface_area

from medsynth_core.errors import ShapeError

Triple = tuple[float, float, float]

SIGMA_MM = 2.5
"""Smoothing: finer folds of the surface are not counted."""
COARSE_SIGMA, FINE_SIGMA = 0.4, 0.8
"""At least these shares of the coarsest and of the finest step of the grid are smoothed over: less leaves a staircase."""
REACH = 3.0
"""Standard deviations after which the smoothing is cut off."""


@dataclass(frozen=True)
class TumorShape:
    """Volume in ml, surface in cm², sphericity (1 is a ball), center and extent (x, y, z) in frame mm."""

    volume_ml: float
    surface_cm2: float
    sphericity: float
    center_mm: Triple
    extent_mm: Triple


@dataclass(frozen=True)
class Asked:
    """Those of the numbers that somebody wants: ml, frame mm (x, y, z); None is left open."""

    volume_ml: float | None = None
    center_mm: Triple | None = None
    extent_mm: tuple[float | None, float | None, float | None] = (None, None, None)
    sphericity: float | None = None

    def numbers(self) -> dict[str, float]:
        """Return what is asked by the name of its parameter, the center aside: a user knows it in world coordinates."""
        named = {"volume_ml": self.volume_ml, "sphericity": self.sphericity}
        named |= {f"extent_{axis}_mm": wanted for axis, wanted in zip("xyz", self.extent_mm, strict=True)}
        return {name: value for name, value in named.items() if value is not None}


def measure(mask: npt.NDArray[np.generic], spacing_mm: Triple) -> TumorShape:
    """Return the shape of a mask (z, y, x), nonzero is tumor, spacing (z, y, x) in mm.

    Center: the mean of the tumor's voxels. Extent: the box around them, whole voxels. Raises ShapeError for an empty mask,
    for another number of axes and for a spacing that is not above 0.
    """
    spacing = np.array(spacing_mm, float)
    if mask.ndim != 3 or spacing.shape != (3,) or not (np.isfinite(spacing) & (spacing > 0)).all():
        raise ShapeError(f"mask is {mask.shape} at {spacing_mm} mm: it must be (z, y, x) with three spacings above 0 mm")
    boxes = ndimage.find_objects((mask != 0).astype(np.uint8))
    if not boxes:
        raise ShapeError(f"mask {mask.shape} is empty: a tumor of at least one voxel is needed to measure its shape")
    tumor = mask[boxes[0]] != 0
    corner = np.array([side.start for side in boxes[0]])
    center = (corner + np.argwhere(tumor).mean(axis=0) - (np.array(mask.shape) - 1) / 2) * spacing
    volume = float(tumor.sum() * spacing.prod())  # mm³
    surface = _surface(tumor, spacing, volume)  # mm²
    sphericity = surface_of(volume, 1.0) / surface
    return TumorShape(volume / 1e3, surface / 1e2, sphericity, _xyz(center), _xyz(np.array(tumor.shape) * spacing))


def surface_of(volume: float, sphericity: float) -> float:
    """Return the surface of a body: π^(1/3)·(6V)^(2/3) / sphericity, in the square of the volume's length (cm² for ml)."""
    return float(np.pi ** (1 / 3) * (6 * volume) ** (2 / 3) / sphericity)


def _surface(tumor: npt.NDArray[np.bool_], spacing: npt.NDArray[np.float64], volume: float) -> float:
    """Return the surface in mm² of the smoothed tumor (z, y, x), scaled as its mesh must be to hold `volume` mm³."""
    smooth = _smoothed(tumor, spacing)
    ranked = np.partition(smooth, [-tumor.sum() - 1, -tumor.sum()], axis=None)
    level = ranked[[-tumor.sum() - 1, -tumor.sum()]].mean()  # as many voxels above it as the tumor has
    corners, faces, _, _ = marching_cubes(smooth, level, spacing=tuple(spacing))
    triangles = corners.astype(np.float64)[faces]  # (n, 3 corners, z y x)
    held = abs(np.einsum("ni,ni->n", triangles[:, 0], np.cross(triangles[:, 1], triangles[:, 2])).sum()) / 6
    return float(mesh_surface_area(corners, faces) * (volume / held) ** (2 / 3))


def _smoothed(tumor: npt.NDArray[np.bool_], spacing: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
    sigma = max(SIGMA_MM, COARSE_SIGMA * spacing.max(), FINE_SIGMA * spacing.min()) / spacing  # in voxels
    padding = [(int(np.ceil(REACH * s)) + 1,) * 2 for s in sigma]
    return ndimage.gaussian_filter(np.pad(tumor, padding).astype(np.float32), sigma, truncate=REACH)


def _xyz(zyx: npt.NDArray[np.float64]) -> Triple:
    z, y, x = (float(v) for v in zyx)
    return x, y, z

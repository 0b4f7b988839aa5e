"""Between the user's grid and the model's: places (world RAS mm ↔ frame mm), axes, and pixels (asked grid ↔ 128² over 240 mm).

    array axes (z, y, x) in any order and direction  ──canonical──▶  z upwards, y to the back, x to the patient's left (LPS)

Only whole axes are permuted and flipped, nothing is turned: where a grid is oblique, each array axis counts as the patient's
axis it is nearest to, and frame mm run along the array axes. In the plane both grids share their middle; what the model's field
of 240 mm does not reach is black, and what the grid does not reach is cut off. Slices are never resampled.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from medsynth_core.engines.tumor.shape import Triple
from medsynth_core.engines.tumor.stacks import FIELD_MM, PIXEL_MM, PIXELS
from medsynth_core.errors import ParameterError
from medsynth_core.volume import Affine, Volume, affine_from_spacing

Array = npt.NDArray[np.generic]
Planes = npt.NDArray[np.float32]
LPS_UP = np.diag([-1.0, -1.0, 1.0])
"""Rows: the frame's directions x, y, z in world (RAS) coordinates."""
DEFAULT_SLICE_MM = 4.0
MOST_PIXELS = 1024
FINEST_MM = 0.01


@dataclass(frozen=True, eq=False)
class Frame:
    """A grid of `size` (z, y, x) voxels as it lies in memory, placed in the world by `affine` (see volume.py)."""

    size: tuple[int, int, int]
    affine: Affine

    @cached_property
    def _axes(self) -> tuple[tuple[int, ...], tuple[bool, ...]]:
        """Which array axis is the frame's z, y, x, and whether it runs the other way."""
        columns = self.affine[:3, :3] / np.linalg.norm(self.affine[:3, :3], axis=0)
        along = LPS_UP @ columns  # (frame x y z, voxel x y z): cosines
        best = max(itertools.permutations(range(3)), key=lambda order: sum(abs(along[i, v]) for i, v in enumerate(order)))
        order = tuple(2 - best[i] for i in (2, 1, 0))
        return order, tuple(bool(along[i, best[i]] < 0) for i in (2, 1, 0))

    @property
    def streams(self) -> bool:
        """Whether slices of the array are slices of the frame, so that each can be given as it grows."""
        return self._axes[0][0] == 0

    @property
    def shape(self) -> tuple[int, int, int]:
        """Voxels along the frame's (z, y, x)."""
        z, y, x = (self.size[axis] for axis in self._axes[0])
        return z, y, x

    @property
    def spacing_mm(self) -> Triple:
        """Distances along the frame's (z, y, x)."""
        lengths = np.linalg.norm(self.affine[:3, :3], axis=0)[::-1]
        z, y, x = (float(lengths[axis]) for axis in self._axes[0])
        return z, y, x

    @property
    def half_mm(self) -> Triple:
        """Half of the volume's size along the frame's (x, y, z), whole voxels."""
        z, y, x = (n * mm / 2 for n, mm in zip(self.shape, self.spacing_mm, strict=True))
        return x, y, z

    @property
    def z_mm(self) -> npt.NDArray[np.float32]:
        """Where the slices of the frame lie, in frame mm."""
        return positions(self.shape[0], self.spacing_mm[0]).astype(np.float32)

    def slice_at(self, z: int) -> int:
        """Return the array's slice that is slice `z` of the frame, or the other way round."""
        return self.size[self._axes[0][0]] - 1 - z if self._axes[1][0] else z

    def canonical(self, array: Array) -> Array:
        """Return a view of an array (z, y, x) along the frame's axes."""
        order, flips = self._axes
        return np.flip(array.transpose(order), tuple(np.flatnonzero(flips)))

    def native(self, array: Array) -> Array:
        """Return a view of an array along the frame's axes (z, y, x) as the grid has it; undoes `canonical`."""
        order, flips = self._axes
        return np.flip(array, tuple(np.flatnonzero(flips))).transpose(np.argsort(order))

    def native_plane(self, plane: Array) -> Array:
        """Return a slice (y, x) of the frame as a slice of the array. Only where the grid `streams`."""
        return self.native(plane[None])[0]

    def canonical_plane(self, plane: Array) -> Array:
        """Return a slice (y, x) of the array as a slice of the frame. Only where the grid `streams`."""
        return self.canonical(plane[None])[0]

    def to_frame(self, world_mm: Triple) -> Triple:
        """Return frame mm (x, y, z) of a place in the world."""
        voxel = np.linalg.solve(self.affine, [*world_mm, 1.0])[2::-1]  # (z, y, x) of the array
        order, flips = self._axes
        away = (voxel - (np.array(self.size) - 1) / 2)[list(order)] * np.where(flips, -1, 1) * self.spacing_mm
        return _triple(away[::-1])

    def to_world(self, frame_mm: Triple) -> Triple:
        """Return the place in the world of frame mm (x, y, z)."""
        order, flips = self._axes
        away = np.array(frame_mm)[::-1] / self.spacing_mm * np.where(flips, -1, 1)
        voxel = away[np.argsort(order)] + (np.array(self.size) - 1) / 2
        return _triple((self.affine @ [*voxel[::-1], 1.0])[:3])

    def affine_of(self, shape: tuple[int, int, int], spacing_mm: Triple) -> Affine:
        """Return the affine of another grid (z, y, x) along the frame's axes with the same middle."""
        affine = np.eye(4)
        affine[:3, 3] = self.to_world(_triple([positions(n, mm)[0] for n, mm in zip(shape, spacing_mm, strict=True)][::-1]))
        origin = np.array(self.to_world((0.0, 0.0, 0.0)))
        for i, mm in enumerate(reversed(spacing_mm)):  # columns are the steps along x, y, z
            affine[:3, i] = np.array(self.to_world(_triple(mm * np.eye(3)[i]))) - origin
        return affine

    def to_model(self, planes: Array) -> Planes:
        """Return slices (n, y, x) of the frame on the model's grid (n, 128, 128)."""
        _, y, x = self.shape
        _, y_mm, x_mm = self.spacing_mm
        return _resampled(planes, _weights(PIXELS, PIXEL_MM, y, y_mm), _weights(PIXELS, PIXEL_MM, x, x_mm))

    def from_model(self, planes: Array, outside: float = 0.0) -> Planes:
        """Return slices (n, 128, 128) of the model on the frame's grid (n, y, x), `outside` beyond the model's field."""
        _, y, x = self.shape
        _, y_mm, x_mm = self.spacing_mm
        shifted = np.asarray(planes, np.float32) - np.float32(outside)
        return _resampled(shifted, _weights(y, y_mm, PIXELS, PIXEL_MM), _weights(x, x_mm, PIXELS, PIXEL_MM)) + np.float32(outside)


def frame_of(volume: Volume) -> Frame:
    """Return the frame of a volume."""
    return Frame(volume.size, volume.affine)


def new_frame(
    slices: int, height: int, width: int, slice_mm: float, row_mm: float, column_mm: float, *, stack_mm: float, thickest_mm: float
) -> Frame:
    """Return the grid that was asked for, the world's origin in its middle; 0 leaves a number to the model.

    Rows and columns fill the field of 240 mm, 128 where nothing is said. Slices fill `stack_mm`, the height of the trained
    stacks: 4 mm apart where nothing is said, and never more than `thickest_mm`, the greatest trained distance, unless asked for.
    Raises ParameterError when a distance is asked for that needs more slices or pixels than there may be.
    """
    rows, row = _axis("height", height, "row_mm", row_mm, FIELD_MM, PIXEL_MM, MOST_PIXELS)
    columns, column = _axis("width", width, "column_mm", column_mm, FIELD_MM, PIXEL_MM, MOST_PIXELS)
    count, step = _axis("slices", slices, "slice_mm", slice_mm, stack_mm, DEFAULT_SLICE_MM, 512)
    if not slice_mm:
        step = min(step, thickest_mm)
    affine = affine_from_spacing((step, row, column))
    affine[:3, :3] = LPS_UP @ affine[:3, :3]
    affine[:3, 3] = -affine[:3, :3] @ ((np.array([columns, rows, count]) - 1) / 2)
    return Frame((count, rows, columns), affine)


def positions(count: int, step_mm: float) -> npt.NDArray[np.float64]:
    """Return the places of `count` samples along an axis, in mm from their middle."""
    return np.asarray((np.arange(count) - (count - 1) / 2) * step_mm)


def _axis(
    count_name: str, count: int, step_name: str, step_mm: float, whole_mm: float, default_mm: float, most: int
) -> tuple[int, float]:
    """Return (samples, distance) along an axis of which one, both or none is given."""
    if 0 < step_mm < FINEST_MM:
        raise ParameterError(f"{step_name} is {step_mm:g}: it must be at least {FINEST_MM} mm, or 0 for the model's own")
    if count:
        return count, step_mm or whole_mm / count
    step_mm = step_mm or default_mm
    filled = max(1, round(whole_mm / step_mm))
    if filled > most:
        raise ParameterError(
            f"{step_name} is {step_mm:g}: to fill {whole_mm:g} mm takes {filled}, and at most {most} can be made; "
            f"choose a larger distance, or say {count_name}"
        )
    return filled, step_mm


def _weights(to_n: int, to_mm: float, from_n: int, from_mm: float) -> Planes:
    """Return the matrix (to_n, from_n) that resamples an axis: linear, and as wide as the coarser grid, so nothing aliases.

    Beyond the samples there is 0. On equal grids it is the identity, bit for bit.
    """
    reach = max(to_mm, from_mm)
    beyond = int(np.ceil((to_n * to_mm / 2 + reach) / from_mm))
    away = np.abs(positions(to_n, to_mm)[:, None] - positions(from_n + 2 * beyond, from_mm)[None, :])
    weights = np.maximum(0, 1 - away / reach)
    return (weights / weights.sum(axis=1, keepdims=True))[:, beyond : beyond + from_n].astype(np.float32)


def _resampled(planes: Array, rows: Planes, columns: Planes) -> Planes:
    return np.stack([rows @ np.asarray(plane, np.float32) @ columns.T for plane in planes])


def _triple(values: npt.ArrayLike) -> Triple:
    x, y, z = (float(v) for v in np.asarray(values))
    return x, y, z

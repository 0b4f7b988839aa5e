"""Two files on one grid: the same voxels, whose axes may run in another order or direction."""

from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt

from medsynth_core.errors import ShapeError
from medsynth_core.volume import Affine, Volume

TOLERANCE = 0.05
"""Voxels by which corners may miss each other: headers round; a mask half a voxel off belongs to another grid."""
Size = tuple[int, int, int]


def aligned(volume: Volume, affine: Affine, size: Size) -> Volume:
    """Return the same voxels on the grid of this affine and size (z, y, x), turned but never resampled.

    Raises ShapeError when the grids differ in more than the order and direction of their axes.
    """
    turned, start = turned_to(volume, affine, size)
    if start != (0, 0, 0) or turned.shape[1:] != size:
        raise _other_grid(volume.size, size)
    return Volume(turned, affine)


def turned_to(volume: Volume, affine: Affine, size: Size) -> tuple[npt.NDArray[np.generic], Size]:
    """Return (the voxels (c, z, y, x) with the axes of the target grid, the index (z, y, x) there of the first one).

    Raises ShapeError when the voxels do not lie on those of the grid, or beyond its size.
    """
    ends = np.array(volume.size[::-1]) - 1  # (x, y, z)
    to_target = np.linalg.inv(affine) @ volume.affine
    axes = np.abs(to_target[:3, :3]).argmax(axis=0)  # the target's axis along which each of ours runs
    if sorted(axes) != [0, 1, 2]:
        raise _other_grid(volume.size, size)
    backwards = to_target[axes, range(3)] < 0
    corners = np.array(list(itertools.product((0, 1), repeat=3))) * ends  # (8, 3)
    there = corners @ to_target[:3, :3].T + to_target[:3, 3]
    start = np.rint(there.min(axis=0))
    wanted = np.empty_like(there)
    wanted[:, axes] = np.where(backwards, ends - corners, corners)
    if np.abs(there - wanted - start).max() > TOLERANCE or (start < 0).any():
        raise _other_grid(volume.size, size)
    spatial = volume.array.transpose(0, 3, 2, 1)  # (c, x, y, z)
    flipped = np.flip(spatial, tuple(1 + axis for axis in range(3) if backwards[axis]))
    turned = np.ascontiguousarray(flipped.transpose(0, *(1 + np.argsort(axes))).transpose(0, 3, 2, 1))
    if (start[::-1] + turned.shape[1:] > size).any():
        raise _other_grid(volume.size, size)
    x, y, z = (int(n) for n in start)
    return turned, (z, y, x)


def _other_grid(mask: Size, image: Size) -> ShapeError:
    if sorted(mask) != sorted(image):
        return ShapeError(f"mask is {mask}, image {image} (z, y, x): resample the mask to the image's grid first")
    return ShapeError(
        f"mask and image are both {image} (z, y, x) but lie at different places: resample the mask to the image's grid first"
    )

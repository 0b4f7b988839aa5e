"""Two files on one grid: the same voxels, whose axes may run in another order or direction."""

from __future__ import annotations

import itertools

import numpy as np

from medsynth_core.errors import ShapeError
from medsynth_core.volume import Affine, Volume

TOLERANCE = 0.05
"""Voxels by which corners may miss each other: headers round; a mask half a voxel off belongs to another grid."""


def aligned(volume: Volume, affine: Affine, size: tuple[int, int, int]) -> Volume:
    """Return the same voxels on the grid of this affine and size (z, y, x), turned but never resampled.

    Raises ShapeError when the grids differ in more than the order and direction of their axes.
    """
    ends = np.array(volume.size[::-1]) - 1  # (x, y, z)
    to_target = np.linalg.inv(affine) @ volume.affine
    axes = np.abs(to_target[:3, :3]).argmax(axis=0)  # the target's axis along which each of ours runs
    if sorted(axes) != [0, 1, 2]:
        raise _other_grid(volume, size)
    backwards = to_target[axes, range(3)] < 0
    for corner in itertools.product((0, 1), repeat=3):
        index = np.array(corner) * ends
        wanted = np.empty(3)
        wanted[axes] = np.where(backwards, ends - index, index)
        if np.abs((to_target @ [*index, 1])[:3] - wanted).max() > TOLERANCE:
            raise _other_grid(volume, size)
    spatial = volume.array.transpose(0, 3, 2, 1)  # (c, x, y, z)
    flipped = np.flip(spatial, tuple(1 + axis for axis in range(3) if backwards[axis]))
    turned = flipped.transpose(0, *(1 + np.argsort(axes))).transpose(0, 3, 2, 1)
    if turned.shape[1:] != size:
        raise _other_grid(volume, size)
    return Volume(np.ascontiguousarray(turned), affine)


def _other_grid(volume: Volume, size: tuple[int, int, int]) -> ShapeError:
    if sorted(volume.size) != sorted(size):
        return ShapeError(f"mask is {volume.size}, image {size} (z, y, x): resample the mask to the image's grid first")
    return ShapeError(
        f"mask and image are both {size} (z, y, x) but lie at different places: resample the mask to the image's grid first"
    )

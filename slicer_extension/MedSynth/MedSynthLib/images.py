"""Slicer's oriented images, of which segments are made, as voxels (k, j, i) and a matrix."""

from __future__ import annotations

from typing import Any

import numpy as np
import slicer
import vtk
from vtk.util import numpy_support


def oriented(array: np.ndarray, matrix: np.ndarray) -> Any:
    """Return voxels (k, j, i) as an image with its place; a copy."""
    image = slicer.vtkOrientedImageData()
    image.SetDimensions(array.shape[::-1])
    image.GetPointData().SetScalars(numpy_support.numpy_to_vtk(array.ravel(), deep=True))
    place(image, matrix)
    return image


def voxels(image: Any) -> np.ndarray:
    """Return an image's voxels as (k, j, i); a view."""
    return numpy_support.vtk_to_numpy(image.GetPointData().GetScalars()).reshape(image.GetDimensions()[::-1])


def is_empty(image: Any) -> bool:
    """Whether an image has no voxels at all."""
    return image.GetPointData().GetScalars() is None or not image.GetNumberOfPoints()


def first_voxel(image: Any) -> np.ndarray:
    """Return the (i, j, k) of an image's first voxel: its matrix counts from (0, 0, 0), which need not be in it."""
    return np.array(image.GetExtent())[::2]


def place(image: Any, matrix: np.ndarray) -> None:
    """Put an image where a (4, 4) matrix leads from (i, j, k)."""
    image.SetImageToWorldMatrix(slicer.util.vtkMatrixFromArray(matrix))


def place_of(image: Any) -> np.ndarray:
    """Return the (4, 4) matrix from an image's (i, j, k) to millimeters."""
    matrix = vtk.vtkMatrix4x4()
    image.GetImageToWorldMatrix(matrix)
    return np.array(slicer.util.arrayFromVTKMatrix(matrix))


def copy(image: Any) -> Any:
    """Return the same image once more, with voxels of its own."""
    made = slicer.vtkOrientedImageData()
    made.DeepCopy(image)
    return made


def cropped(array: np.ndarray, matrix: np.ndarray) -> Any:
    """Return what is painted of voxels (k, j, i) as an image that counts from the same first voxel; a copy."""
    box = painted_box(array) or (slice(0, 1),) * 3
    made = oriented(array[box], matrix)
    made.SetExtent(*(edge for part in reversed(box) for edge in (part.start, part.stop - 1)))
    return made


def painted_box(voxels: np.ndarray) -> tuple[slice, ...] | None:
    """Return the smallest box around what is not 0, None if all is."""
    box: list[slice] = []
    for axis in range(voxels.ndim):
        inside = voxels[tuple(box)]
        painted = np.flatnonzero(inside.any(axis=tuple(other for other in range(voxels.ndim) if other != axis)))
        if not painted.size:
            return None
        box.append(slice(int(painted[0]), int(painted[-1]) + 1))
    return tuple(box)


def reach(box: tuple[slice, ...], first: np.ndarray, matrix: np.ndarray, size: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Return which part of a grid of `size`, from (z, y, x) to before (z, y, x), a box of an image's voxels lies in.

    `first` is the (i, j, k) of the image's first voxel, `matrix` leads from its (i, j, k) to those of the grid.
    """
    ends = [(part.start - 0.5 + start, part.stop - 0.5 + start) for part, start in zip(reversed(box), first, strict=True)]
    corners = np.stack(np.meshgrid(*ends, indexing="ij"), -1).reshape(-1, 3)
    there = (corners @ matrix[:3, :3].T + matrix[:3, 3])[:, ::-1]
    low, high = np.floor(there.min(0)) - 1, np.ceil(there.max(0)) + 2
    return np.clip(low, 0, size).astype(int), np.clip(high, 0, size).astype(int)


def make_room(image: Any, low: np.ndarray, high: np.ndarray) -> None:
    """Let an image reach from voxel (z, y, x) `low` to before `high`, counted from its first voxel; it only grows.

    It stays the same image, so all who share it see the new room; what is new is 0.
    """
    old, first = voxels(image), first_voxel(image)
    begin, end = np.minimum(low, 0), np.maximum(high, old.shape)
    if not begin.any() and (end == old.shape).all():
        return
    grown = np.zeros(tuple(end - begin), old.dtype)
    grown[tuple(slice(-int(b), -int(b) + n) for b, n in zip(begin, old.shape, strict=True))] = old
    matrix = place_of(image)
    made = oriented(grown, matrix)
    corner = first + begin[::-1]
    made.SetExtent(*(int(edge) for start, n in zip(corner, grown.shape[::-1], strict=True) for edge in (start, start + n - 1)))
    image.ShallowCopy(made)

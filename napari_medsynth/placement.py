"""Where a layer lies in the world: its size and transforms, and whether two layers lie alike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import napari
import numpy as np
from napari.layers import Layer

Spot = tuple[float, float, float]


def spatial_shape(layer: Layer) -> tuple[int, ...]:
    """Return the size of the layer along its axes, colors not counted."""
    shape = (layer.data[0] if layer.multiscale else layer.data).shape
    return tuple(int(n) for n in shape[: layer.ndim])


def same_size(one: Layer, other: Layer) -> bool:
    """Return whether two layers have the same number of pixels along each axis, colors not counted."""
    return spatial_shape(one) == spatial_shape(other)


def same_place(one: Layer, other: Layer) -> bool:
    """Return whether two layers of the same size lie at the same place of the world, within a hundredth of a pixel."""
    mine, others = to_world(one), to_world(other)
    pixel = np.linalg.norm(mine[:-1, :-1], axis=0).min()
    corners = np.array([np.zeros(one.ndim), spatial_shape(one)])
    reach = np.abs((mine - others)[:-1, :-1] @ corners.T + (mine - others)[:-1, -1:])
    return bool(reach.max() < 0.01 * pixel)


def align(layer: Layer, target: Layer) -> None:
    """Put a layer at the place of another one of the same size."""
    for name, value in transforms(target).items():
        setattr(layer, name, value)


def transforms(layer: Layer) -> dict[str, Any]:
    """Return the keyword arguments that place a layer in the world."""
    return {
        "scale": np.array(layer.scale),
        "translate": np.array(layer.translate),
        "rotate": np.array(layer.rotate),
        "shear": np.array(layer.shear),
        "affine": np.array(layer.affine.affine_matrix),
        "units": tuple(layer.units),
        "axis_labels": tuple(layer.axis_labels),
    }


def world_mm(viewer: napari.Viewer, point: Sequence[float]) -> Spot:
    """Return a place of the viewer's world as (z, y, x) in mm, its last three axes; a world without units counts as mm."""
    last = np.array([*(0.0,) * (3 - len(point)), *point], float)[-3:]
    units = (*(None,) * 3, *(viewer.layers.extent.units or ()))[-3:]
    z, y, x = (float(p) * (1.0 if unit is None else unit_mm(unit)) for p, unit in zip(last, units, strict=True))
    return z, y, x


def unit_mm(unit: Any) -> float:
    """Return how many mm a unit of the world is; 1 where it is no length."""
    return float((1 * unit).to("mm").magnitude) if unit.is_compatible_with("mm") else 1.0


def to_world(layer: Layer) -> np.ndarray:
    """Return the (ndim + 1, ndim + 1) matrix from data index to world, read off where the layer puts its first voxels."""
    matrix = np.eye(layer.ndim + 1)
    origin = np.array(layer.data_to_world(np.zeros(layer.ndim)))
    for axis in range(layer.ndim):
        matrix[:-1, axis] = np.array(layer.data_to_world(np.eye(layer.ndim)[axis])) - origin
    matrix[:-1, -1] = origin
    return matrix

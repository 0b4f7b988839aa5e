"""Layer ↔ Volume: the one file of the plugin that knows napari's axes, transforms and units.

A mask travels as the plane the viewer shows: the two displayed axes, at the slider's position along all others. The result comes
back onto the same plane, with the mask layer's scale, translate, rotate, shear, affine, units and axis labels. napari's world has
no fixed anatomical directions, so its last three axes are taken as (z, y, x) and reversed to the (x, y, z) of `Volume`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from napari.components import Dims
from napari.layers import Image, Labels, Layer
from napari.utils.transforms import Affine

from medsynth_core.errors import ShapeError
from medsynth_core.volume import Volume

RESULT_PREFIX = "[Synthetic]"


@dataclass(frozen=True, eq=False)
class Plane:
    """The plane of a layer that was sent.

    `index` is its place along each axis (None for the two displayed), `axes` the displayed two in order, and `transforms` the
    layer's keyword arguments that place it in the world, as they were when the plane was taken.
    """

    index: tuple[int | None, ...]
    axes: tuple[int, int]
    transforms: Mapping[str, Any]
    to_world: np.ndarray

    @property
    def name(self) -> str:
        """Where the plane lies in its stack, such as `slice 12`; empty for a 2-D layer."""
        places = [str(i) for i in self.index if i is not None]
        return f"slice {', '.join(places)}" if places else ""


def shown_plane(layer: Layer, dims: Dims) -> Plane:
    """Return the plane of the layer that the viewer shows. Raises ShapeError when it shows none of it."""
    axes = tuple(axis - (dims.ndim - layer.ndim) for axis in dims.order[-2:])
    if min(axes) < 0:
        raise ShapeError(f"{layer.name} has {layer.ndim} axes and is not shown along this view: roll the axes of the viewer back")
    here = np.rint(layer.world_to_data(dims.point[-layer.ndim :])).astype(int)
    size = spatial_shape(layer)
    for axis in set(range(layer.ndim)) - set(axes):
        if not 0 <= here[axis] < size[axis]:
            raise ShapeError(f"the viewer shows a place outside of {layer.name}: move the slider to one of its slices")
    index = tuple(None if axis in axes else int(here[axis]) for axis in range(layer.ndim))
    return Plane(index, axes, _transforms(layer), _to_world(layer))


def spatial_shape(layer: Layer) -> tuple[int, ...]:
    """Return the size of the layer along its axes, colors not counted."""
    shape = (layer.data[0] if layer.multiscale else layer.data).shape
    return tuple(int(n) for n in shape[: layer.ndim])


def take(layer: Layer, plane: Plane) -> np.ndarray:
    """Return the plane's pixels as (y, x) or (y, x, 3), a copy."""
    whole = layer.data[0] if layer.multiscale else layer.data
    pixels = np.asarray(whole[tuple(slice(None) if i is None else i for i in plane.index)])
    return np.array(pixels.swapaxes(0, 1) if plane.axes[0] > plane.axes[1] else pixels)


def as_volume(pixels: np.ndarray, plane: Plane) -> Volume:
    """Return the plane's pixels as a volume of one slice, placed in the world in mm (a pixel without a unit counts as 1 mm)."""
    return Volume(Volume.from_image(pixels).array, volume_affine(plane))


def volume_affine(plane: Plane) -> np.ndarray:
    """Return the (4, 4) affine from voxel (x, y, z) to world (x, y, z) in mm; a plane across time keeps its spacing alone."""
    ndim = len(plane.index)
    columns = _unit_mm(plane)[:, None] * plane.to_world[:ndim, :ndim]
    offset = [0 if i is None else i for i in plane.index]
    origin = columns @ offset + _unit_mm(plane) * plane.to_world[:ndim, ndim]
    y, x = plane.axes
    across = [axis for axis in range(ndim) if axis not in plane.axes][-1:]
    space = np.zeros((3, 3))
    for place, axis in enumerate([x, y, *across]):
        vector = columns[-3:, axis][::-1]
        space[: len(vector), place] = vector
    if not across:
        space[2, 2] = 1.0
    affine = np.eye(4)
    if abs(np.linalg.det(space)) < 1e-12:
        affine[0, 0], affine[1, 1] = np.linalg.norm(columns[:, x]), np.linalg.norm(columns[:, y])
        return affine
    affine[:3, :3] = space
    affine[: min(3, ndim), 3] = origin[-3:][::-1]
    return affine


def result_layer(volume: Volume, plane: Plane, name: str, metadata: Mapping[str, Any]) -> Image:
    """Return an Image layer of the result on the plane its mask came from; three channels become RGB."""
    if volume.array.shape[0] not in (1, 3):
        raise ShapeError(f"the result has {volume.array.shape[0]} channels: an image has 1 or 3")
    rgb = volume.array.shape[0] == 3
    if volume.array.shape[1] > 1:
        data, transforms = np.moveaxis(volume.array, 0, -1), _stack_transforms(plane)
    else:
        data, transforms = _put_back(volume.to_image(), plane), _plane_transforms(plane)
    if not rgb and data.shape[-1] == 1 and volume.array.shape[1] > 1:
        data = data[..., 0]
    limits = {} if rgb else {"contrast_limits": _limits(volume.array)}
    return Image(data, rgb=rgb, name=name, metadata={"medsynth": dict(metadata)}, **limits, **transforms)


def new_mask(reference: Layer | None, size: tuple[int, int]) -> Labels:
    """Return an empty Labels layer with the geometry of `reference`, or of `size` (y, x) when there is none."""
    if reference is None:
        return Labels(np.zeros(size, np.uint8), name="mask")
    return Labels(np.zeros(spatial_shape(reference), np.uint8), name=f"{reference.name} mask", **_transforms(reference))


def brush_size(layer: Labels) -> int:
    """Return a brush that suits the layer: a sixteenth of the shorter side of the picture, at least 3 pixels."""
    return max(3, min(spatial_shape(layer)[-2:]) // 16)


def _transforms(layer: Layer) -> dict[str, Any]:
    return {
        "scale": np.array(layer.scale),
        "translate": np.array(layer.translate),
        "rotate": np.array(layer.rotate),
        "shear": np.array(layer.shear),
        "affine": np.array(layer.affine.affine_matrix),
        "units": tuple(layer.units),
        "axis_labels": tuple(layer.axis_labels),
    }


def _to_world(layer: Layer) -> np.ndarray:
    """Return the (ndim + 1, ndim + 1) matrix from data index to world, read off where the layer puts its first voxels."""
    matrix = np.eye(layer.ndim + 1)
    origin = np.array(layer.data_to_world(np.zeros(layer.ndim)))
    for axis in range(layer.ndim):
        matrix[:-1, axis] = np.array(layer.data_to_world(np.eye(layer.ndim)[axis])) - origin
    matrix[:-1, -1] = origin
    return matrix


def _unit_mm(plane: Plane) -> np.ndarray:
    """Return how many mm one world unit is, per axis; 1 where the unit is no length."""
    units = plane.transforms["units"]
    return np.array([float((1 * unit).to("mm").magnitude) if unit.is_compatible_with("mm") else 1.0 for unit in units])


def _put_back(pixels: np.ndarray, plane: Plane) -> np.ndarray:
    """Return (y, x[, 3]) with an axis of length one for each axis the plane cuts."""
    upright = pixels.swapaxes(0, 1) if plane.axes[0] > plane.axes[1] else pixels
    cut = tuple(axis for axis, i in enumerate(plane.index) if i is not None)
    return np.expand_dims(upright, cut) if cut else upright


def _plane_transforms(plane: Plane) -> dict[str, Any]:
    """Return the layer's transforms with its origin moved to the plane."""
    keep = dict(plane.transforms)
    linear = Affine(scale=keep["scale"], rotate=keep["rotate"], shear=keep["shear"]).linear_matrix
    keep["translate"] = keep["translate"] + linear @ [0 if i is None else i for i in plane.index]
    return keep


def _stack_transforms(plane: Plane) -> dict[str, Any]:
    """Return where a stack (z, y, x) made from one 2-D plane lies: the plane at z = 0, one world unit a slice."""
    if len(plane.index) != 2 or plane.axes != (0, 1):
        raise ShapeError("the result is a stack, the mask a slice of one: this engine takes a 2-D mask here")
    matrix = np.eye(4)
    matrix[1:, 1:] = plane.to_world
    units = plane.transforms["units"]
    return {"affine": matrix, "units": (units[0], *units)}


def _limits(array: np.ndarray) -> tuple[float, float]:
    """Return fixed contrast limits: the whole range of uint8, else that of the values."""
    if array.dtype == np.uint8:
        return 0.0, 255.0
    low, high = float(array.min()), float(array.max())
    return (low, high) if high > low else (low, low + 1.0)

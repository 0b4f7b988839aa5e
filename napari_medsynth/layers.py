"""Layer ↔ Volume: with `placement`, the one file of the plugin that knows napari's axes, transforms and units.

A mask travels as a cut: the plane that the viewer shows (the two displayed axes, at the slider's position along all others), or
the stack of planes along one more axis. The result comes back onto the same cut, with the mask layer's scale, translate,
rotate, shear, affine, units and axis labels. napari's world has no fixed anatomical directions, so its last three axes are
taken as (z, y, x) and reversed to the (x, y, z) of `Volume`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from napari.components import Dims
from napari.layers import Image, Labels, Layer
from napari.utils.transforms import Affine

from medsynth_core.errors import ShapeError
from medsynth_core.job_results import SYNTHETIC
from medsynth_core.volume import Volume
from napari_medsynth.placement import spatial_shape, to_world, transforms, unit_mm

RESULT_PREFIX = SYNTHETIC


@dataclass(frozen=True, eq=False)
class Cut:
    """The part of a layer that was sent: a plane, or a stack of planes.

    `index` is its place along each axis (None for those it spans), `axes` those it spans: (y, x), or (z, y, x) in the layer's
    order, where `along` tells which of the three the planes are stacked on. `transforms` are the layer's keyword arguments that
    place it in the world and `to_world` the matrix of that, both as they were when the cut was made.
    """

    index: tuple[int | None, ...]
    axes: tuple[int, ...]
    transforms: Mapping[str, Any]
    to_world: np.ndarray
    along: int = 0

    @property
    def is_stack(self) -> bool:
        """Whether the cut spans three axes."""
        return len(self.axes) == 3


def shown_stack(layer: Layer, dims: Dims) -> Cut:
    """Return the shown plane and its neighbors along the layer's last axis that is not displayed. Raises ShapeError."""
    plane = shown_plane(layer, dims)
    others = [axis for axis in range(layer.ndim) if axis not in plane.axes]
    if not others:
        raise ShapeError(f"{layer.name} is a single plane: choose this slice instead of the whole stack")
    axes = tuple(sorted((*plane.axes, others[-1])))
    index = tuple(None if axis in axes else i for axis, i in enumerate(plane.index))
    return Cut(index, axes, plane.transforms, plane.to_world, axes.index(others[-1]))


def shown_plane(layer: Layer, dims: Dims) -> Cut:
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
    return Cut(index, axes, transforms(layer), to_world(layer))


def whole_volume(layer: Layer, dims: Dims) -> Cut:
    """Return the layer's last three axes, whichever way the viewer is turned, at the slider's place along all others.

    Raises ShapeError for a layer of fewer axes.
    """
    if layer.ndim < 3:
        raise ShapeError(f"{layer.name} is a single plane: choose a volume")
    here = np.rint(layer.world_to_data(dims.point[-layer.ndim :])).astype(int)
    last = np.array(spatial_shape(layer)) - 1
    others = tuple(int(i) for i in np.clip(here, 0, last)[:-3])
    axes = (layer.ndim - 3, layer.ndim - 2, layer.ndim - 1)
    return Cut((*others, None, None, None), axes, transforms(layer), to_world(layer))


def take(layer: Layer, cut: Cut) -> np.ndarray:
    """Return the cut's pixels as (y, x) or (z, y, x), colors last, a copy; of four colors the first three."""
    whole = layer.data[0] if layer.multiscale else layer.data
    pixels = np.asarray(whole[tuple(slice(None) if i is None else i for i in cut.index)])
    if getattr(layer, "rgb", False):
        pixels = pixels[..., :3]
    return np.array(pixels.swapaxes(0, 1) if cut.axes[0] > cut.axes[1] else pixels)


def as_volume(pixels: np.ndarray, cut: Cut) -> Volume:
    """Return the cut's pixels as a volume, placed in the world in mm (a pixel without a unit counts as 1 mm)."""
    if not cut.is_stack:
        return Volume(Volume.from_image(pixels).array, volume_affine(cut))
    return Volume(pixels[None] if pixels.ndim == 3 else np.moveaxis(pixels, -1, 0), volume_affine(cut))


def as_pixels(volume: Volume, cut: Cut) -> np.ndarray:
    """Return a volume that came back as the pixels of its cut, as `take` gives them."""
    if not cut.is_stack:
        return volume.to_image()
    return volume.array[0] if volume.array.shape[0] == 1 else np.moveaxis(volume.array, 0, -1)


def layer_index(cut: Cut, places: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
    """Return where places in the cut's pixels, an array (n,) for each of its axes, lie in the layer."""
    spanned = dict(zip(cut.axes, places, strict=True))
    return tuple(spanned.get(axis, np.full_like(places[0], i or 0)) for axis, i in enumerate(cut.index))


def volume_affine(cut: Cut) -> np.ndarray:
    """Return the (4, 4) affine from voxel (x, y, z) to world (x, y, z) in mm; a cut across time keeps its spacing alone."""
    ndim = len(cut.index)
    columns = _unit_mm(cut)[:, None] * cut.to_world[:ndim, :ndim]
    offset = [0 if i is None else i for i in cut.index]
    origin = columns @ offset + _unit_mm(cut) * cut.to_world[:ndim, ndim]
    *through, y, x = cut.axes
    across = through or [axis for axis in range(ndim) if axis not in cut.axes][-1:]
    space = np.zeros((3, 3))
    for place, axis in enumerate([x, y, *across]):
        vector = columns[-3:, axis][::-1]
        space[: len(vector), place] = vector
    if not across:
        space[2, 2] = 1.0
    affine = np.eye(4)
    if abs(np.linalg.det(space)) < 1e-12:
        for place, axis in enumerate([x, y, *through]):
            affine[place, place] = np.linalg.norm(columns[:, axis])
        return affine
    affine[:3, :3] = space
    affine[: min(3, ndim), 3] = origin[-3:][::-1]
    return affine


def beside(layer: Layer, plane: Cut) -> list[Cut]:
    """Return the planes before, at and after a plane along the last axis that it does not span, as far as there are any."""
    across = [axis for axis in range(layer.ndim) if axis not in plane.axes][-1:]
    at = plane.index[across[0]] if across else None
    if at is None:
        return [plane]
    near = [i for i in (at - 1, at, at + 1) if 0 <= i < spatial_shape(layer)[across[0]]]
    return [dataclasses.replace(plane, index=(*plane.index[: across[0]], i, *plane.index[across[0] + 1 :])) for i in near]


def in_world(affine: np.ndarray) -> dict[str, Any]:
    """Return the keyword arguments that put a layer (z, y, x) where a volume's affine from voxel (x, y, z) to world mm says."""
    back = np.eye(4)
    back[:3, :3] = np.eye(3)[::-1]
    return {"affine": back @ affine @ back, "units": ("mm",) * 3, "axis_labels": ("z", "y", "x")}


def on_cut(cut: Cut) -> dict[str, Any]:
    """Return the keyword arguments that put a layer of all axes, one long where the cut spans none, onto the cut."""
    return _cut_transforms(cut)


def spacing_mm(cut: Cut) -> tuple[float, ...] | None:
    """Return the size of a pixel along each axis of the cut in mm, None where the layer's units are no lengths."""
    units = cut.transforms["units"]
    if not all(units[axis].is_compatible_with("mm") for axis in cut.axes):
        return None
    ndim = len(cut.index)
    columns = _unit_mm(cut)[:, None] * cut.to_world[:ndim, :ndim]
    return tuple(float(np.linalg.norm(columns[:, axis])) for axis in cut.axes)


def result_layer(volume: Volume, cut: Cut, name: str, metadata: Mapping[str, Any]) -> Image:
    """Return an Image layer of the result on the cut its mask came from; three channels become RGB."""
    if volume.array.shape[0] not in (1, 3):
        raise ShapeError(f"the result has {volume.array.shape[0]} channels: an image has 1 or 3")
    rgb = volume.array.shape[0] == 3
    if volume.array.shape[1] > 1 and not cut.is_stack:
        data, place = np.moveaxis(volume.array, 0, -1), _stack_transforms(cut)
        data = data if rgb else data[..., 0]
    else:
        data, place = put_back(as_pixels(volume, cut), cut), _cut_transforms(cut)
    contrast = {} if rgb else {"contrast_limits": limits(volume.array)}
    return Image(data, rgb=rgb, name=name, metadata={"medsynth": dict(metadata)}, **contrast, **place)


def empty_labels(like: Layer, name: str, metadata: Mapping[str, Any]) -> Labels:
    """Return an empty Labels layer on the whole grid of another layer."""
    return Labels(np.zeros(spatial_shape(like), np.uint8), name=name, metadata={"medsynth": dict(metadata)}, **transforms(like))


def has_part(layer: Layer) -> bool:
    """Return whether a layer plays a part of ours beside a mask (preview, uncertainty, locked), named in its metadata."""
    return "part" in layer.metadata.get("medsynth", {})


def new_mask(reference: Layer | None, size: tuple[int, int]) -> Labels:
    """Return an empty Labels layer with the geometry of `reference`, or of `size` (y, x) when there is none."""
    if reference is None:
        return Labels(np.zeros(size, np.uint8), name="mask")
    return Labels(np.zeros(spatial_shape(reference), np.uint8), name=f"{reference.name} mask", **transforms(reference))


def brush_size(layer: Labels) -> int:
    """Return a brush that suits the layer: a sixteenth of the shorter side of the picture, at least 3 pixels."""
    return max(3, min(spatial_shape(layer)[-2:]) // 16)


def put_back(pixels: np.ndarray, cut: Cut) -> np.ndarray:
    """Return the pixels of a cut, colors last, with an axis of length one for each axis that it does not span."""
    upright = pixels.swapaxes(0, 1) if cut.axes[0] > cut.axes[1] else pixels
    across = tuple(axis for axis, i in enumerate(cut.index) if i is not None)
    return np.expand_dims(upright, across) if across else upright


def _unit_mm(cut: Cut) -> np.ndarray:
    """Return how many mm one world unit is, per axis; 1 where the unit is no length."""
    return np.array([unit_mm(unit) for unit in cut.transforms["units"]])


def _cut_transforms(cut: Cut) -> dict[str, Any]:
    """Return the layer's transforms with its origin moved to the cut."""
    keep = dict(cut.transforms)
    linear = Affine(scale=keep["scale"], rotate=keep["rotate"], shear=keep["shear"]).linear_matrix
    keep["translate"] = keep["translate"] + linear @ [0 if i is None else i for i in cut.index]
    return keep


def _stack_transforms(cut: Cut) -> dict[str, Any]:
    """Return where a stack (z, y, x) made from one 2-D plane lies: the plane at z = 0, one world unit a slice."""
    if len(cut.index) != 2 or cut.axes != (0, 1):
        raise ShapeError("the result is a stack, the mask a slice of one: this engine takes a 2-D mask here")
    matrix = np.eye(4)
    matrix[1:, 1:] = cut.to_world
    units = cut.transforms["units"]
    return {"affine": matrix, "units": (units[0], *units)}


def limits(array: np.ndarray) -> tuple[float, float]:
    """Return fixed contrast limits: the whole range of uint8, else that of the values."""
    if array.dtype == np.uint8:
        return 0.0, 255.0
    low, high = float(array.min()), float(array.max())
    return (low, high) if high > low else (low, low + 1.0)

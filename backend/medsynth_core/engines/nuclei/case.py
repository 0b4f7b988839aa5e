"""A task made ready: what was handed in is checked against each other and cut into tiles."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from medsynth_core.engines._base import Task
from medsynth_core.engines.nuclei.batches import around
from medsynth_core.engines.nuclei.engine import COMPLETE, Params
from medsynth_core.engines.nuclei.field import MOST, Instances, Keep, Mask
from medsynth_core.engines.nuclei.model import NucleiModel
from medsynth_core.engines.nuclei.stain import Stain, stain_of
from medsynth_core.engines.nuclei.tiles import PIXELS
from medsynth_core.errors import InputError, ShapeError
from medsynth_core.vocabulary import whole_numbers
from medsynth_core.volume import Volume

Image = npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Case:
    """size (z, y, x); given and region (z, y, x) each, kept image (3, z, y, x), stain: None where nothing was handed in."""

    model: NucleiModel
    params: Params
    seed: int
    size: tuple[int, int, int]
    affine: npt.NDArray[np.float64]
    given: Instances | None
    region: Mask | None
    kept: Image | None
    stain: Stain | None

    def keep(self, z: int) -> Keep | None:
        """Return what of tile z stays while the field is completed; None where nothing is to be completed."""
        if self.given is not None and self.params.given != COMPLETE:
            return None
        if self.given is None:
            return Keep(np.zeros(self.size[1:], np.int32), np.ones(self.size[1:], bool))
        given = self.given[z]
        if self.region is None:
            return Keep(given, ~around(given > 0))
        return Keep(outside(given, self.region[z]), self.region[z])


def prepare(task: Task) -> Case:
    """Return the task checked. Raises InputError, ShapeError naming what does not go together."""
    mask, region, image = (task.inputs.get(name) for name in ("mask", "region", "image"))
    if region is not None and mask is None:
        raise InputError("region is given without nuclei: give the instance map that it is a part of, as mask")
    size = _size(task.params, mask)
    slices = size[0]
    given = None if mask is None else _stack(_instances(mask), slices).astype(np.int32)
    chosen = None if region is None else _stack(_plane_of(region, "region", size), slices) != 0
    colors = None if image is None else _colors(image)
    kept = None
    if chosen is not None and colors is not None:
        _same_grid("image", colors.shape[2:], size[1:])
        kept = np.stack([_stack(channel, slices) for channel in colors])
    stain = None if colors is None else stain_of(colors.reshape(3, -1, colors.shape[-1]))
    affine = np.eye(4) if mask is None else mask.affine
    return Case(task.model, task.params, task.seed, size, affine, given, chosen, kept, stain)


def outside(instances: Instances, region: Mask) -> Instances:
    """Return the instances without those that lie in the region with half of their area or more."""
    whole = np.bincount(instances.ravel())
    inside = np.bincount(instances[region].ravel(), minlength=len(whole))
    return np.where((2 * inside < whole)[instances], instances, 0).astype(np.int32)


def _size(params: Params, mask: Volume | None) -> tuple[int, int, int]:
    if mask is None:
        return params.slices, params.height or PIXELS, params.width or PIXELS
    z, y, x = mask.size
    for name, asked, there in (("height", params.height, y), ("width", params.width, x)):
        if asked not in (0, there):
            raise ShapeError(f"{name} is {asked}, the nuclei given have {there}: leave it out, the image has their size")
    if z > 1 and params.slices not in (1, z):
        raise ShapeError(f"slices is {params.slices}, the nuclei given have {z} tiles: leave it out")
    return (z if z > 1 else params.slices), y, x


def _instances(mask: Volume) -> Instances:
    plane = _plane_of(mask, "mask", mask.size)
    numbers = whole_numbers(plane)
    if numbers.min() < 0 or numbers.max() > MOST:
        raise InputError(
            f"mask holds the number {numbers.min() if numbers.min() < 0 else numbers.max()}: 0 to {MOST} are instances"
        )
    return numbers.astype(np.int32)


def _plane_of(volume: Volume, name: str, size: tuple[int, int, int]) -> npt.NDArray[np.generic]:
    if len(volume.array) != 1:
        raise ShapeError(f"{name} has {len(volume.array)} channels: it must have one, holding numbers")
    _same_grid(name, volume.size[1:], size[1:])
    return volume.array[0]


def _same_grid(name: str, there: tuple[int, ...], wanted: tuple[int, ...]) -> None:
    if tuple(there) != tuple(wanted):
        raise ShapeError(f"{name} is {tuple(there)}, the nuclei given {tuple(wanted)} (y, x): they must match")


def _stack(planes: npt.NDArray[np.generic], slices: int) -> npt.NDArray[np.generic]:
    """Return (slices, y, x): a single plane serves all tiles."""
    if len(planes) not in (1, slices):
        raise ShapeError(f"an input has {len(planes)} tiles, the nuclei given {slices}: it must have one or as many")
    return np.broadcast_to(planes, (slices, *planes.shape[1:]))


def _colors(image: Volume) -> Image:
    if len(image.array) not in (1, 3) or image.array.dtype != np.uint8:
        raise InputError(f"image is {len(image.array)} channels of {image.array.dtype}: it must be 8-bit RGB (or grey)")
    return np.broadcast_to(image.array, (3, *image.array.shape[1:])).astype(np.uint8)

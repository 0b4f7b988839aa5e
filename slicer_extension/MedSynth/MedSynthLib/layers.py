"""Segments read straight out of the label maps that they share, where these lie on the voxels they are wanted on.

That is the usual case, and many times as quick as to take each segment out and resample it: a whole volume of any number of
segments in the time of a frame.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np

from MedSynthLib import images

NEAR = 0.01
"""How far, in voxels, a label map may lie off the grid anywhere and still be on its voxels."""


@dataclass(frozen=True)
class Group:
    """Segments that lie in one label map: `table` says, for each number in it, the label that is wanted, 0 for none."""

    segments: tuple[str, ...]
    table: bytes


def layers_of(segmentation: Any, values: Mapping[str, int], kind: str) -> Iterator[tuple[Any, Group]]:
    """Give label map after label map the segments in it, in the order of `values`; None for those without one, or gone."""
    parts = {segment: segmentation.GetSegment(segment) for segment in values}
    maps = {segment: part.GetRepresentation(kind) if part is not None else None for segment, part in parts.items()}
    for image, together in groupby(values, lambda segment: maps[segment]):
        segments, table = tuple(together), bytearray(256)
        for segment in segments if image is not None else ():
            if 0 < (number := int(parts[segment].GetLabelValue())) < len(table):
                table[number] = values[segment]
        yield image, Group(segments, bytes(table))


def lay(labels: np.ndarray, image: Any, to_grid: np.ndarray, group: Group) -> bool:
    """Write segments of a label map over `labels` (z, y, x), in place; return False, and write nothing, if it must be resampled.

    `to_grid` leads from the label map's millimeters to (i, j, k) of `labels`.
    """
    if image is None:
        return False
    if images.is_empty(image):
        return True
    if images.voxels(image).dtype != np.uint8 or (start := _start(image, to_grid @ images.place_of(image))) is None:
        return False
    for there, here in _pairs(image, start, labels):
        wanted = _translated(there, group.table)
        np.copyto(here, wanted, where=wanted != 0 if here.any() else True)
    return True


def is_read_by(group: Group, image: Any) -> bool:
    """Whether a group can be read out of its label map by the table: of bytes, and each segment with a number of its own."""
    if image is None or images.voxels(image).dtype != np.uint8:
        return False
    return sum(map(bool, group.table)) == len(group.segments)


def rewrite(image: Any, to_grid: np.ndarray, group: Group, fresh: np.ndarray, whole: bool, alone: bool) -> bool:
    """Write `fresh` (z, y, x) into a label map, in place of the segments in it; write nothing and return False if it cannot be.

    `fresh` has their numbers in the label map, and so has `group.table`. What they hold beyond `fresh` stays, so with `whole`
    there must be nothing beyond. Nor can it be where another segment lies in the way: two in one place need two label maps.
    `alone` says that there is no other.
    """
    matrix = to_grid @ images.place_of(image)
    if (start := _start(image, matrix)) is None:
        return False
    if whole and ((start < 0).any() or (start + images.voxels(image).shape > fresh.shape).any()):
        return False
    if (box := images.painted_box(fresh)) is not None:
        images.make_room(image, np.array([part.start for part in box]) - start, np.array([part.stop for part in box]) - start)
    pairs = list(_pairs(image, (images.first_voxel(image) + np.round(matrix[:3, 3])).astype(int)[::-1], fresh))
    ours = [old if alone else _translated(old, group.table) for old, _ in pairs]
    if not alone and any(((old != mine) & (new != 0)).any() for (old, new), mine in zip(pairs, ours, strict=True)):
        return False
    for (old, new), mine in zip(pairs, ours, strict=True):
        np.copyto(old, new, where=True if alone else (mine != 0) | (new != 0))
    return True


def erase(image: Any, group: Group) -> None:
    """Take segments out of a label map."""
    others = bytes(0 if label else number for number, label in enumerate(group.table))
    for plane in images.voxels(image):
        plane[:] = _translated(plane, others)


def _pairs(image: Any, start: np.ndarray, fresh: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Give plane after plane what an image holds and what lies at the same place in `fresh`, both to be written in place."""
    voxels = images.voxels(image)
    low, high = np.maximum(start, 0), np.minimum(start + voxels.shape, fresh.shape)
    for z in range(int(low[0]), int(high[0])):
        yield voxels[_box(low - start, high - start, z - start[0])], fresh[_box(low, high, z)]


def _start(image: Any, matrix: np.ndarray) -> np.ndarray | None:
    """Return where the first voxel of an image lies on the grid, (z, y, x); None unless each voxel lies on one of the grid's."""
    shift, ends = np.round(matrix[:3, 3]), np.array(image.GetExtent()).reshape(3, 2)
    for corner in np.stack(np.meshgrid(*ends, indexing="ij"), -1).reshape(-1, 3):
        if np.abs(matrix[:3, :3] @ corner + matrix[:3, 3] - corner - shift).max() > NEAR:
            return None
    return (images.first_voxel(image) + shift).astype(int)[::-1]


def _box(low: np.ndarray, high: np.ndarray, z: int) -> tuple[int, slice, slice]:
    """Return the part of plane z: plane by plane the voxels stay near the processor, which is several times as quick."""
    return int(z), slice(int(low[1]), max(int(low[1]), int(high[1]))), slice(int(low[2]), max(int(low[2]), int(high[2])))


def _translated(plane: np.ndarray, table: bytes) -> np.ndarray:
    """Return bytes looked up in a table of 256; numpy's own would need eight more bytes a voxel for its indices."""
    return np.frombuffer(plane.tobytes().translate(table), np.uint8).reshape(plane.shape)

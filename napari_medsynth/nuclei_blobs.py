"""What is painted, as nuclei: each connected blob is one, whatever number the brush had. No Qt.

Painting on with one number gives blobs that share it; the engine would take them for one nucleus, its center between them.
Nuclei that touch stay apart as long as their numbers differ. Pixels that touch at a corner hang together: brushes are round.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from skimage.measure import label

Numbers = npt.NDArray[np.integer]
WINDOW_PX = 256
"""Density is nuclei per square of this side, as the engine counts it."""
LEAST_AREA_PX = 12
"""What is smaller is no nucleus to the engine, but a speck."""
MOST = int(np.iinfo(np.uint16).max)
CORNERS = 2
"""Neighbors of a pixel are those beside it and those at its corners."""


@dataclass(frozen=True)
class Census:
    """The nuclei of a plane: how many, their mean area, how many per 256² pixels; what of them is odd.

    `shared` blobs have a number that another one has, too; `specks` are too small; `largest_px` is the area of the largest.
    """

    count: int = 0
    mean_area_px: float = 0.0
    density: float = 0.0
    shared: int = 0
    specks: int = 0
    largest_px: int = 0


def census(numbers: Numbers) -> Census:
    """Return what a plane (y, x), 0 = background, holds."""
    if not numbers.size or not numbers.any():
        return Census()
    blobs = _blobs(numbers)
    areas = np.bincount(blobs.ravel())[1:]
    shared = len(areas) - len(np.unique(_number_of(blobs, numbers)))
    density = len(areas) * WINDOW_PX**2 / numbers.size
    return Census(len(areas), float(areas.mean()), density, shared, int((areas < LEAST_AREA_PX).sum()), int(areas.max()))


def separated(numbers: Numbers) -> npt.NDArray[np.uint16]:
    """Return a plane (y, x) in which each blob has a number of its own; the largest of those that share one keeps it.

    Where the numbers would no longer fit 16 bit, all blobs are numbered from 1 on.
    """
    blobs = _blobs(numbers)
    of = _number_of(blobs, numbers)
    areas = np.bincount(blobs.ravel())[1:]
    by_size = np.argsort(-areas, kind="stable")
    keepers = by_size[np.unique(of[by_size], return_index=True)[1]]
    others = np.setdiff1d(np.arange(len(of)), keepers)
    new = of.copy()
    new[others] = of.max(initial=0) + 1 + np.arange(len(others))
    if new.max(initial=0) > MOST:
        new = np.arange(1, len(of) + 1)
    return np.concatenate([[0], new]).astype(np.uint16)[blobs]


def fresh_blobs(before: Numbers, now: Numbers, number: int) -> list[tuple[npt.NDArray[np.intp], ...]]:
    """Return the places of each blob of a number that has nothing of what that number was before, unless all are new.

    Then the largest is what the number means. Only what changed is looked at: a blob that is new lies in there whole.
    """
    changed = now != before
    if not changed.any():
        return []
    corner, box = _round(changed)
    blobs = _blobs(np.where(now[box] == number, 1, 0))
    count = int(blobs.max())
    old = np.unique(blobs[before[box] == number])
    fresh = [blob for blob in range(1, count + 1) if blob not in old]
    if fresh and np.count_nonzero(now == number) == sum(np.count_nonzero(blobs == blob) for blob in fresh):
        fresh.remove(max(fresh, key=lambda blob: np.count_nonzero(blobs == blob)))
    return [tuple(axis + first for axis, first in zip(np.nonzero(blobs == blob), corner, strict=True)) for blob in fresh]


def _round(where: npt.NDArray[np.bool_]) -> tuple[tuple[int, int], tuple[slice, slice]]:
    """Return the first corner of the box (y, x) round what is there, a pixel wider, and the box."""
    spans = [np.flatnonzero(where.any(axis=axis)) for axis in (1, 0)]
    y, x = (max(0, int(span[0]) - 1) for span in spans)
    return (y, x), (slice(y, int(spans[0][-1]) + 2), slice(x, int(spans[1][-1]) + 2))


def _blobs(numbers: Numbers) -> npt.NDArray[np.int64]:
    """Return the blobs (y, x), from 1 on in reading order."""
    blobs: npt.NDArray[np.int64] = label(numbers, background=0, connectivity=CORNERS)
    return blobs


def _number_of(blobs: npt.NDArray[np.int64], numbers: Numbers) -> npt.NDArray[np.int64]:
    """Return the number (n,) that each blob was painted with."""
    of = np.zeros(int(blobs.max()) + 1, np.int64)
    of[blobs.ravel()] = numbers.ravel()
    return of[1:]

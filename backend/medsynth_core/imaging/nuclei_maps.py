"""Instances as three maps, and back.

    semantic   1 inside a nucleus, −1 outside
    h, v       how far a pixel lies right of, below, its nucleus' centroid; each side scaled so that the farthest pixel has ±1

Sources: HoVer-Net (Graham et al. 2019, arXiv 1812.06499) for the maps, NuDiff (arXiv 2310.14197) for making them. A mirror image
negates h; a quarter turn turns the vector (h, v). So h always rises to the right, and one orientation of the watershed is enough.

Back: inside one nucleus h rises along x and v along y; where two touch, one of them falls from 1 to −1. That fall is the edge.
HoVer-Net scales the gradient by the extremes of the picture and so depends on what else is in it; here it is a slope per pixel.
Round trip on 45 real tiles (PQ): 0.97 to 0.99 against 0.58 to 0.75; at half resolution 0.93 to 0.98.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from scipy import ndimage
from skimage.measure import label
from skimage.segmentation import watershed
from torch.nn import functional

Maps = npt.NDArray[np.float32]
Instances = npt.NDArray[np.int32]

FALL_PER_PX = 0.12
"""A map that falls faster than this marks an edge; within a nucleus it rises by 2 over its width."""
LEAST_MARKER_PX = 8
LEAST_AREA_PX = 12


def maps_of(instances: npt.NDArray[np.integer]) -> Maps:
    """Return (3, y, x): semantic, h, v of an instance map (y, x), 0 = background."""
    _, dense = np.unique(instances, return_inverse=True)
    numbers = dense.reshape(instances.shape)
    inside = instances > 0
    place = np.indices(instances.shape)  # rows, columns
    offsets = [_scaled_offsets(numbers, place[axis]) * inside for axis in (1, 0)]
    return np.stack([np.where(inside, 1, -1), *offsets]).astype(np.float32)


def _scaled_offsets(numbers: npt.NDArray[np.intp], axis: npt.NDArray[np.intp]) -> npt.NDArray[np.float64]:
    """Return each pixel's offset from its instance's centroid along `axis`; either side ends at ±1."""
    flat, place = numbers.ravel(), axis.ravel()
    count = np.maximum(np.bincount(flat), 1)
    offset = place - (np.bincount(flat, place) / count)[flat]
    offset[np.abs(offset) < 1e-6] = 0.0  # rounding must not decide which side a pixel is on
    ends = np.zeros((2, len(count)))
    np.maximum.at(ends[0], flat, offset)
    np.maximum.at(ends[1], flat, -offset)
    end = np.where(offset >= 0, ends[0][flat], ends[1][flat])
    return (offset / np.maximum(end, 1e-6)).reshape(numbers.shape)


def instances_of(maps: Maps) -> Instances:
    """Return the instance map (y, x), numbered from 1, of maps (3, y, x) at full resolution."""
    inside = maps[0] > 0
    edge = np.maximum(-ndimage.sobel(maps[1], axis=1), -ndimage.sobel(maps[2], axis=0)) / 8  # slope per pixel, downwards
    core = ndimage.binary_opening(inside & (edge < FALL_PER_PX))
    markers = _without_specks(label(core, connectivity=1), LEAST_MARKER_PX)
    markers = _with_small_ones(markers, inside)
    grown = watershed(np.maximum(edge, 0), markers, mask=inside)
    return renumbered(_without_specks(grown, LEAST_AREA_PX))


def turned(array: npt.NDArray[np.generic], mirrored: bool, quarters: int) -> npt.NDArray[np.generic]:
    """Return (…, y, x) mirrored left-right, if asked, and then turned counterclockwise by quarters."""
    return np.rot90(array[..., ::-1] if mirrored else array, quarters, axes=(-2, -1))


def turned_maps(maps: Maps, mirrored: bool, quarters: int) -> Maps:
    """Return maps (3, y, x) as those of the turned instances: the vectors turn with the picture."""
    semantic, h, v = turned(maps, mirrored, quarters)
    h = -h if mirrored else h
    for _ in range(quarters % 4):
        h, v = v, -h  # what was below is now to the right, what was to the right is now above
    return np.stack([semantic, h, v]).astype(np.float32)


def edges_of(instances: npt.NDArray[np.integer]) -> npt.NDArray[np.bool_]:
    """Return where (y, x) a pixel of a nucleus has a neighbor of another nucleus or of the background."""
    padded = np.pad(instances, 1, mode="edge")
    middle = padded[1:-1, 1:-1]
    around = (padded[:-2, 1:-1], padded[2:, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:])
    return (instances > 0) & np.any([side != middle for side in around], axis=0)


def renumbered(instances: npt.NDArray[np.integer], first: int = 1) -> Instances:
    """Return the instances with numbers from `first` on, without gaps, in their old order; the background stays 0."""
    values, dense = np.unique(instances, return_inverse=True)
    numbers = np.where(values > 0, np.cumsum(values > 0) + first - 1, 0)
    return numbers[dense].reshape(instances.shape).astype(np.int32)


def areas_px(instances: npt.NDArray[np.integer]) -> npt.NDArray[np.int64]:
    """Return the area of each instance that is there, by rising number."""
    counted = np.bincount(instances.ravel())[1:]
    return counted[counted > 0]


def halved(maps: Maps) -> Maps:
    """Return maps (3, y, x) at half resolution: means of 2×2 pixels; y and x are even."""
    c, y, x = maps.shape
    return maps.reshape(c, y // 2, 2, x // 2, 2).mean(axis=(2, 4), dtype=np.float32)


def doubled(maps: Maps) -> Maps:
    """Return maps (3, y, x) at double resolution, linear between pixel centers, so that contours are smooth."""
    larger = functional.interpolate(torch.from_numpy(maps)[None], scale_factor=2, mode="bilinear", align_corners=False)
    return larger[0].numpy()


def _with_small_ones(markers: Instances, inside: npt.NDArray[np.bool_]) -> Instances:
    """Return the markers with one more for each whole blob that has none: a nucleus too small or thin to survive the opening."""
    blobs = label(inside, connectivity=1)
    marked = np.unique(blobs[markers > 0])
    lost = np.where(np.isin(blobs, marked), 0, blobs)
    return np.where(lost > 0, lost + markers.max(), markers)


def _without_specks(numbers: Instances, least_px: int) -> Instances:
    counted = np.bincount(numbers.ravel())
    return np.where(counted[numbers] >= least_px, numbers, 0)

"""Which patches to have labeled first: the ones nearest to the centers of k-means clusters (NuDiff, section 3.1).

The paper takes features of a network trained on ImageNet, which nobody here may download; these describe color, stain amounts
and texture at three scales, which is what H&E patches differ in.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.cluster.vq import kmeans2

from medsynth_core.engines.nuclei.tiles import Tile
from medsynth_core.errors import ParameterError

SCALES_PX = (1.0, 3.0, 9.0)
LEAST_PERCENT, ALL_PERCENT = 1, 100


def chosen(tiles: tuple[Tile, ...], percent: int, seed: int = 0) -> tuple[Tile, ...]:
    """Return `percent` of the patches, in their order: the same for the same tiles and seed. 100 keeps all.

    Raises ParameterError for a percentage out of range.
    """
    if not LEAST_PERCENT <= percent <= ALL_PERCENT:
        raise ParameterError(f"label percent is {percent}: it must lie between {LEAST_PERCENT} and {ALL_PERCENT}")
    count = max(1, round(len(tiles) * percent / 100))
    if count >= len(tiles):
        return tiles
    features = np.stack([features_of(tile.image) for tile in tiles])
    features = (features - features.mean(axis=0)) / np.maximum(features.std(axis=0), 1e-6)
    centers, _ = kmeans2(features, count, minit="++", seed=seed, missing="warn")
    return tuple(tiles[i] for i in sorted(_nearest(features, centers)))


def features_of(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    """Return what an image (3, y, x) looks like: mean, spread and percentiles of each color, and its contrast at three scales."""
    channels_last = np.ascontiguousarray(np.moveaxis(image, 0, -1))  # sums in another order end in another digit: another choice
    pixels = np.moveaxis(channels_last, -1, 0).astype(np.float64)
    flat = pixels.reshape(3, -1)
    grey = pixels.mean(axis=0)
    smooth = [ndimage.gaussian_filter(grey, scale) for scale in SCALES_PX]
    contrast = [float((a - b).std()) for a, b in zip([grey, *smooth], smooth, strict=False)]
    return np.concatenate([flat.mean(axis=1), flat.std(axis=1), np.percentile(flat, (5, 25, 75, 95), axis=1).ravel(), contrast])


def _nearest(features: npt.NDArray[np.float64], centers: npt.NDArray[np.float64]) -> list[int]:
    """Return one row for each center, no row twice: the nearest that is left."""
    distances = np.linalg.norm(features[:, None] - centers[None], axis=2)
    taken: list[int] = []
    for column in distances.T:
        column = column.copy()
        column[taken] = np.inf
        taken.append(int(np.argmin(column)))
    return taken

"""One mask of one plane: windows cut, refined together, blended back. A band round the given boundary is all that may change."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from medsynth_core.engines.refine.batches import DISTANCE_PX
from medsynth_core.engines.refine.coarse_masks import signed_distance
from medsynth_core.engines.refine.model import Refiner
from medsynth_core.engines.refine.windows import Square, squares_over

BATCH = 8
Plane = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Walk:
    """How to refine: evaluations a run, runs, process, and how many pixels the boundary may move."""

    steps: int
    samples: int
    process: str
    reach_px: float


@dataclass(frozen=True)
class Refined:
    """The probability of the fine mask (y, x), and where it may be changed (y, x); outside, it is the given mask."""

    probability: Plane
    band: Mask


def refine_mask(model: Refiner, image: Plane, mask: Mask, walk: Walk, seed: int) -> Refined:
    """Return the mean probability over the runs. image: (3, y, x) in [−1, 1]; mask: (y, x)."""
    squares = squares_over(mask)
    distance = signed_distance(mask)
    total, weights = np.zeros(mask.shape, np.float32), np.zeros(mask.shape, np.float32)
    for start in range(0, len(squares), BATCH):
        part = squares[start : start + BATCH]
        for square, p in zip(part, _probabilities(model, image, distance, part, walk, seed + start), strict=True):
            _blend(total, weights, square, p)
    seen = weights > 0
    band = seen & (np.abs(distance) <= walk.reach_px)
    probability = np.where(band, total / np.where(seen, weights, 1), mask).astype(np.float32)
    return Refined(probability, band)


def _probabilities(model: Refiner, image: Plane, distance: Plane, squares: list[Square], walk: Walk, seed: int) -> list[Tensor]:
    """Return the mean probability (side, side) of each window; each run begins with another view of it."""
    pixels = model.pixels
    images = torch.cat([_cut(image, square, pixels) for square in squares])
    distances = torch.cat([_cut(distance[None], s, pixels) * (pixels / s.side) for s in squares]) / DISTANCE_PX
    distances = distances.clamp(-1, 1)
    mean = torch.zeros_like(distances)
    for i in range(walk.samples):
        chance = seed + 1_000_003 * i
        mean += model.probability(images, distances, walk.steps, walk.process, chance, way=i * walk.steps) / walk.samples
    return [_resized(p[None], square.side)[0, 0] for p, square in zip(mean, squares, strict=True)]


def _cut(array: Plane, square: Square, pixels: int) -> Tensor:
    """Return a window of an array (C, y, x) as (1, C, pixels, pixels); beyond the rim the edge repeats."""
    rows = np.clip(np.arange(square.y, square.y + square.side), 0, array.shape[1] - 1)
    columns = np.clip(np.arange(square.x, square.x + square.side), 0, array.shape[2] - 1)
    return _resized(torch.from_numpy(array[:, rows[:, None], columns[None, :]])[None].float(), pixels)


def _resized(window: Tensor, side: int) -> Tensor:
    return functional.interpolate(window, size=(side, side), mode="bilinear", antialias=True, align_corners=False)


def _blend(total: Plane, weights: Plane, square: Square, p: Tensor) -> None:
    """Add a window to the sums, most in its middle; a window that looks more closely counts more."""
    rise = np.sin(np.pi * (np.arange(square.side) + 0.5) / square.side) ** 2 + 1e-3
    weight = (rise[:, None] * rise[None, :] / square.side).astype(np.float32)
    y, x = max(0, square.y), max(0, square.x)
    stop = min(total.shape[0], square.y + square.side), min(total.shape[1], square.x + square.side)
    here = slice(y, stop[0]), slice(x, stop[1])
    there = slice(y - square.y, stop[0] - square.y), slice(x - square.x, stop[1] - square.x)
    total[here] += weight[there] * p.numpy()[there]
    weights[here] += weight[there]

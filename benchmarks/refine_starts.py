"""Coarse masks to start from, at a wanted quality: by the generator that training uses, and by one that no training has seen.

The unseen one has three kinds, each a way of going wrong that grows with s from 0 (the truth) to 1:

    brushed      corners set by an unsteady hand along the outline, joined by strokes of a thick round brush
    thresholded  within reach of the outline, whatever a wrong threshold of the blurred image says
    warped       the whole shape under an elastic deformation

and s is found by bisection, so that the IoU with the truth is the one asked for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from skimage.draw import polygon
from skimage.measure import find_contours

from medsynth_core.engines.refine.coarse_masks import coarsen
from medsynth_core.strength import object_width_px

Image = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]
Badness = Callable[[float], Mask]

QUALITIES = {"rough": (0.6, 0.8), "mid": (0.8, 0.9), "strong": (0.92, 0.98)}
"""Name → range of the IoU with the truth."""

SEEN, UNSEEN = "as trained", "unseen"
TRIES = 12
BISECTIONS = 9


@dataclass(frozen=True)
class Start:
    """A mask to start from (y, x), its quality, and the family of generators it comes from."""

    mask: Mask
    quality: str
    family: str


def starts(image: Image, truth: Mask, seed: int) -> list[Start]:
    """Return one start of each quality and family, where one could be made. image: (3, y, x)."""
    found = [(q, f, start_of(image, truth, q, f, np.random.default_rng((seed, i)))) for i, (q, f) in enumerate(_cells())]
    return [Start(mask, quality, family) for quality, family, mask in found if mask is not None]


def start_of(image: Image, truth: Mask, quality: str, family: str, rng: np.random.Generator) -> Mask | None:
    """Return a coarse mask whose IoU with the truth lies in the range of the quality; None when twelve tries failed."""
    low, high = QUALITIES[quality]
    for _ in range(TRIES):
        wanted = float(rng.uniform(low, high))
        if family == SEEN:
            mask = _coarsened(truth, rng, wanted)
        else:
            kind = UNSEEN_KINDS[list(UNSEEN_KINDS)[rng.integers(len(UNSEEN_KINDS))]]
            mask = _at_iou(truth, kind(image, truth, rng), wanted)
        if low <= iou(mask, truth) <= high:
            return mask
    return None


def iou(a: Mask, b: Mask) -> float:
    """Return the IoU of two masks, 1 for two empty ones."""
    either = int((a | b).sum())
    return int((a & b).sum()) / either if either else 1.0


def brushed(image: Image, truth: Mask, rng: np.random.Generator) -> Badness:
    """Corners beside the outline, joined by thick strokes and filled."""
    width = object_width_px(truth)
    contours = [c[_corners(c, float(rng.uniform(0.1, 0.4)) * width)] - 1 for c in find_contours(np.pad(truth, 1), 0.5)]
    # a hand strays for a while, not at every corner anew
    shifts = [ndimage.gaussian_filter1d(rng.standard_normal(c.shape), 1.0, axis=0, mode="wrap") for c in contours]
    outward = float(rng.uniform(-0.3, 0.6))

    def at(s: float) -> Mask:
        filled = np.zeros(truth.shape, bool)
        for corners, shift in zip(contours, shifts, strict=True):
            rows, columns = polygon(*(corners + 0.5 * s * width * shift).T, truth.shape)
            filled[rows, columns] ^= True
        return _grown(filled, outward * s * width / 2)

    return at


def thresholded(image: Image, truth: Mask, rng: np.random.Generator) -> Badness:
    """Within s · w of the outline, what is nearer to the inside's color than to the outside's, by a threshold that is off."""
    width, distance = object_width_px(truth), _signed_distance(truth)
    soft = ndimage.gaussian_filter(image.astype(np.float32), (0, *(float(rng.uniform(0.5, 3)),) * 2))
    inside, outside = truth, (distance < 0) & (distance > -max(4.0, width / 2))
    direction = soft[:, inside].mean(axis=1) - soft[:, outside if outside.any() else ~truth].mean(axis=1)
    score = np.tensordot(direction, soft, axes=1)
    means = score[inside].mean(), score[outside if outside.any() else ~truth].mean()
    level = means[1] + float(rng.uniform(0.2, 0.8)) * (means[0] - means[1])

    def at(s: float) -> Mask:
        reach = s * width
        return np.where(np.abs(distance) <= reach, score > level, truth)

    return at


def warped(image: Image, truth: Mask, rng: np.random.Generator) -> Badness:
    """The shape under a smooth field of displacements, up to the width of the object."""
    width = max(4.0, object_width_px(truth))
    sigma = float(rng.uniform(0.25, 0.8)) * width
    fields = ndimage.gaussian_filter(rng.standard_normal((2, *truth.shape)).astype(np.float32), (0, sigma, sigma), mode="reflect")
    fields /= max(float(fields.std()), 1e-9)
    grid = np.mgrid[: truth.shape[0], : truth.shape[1]].astype(np.float32)
    source = truth.astype(np.float32)

    def at(s: float) -> Mask:
        return ndimage.map_coordinates(source, grid + s * width * fields, order=1, mode="nearest") > 0.5

    return at


UNSEEN_KINDS: dict[str, Callable[[Image, Mask, np.random.Generator], Badness]] = {
    "brushed": brushed,
    "thresholded": thresholded,
    "warped": warped,
}


def _coarsened(truth: Mask, rng: np.random.Generator, wanted: float) -> Mask:
    """Return the training generator's mask, made as in training in a window round the object: specks stay near it."""
    margin = max(8, round(object_width_px(truth) / 2))
    (box,) = ndimage.find_objects(truth.astype(np.uint8))
    window = tuple(slice(max(0, s.start - margin), s.stop + margin) for s in box)
    mask = np.zeros_like(truth)
    mask[window] = coarsen(truth[window], rng, wanted)
    return mask


def _cells() -> list[tuple[str, str]]:
    return [(quality, family) for quality in QUALITIES for family in (SEEN, UNSEEN)]


def _at_iou(truth: Mask, at: Badness, wanted: float) -> Mask:
    low, high = 0.0, 1.0
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        if iou(at(middle), truth) > wanted:
            low = middle
        else:
            high = middle
    return at(low)


def _corners(contour: npt.NDArray[np.float64], spacing: float) -> npt.NDArray[np.intp]:
    count = max(4, round(len(contour) / max(spacing, 1.0)))
    return np.linspace(0, len(contour) - 1, count).round().astype(int)


def _grown(mask: Mask, by_px: float) -> Mask:
    return _signed_distance(mask) > -by_px if mask.any() and not mask.all() else mask


def _signed_distance(mask: Mask) -> npt.NDArray[np.float64]:
    inside, outside = ndimage.distance_transform_edt(mask), ndimage.distance_transform_edt(~mask)
    return np.where(mask, inside - 0.5, 0.5 - outside)

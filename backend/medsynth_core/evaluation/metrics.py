"""The figures: overlap of masks and distance between sets of images.

    Dice(a, b)  = 2·|a ∩ b| / (|a| + |b|)
    IoU_d(a, b) = |a_d ∩ b_d| / |a_d ∪ b_d|,  a_d = pixels of a within d of its edge     (Cheng et al. 2021, arXiv 2103.16562)
    KID(x, y)   = mean k(x, x') + mean k(y, y') − 2·mean k(x, y),  x ≠ x', y ≠ y'         (Bińkowski et al. 2018, eq. 4)
    k(x, y)     = (x·y / dimension + 1)³

KID is unbiased: between two halves of one set it is zero on average, and may be slightly negative.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from skimage.morphology import disk, erosion

from medsynth_core.errors import InputError, ShapeError

Masks = npt.NDArray[np.generic]
Features = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """A figure with the standard deviation over its subsets."""

    mean: float
    sd: float


def dice(predicted: Masks, truth: Masks) -> npt.NDArray[np.float64]:
    """Return the Dice of each mask pair, (n,); (n, y, x), nonzero is foreground. Two empty masks agree: 1."""
    a, b = _foregrounds(predicted, truth)
    both = (a & b).sum(axis=(1, 2))
    total = a.sum(axis=(1, 2)) + b.sum(axis=(1, 2))
    return np.where(total > 0, 2 * both / np.maximum(total, 1), 1.0)


def label_dice(predicted: Masks, truth: Masks) -> npt.NDArray[np.float64]:
    """Return for each mask pair the mean Dice over the labels its truth holds, background aside, (n,)."""
    _same_shape(predicted, truth)
    labels = [int(value) for value in np.unique(truth) if value]
    scores = np.array([dice(predicted == value, truth == value) for value in labels])  # (labels, n)
    there = np.array([(truth == value).any(axis=(1, 2)) for value in labels])
    if not labels or not there.any(axis=0).all():
        raise InputError("a mask is empty: Dice by label needs a foreground pixel in each")
    return (scores * there).sum(axis=0) / there.sum(axis=0)


def boundary_iou(predicted: Masks, truth: Masks, width_px: int = 2) -> npt.NDArray[np.float64]:
    """Return the boundary IoU of each mask pair, (n,), for a band `width_px` wide inside the edges. Two empty bands: 1."""
    a, b = _foregrounds(predicted, truth)
    band_a, band_b = _bands(a, width_px), _bands(b, width_px)
    both, either = (band_a & band_b).sum(axis=(1, 2)), (band_a | band_b).sum(axis=(1, 2))
    return np.where(either > 0, both / np.maximum(either, 1), 1.0)


def standard_width_px(size: tuple[int, int]) -> int:
    """Return the band width of the published boundary IoU for images of `size` (y, x): 2 % of the diagonal, 1 at least.

    7 pixels at 256². Beware of small objects: where the band fills them (nuclei), boundary IoU becomes plain IoU, and a narrow
    width says more. Source: Cheng et al. 2021, section 5.
    """
    return max(1, round(0.02 * float(np.hypot(*size))))


def kid(a: Features, b: Features, subsets: int = 100, subset_size: int = 64, seed: int = 0) -> Estimate:
    """Return KID between features (n, d) and (m, d): mean and standard deviation over random subsets.

    Subsets are drawn without replacement, never larger than the smaller set. Raises ShapeError when the features differ in
    length, InputError when a set has fewer than two items.
    """
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1]:
        raise ShapeError(f"features are {a.shape} and {b.shape}: both must be (items, length) of one length")
    size = min(subset_size, len(a), len(b))
    if size < 2:
        raise InputError(f"KID needs two items in each set, these hold {len(a)} and {len(b)}")
    rng = np.random.default_rng(seed)
    values = [_mmd(_draw(a, size, rng), _draw(b, size, rng)) for _ in range(subsets)]
    return Estimate(float(np.mean(values)), float(np.std(values)))


def split_half_kid(features: Features, subset_size: int = 64, repeats: int = 20, seed: int = 0) -> Estimate:
    """Return KID between random halves of one set: the floor under which no generator can be told from the real images."""
    rng = np.random.default_rng(seed)
    orders = [rng.permutation(len(features)) for _ in range(repeats)]
    middle = len(features) // 2
    halves = [(features[order[:middle]], features[order[middle:]]) for order in orders]
    values = [kid(a, b, subsets=5, subset_size=subset_size, seed=seed + i).mean for i, (a, b) in enumerate(halves)]
    return Estimate(float(np.mean(values)), float(np.std(values)))


def _mmd(x: Features, y: Features) -> float:
    n = len(x)
    within = _kernel(x, x), _kernel(y, y)
    off_diagonal = sum(k.sum() - np.trace(k) for k in within) / (n * (n - 1))
    return float(off_diagonal - 2 * _kernel(x, y).mean())


def _kernel(x: Features, y: Features) -> Features:
    return (x @ y.T / x.shape[1] + 1) ** 3


def _draw(features: Features, size: int, rng: np.random.Generator) -> Features:
    return features[rng.choice(len(features), size, replace=False)].astype(np.float64)


def _bands(masks: npt.NDArray[np.bool_], width_px: int) -> npt.NDArray[np.bool_]:
    ball = disk(width_px)
    # outside the picture counts as background, so that a lesion cut by the frame has an edge there
    padded = np.pad(masks, ((0, 0), (width_px, width_px), (width_px, width_px)))
    inner = np.stack([erosion(mask, ball) for mask in padded])
    return masks & ~inner[:, width_px:-width_px, width_px:-width_px]


def _foregrounds(predicted: Masks, truth: Masks) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    _same_shape(predicted, truth)
    return predicted != 0, truth != 0


def _same_shape(predicted: Masks, truth: Masks) -> None:
    if predicted.shape != truth.shape or truth.ndim != 3:
        raise ShapeError(f"masks are {predicted.shape} and {truth.shape}: both must be (n, y, x) of one shape")

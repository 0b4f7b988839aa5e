"""Does a stack of slices hang together as a real one does? Too rough and too smooth both count: each figure stands beside real.

    step of a gap     mean |I[z+1] − I[z]| inside the head
    W1                Σ |CDF_a − CDF_b| of the histograms of |I[z+1] − I[z]| inside the head, in grey levels of 255
    roughness         log( mean (I[z−1] − 2 I[z] + I[z+1])² / mean of the same in the plane, at the same distance in mm )
    seam              residual of a gap: log step − mean log step of the gaps beside it;
                      z = (mean residual at slab borders − mean elsewhere) / standard deviation elsewhere
    parts             pieces of the mask in 3-D, 26 neighbors

Compare stacks of one slice distance only: thicker slices differ more. Source: methods.md, 3.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from medsynth_core.errors import InputError, ShapeError

FOREGROUND = 20
"""Grey levels above which a voxel counts as head: 8 % of the full scale."""
LEVELS = 256
HALVES = 50
LEAST_VOXELS = 16
"""A gap with fewer voxels of head in both slices says nothing."""
Histogram = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Stack:
    """An image (z, y, x) uint8 with its mask (z, y, x) and spacing (z, y, x) in mm; all of one field of view and scale."""

    image: npt.NDArray[np.uint8]
    mask: npt.NDArray[np.bool_]
    spacing_mm: tuple[float, float, float]

    def __post_init__(self) -> None:
        if self.image.ndim != 3 or self.image.shape != self.mask.shape or len(self.image) < 3:
            raise ShapeError(f"image is {self.image.shape}, mask {self.mask.shape}: both must be (z, y, x) with 3 slices or more")


def head(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    """Return where the head is, (z, y, x): above the ground, holes of each slice filled."""
    return np.stack([ndimage.binary_fill_holes(plane > FOREGROUND) for plane in image])


def step_histogram(stack: Stack) -> Histogram:
    """Return the shares (256,) of |I[z+1] − I[z]| where both slices are head. Raises InputError where there is no head."""
    inside = head(stack.image)
    both = inside[1:] & inside[:-1]
    if both.sum() < LEAST_VOXELS:
        raise InputError("the stack shows no head: nothing lies above the ground in two slices that follow each other")
    apart = np.abs(np.diff(stack.image.astype(np.int16), axis=0))[both]
    return np.bincount(apart, minlength=LEVELS) / len(apart)


def pooled(stacks: Sequence[Stack]) -> Histogram:
    """Return the mean step histogram: every stack counts the same, however many slices it has."""
    return np.mean([step_histogram(stack) for stack in stacks], axis=0)


def wasserstein(a: Histogram, b: Histogram) -> float:
    """Return W1 of two histograms (256,) of shares, in grey levels."""
    return float(np.abs(np.cumsum(a - b)).sum())


def split_half(stacks: Sequence[Stack], seed: int = 0) -> float:
    """Return W1 between random halves of the stacks, mean of 50 splits: the floor. Raises InputError for fewer than two.

    Of every two stacks that are next to each other in slice distance one goes to either half, or else the halves would differ
    by their distances; of an odd number the last one joins either.
    """
    if len(stacks) < 2:
        raise InputError("one stack has no halves to compare: give two at least")
    ranked = sorted(stacks, key=lambda stack: stack.spacing_mm[0])
    histograms = np.array([step_histogram(stack) for stack in ranked])
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(HALVES):
        sides = (np.arange(len(ranked)) + np.repeat(rng.integers(0, 2, (len(ranked) + 1) // 2), 2)[: len(ranked)]) % 2 == 0
        found.append(wasserstein(histograms[sides].mean(axis=0), histograms[~sides].mean(axis=0)))
    return float(np.mean(found))


def roughness(stack: Stack) -> float:
    """Return the log of high-frequency power along z over that in the plane; 0: alike. Raises InputError where there is no head.

    The second difference is a high pass. In the plane it spans as many pixels as come nearest to the slice distance, so that
    both look at structures of one size.
    """
    image, inside = stack.image.astype(np.float32), head(stack.image)
    along = _second_power(image, inside, 0, 1)
    across = [_second_power(image, inside, i, max(1, round(stack.spacing_mm[0] / stack.spacing_mm[i]))) for i in (1, 2)]
    if not along or not all(across):
        raise InputError("the stack shows no structure inside a head along one of its axes: its roughness has no meaning")
    return float(np.log(along / np.mean(across)))


def gap_steps(stack: Stack) -> npt.NDArray[np.float64]:
    """Return the step of each gap (z − 1,); NaN where the head is not in both slices."""
    inside = head(stack.image)
    apart = np.abs(np.diff(stack.image.astype(np.float32), axis=0))
    both = inside[1:] & inside[:-1]
    counts = both.sum(axis=(1, 2))
    sums = (apart * both).sum(axis=(1, 2))
    return np.where(counts >= LEAST_VOXELS, sums / np.maximum(counts, 1), np.nan)


def residuals(steps: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the residual of each gap (n,): how much it stands out from the two beside it, in log. NaN at the ends."""
    logs = np.log(np.maximum(steps, 1e-3))
    found = np.full(len(steps), np.nan)
    found[1:-1] = logs[1:-1] - (logs[:-2] + logs[2:]) / 2
    return found


def seam_z(stacks: Sequence[Stack], borders: Sequence[Collection[int]]) -> float:
    """Return by how many standard deviations the gaps at slab borders stand out; gap g lies between slices g and g + 1.

    NaN where there is no gap of one of both kinds.
    """
    at: list[float] = []
    elsewhere: list[float] = []
    for stack, where in zip(stacks, borders, strict=True):
        for gap, value in enumerate(residuals(gap_steps(stack))):
            if np.isfinite(value):
                (at if gap in where else elsewhere).append(value)
    return z_score(at, elsewhere)


def excess_z(stacks: Sequence[Stack], real: Sequence[Stack]) -> float:
    """Return the same for stacks that have no gap without a border: every gap, beside that of the real stack of its place.

    stacks[i] and real[i] have one number of slices. The deviation is that of real residuals.
    """
    excess: list[float] = []
    usual: list[float] = []
    for stack, other in zip(stacks, real, strict=True):
        mine, theirs = gap_steps(stack), gap_steps(other)
        if len(mine) != len(theirs):
            raise ShapeError(f"stacks have {len(mine) + 1} and {len(theirs) + 1} slices: gaps are compared place by place")
        excess += list(np.log(np.maximum(mine, 1e-3)) - np.log(np.maximum(theirs, 1e-3)))
        usual += list(residuals(theirs))
    spread = float(np.nanstd(usual))
    return float(np.nanmean(excess)) / spread if spread > 0 else float("nan")


def z_score(at: Sequence[float], elsewhere: Sequence[float]) -> float:
    """Return (mean at − mean elsewhere) / standard deviation elsewhere; NaN where it has none."""
    if not at or len(elsewhere) < 2 or np.std(elsewhere) == 0:
        return float("nan")
    return float((np.mean(at) - np.mean(elsewhere)) / np.std(elsewhere))


def parts(mask: npt.NDArray[np.bool_]) -> int:
    """Return in how many pieces a mask (z, y, x) lies, 26 neighbors."""
    return int(ndimage.label(mask, np.ones((3, 3, 3)))[1])


def coronal(stack: Stack, rows: int, every: int = 3) -> npt.NDArray[np.uint8]:
    """Return coronal planes (n, 1, rows, x) that show head, square pixels, the stack in the middle; every third one.

    Between slices is interpolated linearly, as viewers do: jumps stay to be seen.
    """
    ratio = stack.spacing_mm[0] / stack.spacing_mm[2]
    tall = min(rows, round(len(stack.image) * ratio))
    at = np.clip((np.arange(tall) + 0.5) * len(stack.image) / tall - 0.5, 0, len(stack.image) - 1)
    low = np.minimum(at.astype(int), len(stack.image) - 2)
    share = (at - low)[:, None, None]
    image = stack.image.astype(np.float32)
    fine = (1 - share) * image[low] + share * image[low + 1]  # (tall, y, x)
    planes = np.zeros((stack.image.shape[1], 1, rows, stack.image.shape[2]), np.uint8)
    first = (rows - tall) // 2
    planes[:, 0, first : first + tall] = fine.transpose(1, 0, 2).round().astype(np.uint8)
    return showing(planes)[::every]


def axial(stack: Stack) -> npt.NDArray[np.uint8]:
    """Return the slices (n, 1, y, x) that show head."""
    return showing(stack.image[:, None])


def showing(planes: npt.NDArray[np.uint8], least: float = 0.05) -> npt.NDArray[np.uint8]:
    """Return the planes (n, 1, y, x) of which at least 5 % lies above the ground."""
    return planes[(planes > FOREGROUND).mean(axis=(1, 2, 3)) >= least]


def mean_of(figure: Callable[[Stack], float], stacks: Sequence[Stack]) -> float:
    """Return a figure's mean over stacks."""
    return float(np.mean([figure(stack) for stack in stacks]))


def _second_power(image: npt.NDArray[np.float32], inside: npt.NDArray[np.bool_], axis: int, step: int) -> float:
    """Return the mean square of the second difference over `step` voxels along an axis, all three voxels inside."""
    if image.shape[axis] <= 2 * step:
        return 0.0
    below, middle, above = (_part(axis, a, b) for a, b in ((0, -2 * step), (step, -step), (2 * step, None)))
    there = inside[below] & inside[middle] & inside[above]
    if there.sum() < LEAST_VOXELS:
        return 0.0
    second = image[below] - 2 * image[middle] + image[above]
    return float(np.mean(second[there] ** 2))


def _part(axis: int, start: int, stop: int | None) -> tuple[slice, ...]:
    return tuple(slice(start, stop) if i == axis else slice(None) for i in range(3))

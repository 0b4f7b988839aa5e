"""A volume as planes along one axis, and all labels of a plane refined together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from medsynth_core.engines.refine.model import Refiner
from medsynth_core.engines.refine.plane import Walk, refine_mask
from medsynth_core.imaging.postprocess import Postprocessing
from medsynth_core.strength import reach_px

AXES = {"z": 0, "y": 1, "x": 2}
"""Axes of a label volume (z, y, x)."""
MARGIN_PX = 32
"""What a label is shown of its surroundings at least."""
LEAST_DICE = 0.6
"""A refinement with less overlap than this has left its input: it is not given."""
AGREEING = (0.9, 0.96)
CAUTION = 0.15
"""Chosen on the tuning side of the split."""
Labels = npt.NDArray[np.generic]


@dataclass(frozen=True)
class Manner:
    """How every plane is refined."""

    steps: int
    samples: int
    process: str
    strength: str
    post: Postprocessing


@dataclass(frozen=True)
class Result:
    """labels (y, x) of the input's type; uncertainty (y, x) uint8; which labels were refined, and which kept as they were."""

    labels: Labels
    uncertainty: npt.NDArray[np.uint8]
    refined: tuple[int, ...]
    kept: tuple[int, ...]


def neighbors(image: npt.NDArray[np.float32], axis: int, i: int) -> npt.NDArray[np.float32]:
    """Return plane i along an array axis as the network takes it, (3, y, x): colors, or the planes before, at and after."""
    if len(image) == 3:
        return np.take(image, i, axis=axis)
    around = np.clip([i - 1, i, i + 1], 0, image.shape[axis] - 1)
    return np.moveaxis(np.take(image[0], around, axis=axis - 1), axis - 1, 0)


def refine_plane(
    model: Refiner, image: npt.NDArray[np.float32], labels: Labels, locked: npt.NDArray[np.bool_], manner: Manner, seed: int
) -> Result:
    """Return all labels of a plane refined. image: (3, y, x) in [−1, 1]; labels, locked: (y, x).

    A pixel takes the label that claims it most, background if none reaches one half. Locked pixels, and a label that would leave
    its input, stay as they were.
    """
    made, best = np.zeros_like(labels), np.full(labels.shape, 0.5, np.float32)
    uncertainty = np.zeros(labels.shape, np.float32)
    refined, kept = [], []
    for value in (int(v) for v in np.unique(labels) if v):
        mask, window = _alone(labels == value)
        walk = Walk(manner.steps, manner.samples, manner.process, reach_px(mask, manner.strength))
        result = refine_mask(model, image[(slice(None), *window)], mask, walk, seed + value)
        p = cautious(result.probability, mask)
        fine = np.where(locked[window], mask, p > 0.5)
        if _dice(fine, mask) < LEAST_DICE:
            kept.append(value)
            p = mask.astype(np.float32)
        else:
            refined.append(value)
            unsure = np.where(result.band & ~locked[window], 1 - np.abs(2 * result.probability - 1), 0)
            np.maximum(uncertainty[window], unsure, out=uncertainty[window])
        claims = p > best[window]
        made[window][claims] = value
        best[window][claims] = p[claims]
    made = np.where(locked, labels, manner.post.apply(made)).astype(labels.dtype)
    return Result(made, (uncertainty * 255).round().astype(np.uint8), tuple(refined), tuple(kept))


def cautious(p: npt.NDArray[np.float32], mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.float32]:
    """Return probabilities (y, x) drawn towards the given mask by as much as the two agree already: do no harm.

    Where the network would change little, the mask was good, and a change that is hardly likelier than not does as much harm as
    good: beside a mask of IoU 0.96 or more with the network's, a pixel changes at 0.65 instead of 0.5.
    """
    fine = p > 0.5
    either = int((fine | mask).sum())
    agreement = int((fine & mask).sum()) / either if either else 1.0
    rise = min(1.0, max(0.0, (agreement - AGREEING[0]) / (AGREEING[1] - AGREEING[0]))) * CAUTION
    return p + np.where(mask, np.float32(rise), np.float32(-rise))


def _alone(mask: npt.NDArray[np.bool_]) -> tuple[npt.NDArray[np.bool_], tuple[slice, slice]]:
    """Return the part of the plane that matters to one label, and where it lies: its box and half as much around."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    margin = MARGIN_PX + max(np.ptp(rows), np.ptp(columns))
    window = (
        slice(max(0, int(rows[0] - margin)), int(rows[-1] + margin + 1)),
        slice(max(0, int(columns[0] - margin)), int(columns[-1] + margin + 1)),
    )
    return mask[window], window


def _dice(a: npt.NDArray[np.bool_], b: npt.NDArray[np.bool_]) -> float:
    total = int(a.sum()) + int(b.sum())
    return 2 * int((a & b).sum()) / total if total else 1.0

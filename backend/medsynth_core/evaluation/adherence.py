"""Mask adherence: does a segmenter that knows only real images find the lesion where the mask says it is?

    adherence = Dice(segment(G(m)), m) / Dice(segment(x), m)     x the real image of mask m, G the generator

1 means synthetic lesions are found as well as real ones. A value above 1 is possible: a generator may draw easier lesions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from medsynth_core.errors import ShapeError
from medsynth_core.evaluation.generator import Images, Masks, Pairs
from medsynth_core.evaluation.metrics import label_dice


@dataclass(frozen=True)
class Adherence:
    """Mean Dice on real and on synthetic images, over all masks and over the third with the smallest lesions."""

    real: float
    synthetic: float
    real_small: float
    synthetic_small: float

    @property
    def ratio(self) -> float:
        """Adherence over all masks; NaN if the segmenter finds nothing in real images either."""
        return _ratio(self.synthetic, self.real)

    @property
    def ratio_small(self) -> float:
        """Adherence over the smallest third."""
        return _ratio(self.synthetic_small, self.real_small)


def adherence(segment: Callable[[Images], Masks], real: Pairs, synthetic: Images) -> Adherence:
    """Return the adherence of `synthetic` (n, c, y, x), made from the masks of `real` in their order."""
    if synthetic.shape != real.images.shape:
        raise ShapeError(f"synthetic images are {synthetic.shape}, real ones {real.images.shape}: one for each mask")
    on_real, on_synthetic = (label_dice(segment(images), real.masks) for images in (real.images, synthetic))
    small = smallest_third(real.masks)
    means = (scores.mean() for scores in (on_real, on_synthetic, on_real[small], on_synthetic[small]))
    return Adherence(*(float(mean) for mean in means))


def smallest_third(masks: Masks) -> np.ndarray:
    """Return the indices of the third of the masks (at least one) with the fewest foreground pixels."""
    areas = (masks != 0).sum(axis=(1, 2))
    return np.argsort(areas, kind="stable")[: max(1, len(masks) // 3)]


def _ratio(synthetic: float, real: float) -> float:
    return synthetic / real if real > 0 else float("nan")

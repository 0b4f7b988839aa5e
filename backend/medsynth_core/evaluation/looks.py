"""A result, or a real image with its labels, as a judge of results sees it: the same for pictures, tiles and volumes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from medsynth_core.evaluation.copies import SIDE
from medsynth_core.evaluation.generator import Images, Masks
from medsynth_core.evaluation.tensors import image_array, image_tensor

MOST_SIDE = 128
"""Larger pictures are shrunk: a judge is small, and so is what it looks at."""
DARK, BRIGHT = 1, 99
Picture = npt.NDArray[np.uint8]
Range = tuple[float, float]


@dataclass(frozen=True, eq=False)
class Look:
    """`pictures` (n, c, y, x) with `labels` (n, y, x) are shown to the segmenter; `small` (k, c', 64, 64) are searched for.

    Where a part is not to be measured it is empty: labels of 0 alone, or no small picture.
    """

    pictures: Images
    labels: Masks
    small: Images

    @property
    def range(self) -> Range:
        """The 1st and the 99th percentile of the grey levels."""
        dark, bright = np.percentile(self.pictures, (DARK, BRIGHT))
        return float(dark), float(bright)


def at_most(pictures: Images, side: int = MOST_SIDE) -> Images:
    """Return pictures (n, c, y, x) of at most `side`² pixels: means of the pixels."""
    size = tuple(min(side, n) for n in pictures.shape[2:])
    return pictures if size == pictures.shape[2:] else _resized(pictures, size)


def small_of(pictures: Images) -> Images:
    """Return pictures (n, c, y, x) as they are searched for, (n, c, 64, 64)."""
    return _resized(pictures, (SIDE, SIDE))


def labels_at_most(labels: Masks, side: int = MOST_SIDE) -> Masks:
    """Return labels (n, y, x) on the grid of `at_most`: each pixel the label that it shows most of."""
    size = tuple(min(side, n) for n in labels.shape[1:])
    if size == labels.shape[1:]:
        return labels
    values = np.unique(labels)
    shares = torch.stack([torch.from_numpy((labels == value).astype(np.float32)) for value in values], dim=1)
    most = functional.interpolate(shares, size, mode="area").argmax(dim=1).numpy()
    return values[most].astype(np.uint8)


def _resized(pictures: Images, size: tuple[int, ...]) -> Images:
    return image_array(functional.interpolate(image_tensor(pictures), size, mode="area"))

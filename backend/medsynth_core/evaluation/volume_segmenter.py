"""Volumes for the segmenter of slices, and back: each slice with its neighbors as channels, Dice over the whole volume.

A tumor's outline in one slice is often only clear beside the next ones, so the judge sees three.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import numpy.typing as npt

from medsynth_core.errors import InputError, ShapeError
from medsynth_core.evaluation.generator import Images, Masks, Pairs

Grey = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]


def with_neighbors(image: Grey) -> Images:
    """Return (z, 3, y, x): the slices below, at and above each slice of (z, y, x); the ends repeat."""
    padded = np.concatenate([image[:1], image, image[-1:]])
    return np.stack([padded[:-2], padded[1:-1], padded[2:]], axis=1)


def slice_pairs(volumes: Iterable[tuple[Grey, Mask]], seed: int = 0) -> Pairs:
    """Return what a segmenter learns from: every slice with tumor, and of each volume as many without, drawn by chance.

    Raises InputError when no volume holds a tumor.
    """
    rng = np.random.default_rng(seed)
    images, masks = [], []
    for image, mask in volumes:
        chosen = telling_slices(mask, rng)
        images.append(with_neighbors(image)[chosen])
        masks.append(mask[chosen].astype(np.uint8))
    if not masks or not any(mask.any() for mask in masks):
        raise InputError("no volume holds a tumor: there is nothing for a segmenter to learn")
    x, y = np.concatenate(images), np.concatenate(masks)
    return Pairs(x, y, np.zeros((len(x), 0), np.int64), labels=2)


def telling_slices(mask: npt.NDArray[np.generic], rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """Return the slices of a mask (z, y, x) that show something, and as many that do not, drawn by chance; one at least."""
    painted = mask.any(axis=(1, 2))
    bare = rng.permutation(np.flatnonzero(~painted))[: max(1, int(painted.sum()))]
    return np.sort(np.concatenate([np.flatnonzero(painted), bare]))


def volume_dice(found: Mask, truth: Mask) -> float:
    """Return the Dice of two masks (z, y, x) over all their voxels; two empty ones agree: 1."""
    if found.shape != truth.shape:
        raise ShapeError(f"masks are {found.shape} and {truth.shape}: they must match")
    total = int(found.sum()) + int(truth.sum())
    return 2 * int((found & truth).sum()) / total if total else 1.0


def volume_dices(segment: Callable[[Images], Masks], volumes: Sequence[tuple[Grey, Mask]]) -> npt.NDArray[np.float64]:
    """Return for each volume (image, mask) the Dice of what the segmenter finds in the image and the mask it came with."""
    return np.array([volume_dice(segment(with_neighbors(image)) > 0, mask) for image, mask in volumes])

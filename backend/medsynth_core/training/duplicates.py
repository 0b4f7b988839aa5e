"""Images that show the same thing twice: they must not end up on both sides of a split."""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt
from PIL import Image

from medsynth_core.training.pairs import Pair, grey_or_color

THUMBNAIL = 24
SAME_ABOVE = 0.97
"""Correlation of thumbnails from which two images count as one scene."""


def group_near_duplicates(pairs: tuple[Pair, ...], same_above: float = SAME_ABOVE) -> tuple[Pair, ...]:
    """Return the pairs with look-alikes in one group, named after the first of them by stem.

    For data without patient or sequence names. Likeness is the correlation of 24×24 grey thumbnails, and it carries over: a like
    b and b like c puts all three together.
    """
    thumbnails = np.stack([_thumbnail(pair) for pair in pairs])
    leader = np.arange(len(pairs))
    for i, j in np.argwhere(np.triu(thumbnails @ thumbnails.T > same_above, 1)):
        low, high = sorted((leader[i], leader[j]))
        leader[leader == high] = low
    return tuple(dataclasses.replace(pair, group=pairs[int(k)].stem) for pair, k in zip(pairs, leader, strict=True))


def _thumbnail(pair: Pair) -> npt.NDArray[np.float32]:
    picture = grey_or_color(pair.image).convert("L").resize((THUMBNAIL, THUMBNAIL), Image.Resampling.BOX)
    pixels = np.asarray(picture, dtype=np.float32).ravel()
    centered = pixels - pixels.mean()
    return centered / max(float(np.linalg.norm(centered)), 1e-6)

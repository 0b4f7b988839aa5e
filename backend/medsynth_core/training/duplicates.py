"""Images that show the same thing twice: they must not end up on both sides of a split."""

from __future__ import annotations

import dataclasses

import numpy as np

from medsynth_core.training.likeness import SAME_ABOVE, leaders, thumbnail_of
from medsynth_core.training.pairs import Pair, grey_or_color


def group_near_duplicates(pairs: tuple[Pair, ...], same_above: float = SAME_ABOVE) -> tuple[Pair, ...]:
    """Return the pairs with look-alikes in one group, named after the first of them by stem.

    For data without patient or sequence names. Likeness is the correlation of 24×24 grey thumbnails, as they are or one of them
    mirrored, and it carries over: a like b and b like c puts all three together.
    """
    if not pairs:
        return ()
    leader = leaders(np.stack([thumbnail_of(grey_or_color(pair.image)) for pair in pairs]), same_above)
    return tuple(dataclasses.replace(pair, group=pairs[int(k)].stem) for pair, k in zip(pairs, leader, strict=True))

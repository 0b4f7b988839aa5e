"""What can be said before a refinement about what is painted; each viewer checks its own layers or nodes beside this."""

from __future__ import annotations

import numpy as np

from medsynth_core.lamp import Lamp
from medsynth_core.preflight import Chip, Fix, check_values, distinct
from medsynth_core.protocol import ModelCard

MANY_LABELS = 20


def check_mask(mask: np.ndarray, whole: bool, card: ModelCard | None, drawable: bool = False) -> tuple[Chip, ...]:
    """Return the chips about what is painted in a mask, (y, x) or with `whole` a stack; `drawable`: a network can draw one."""
    share = np.count_nonzero(mask) / mask.size if mask.size else None
    return check_painted(distinct(mask), share, mask.shape, "stack" if whole else "slice", card, drawable)


def check_painted(
    values: np.ndarray,
    share: float | None,
    shape: tuple[int, ...],
    where: str,
    card: ModelCard | None,
    drawable: bool = False,
) -> tuple[Chip, ...]:
    """Return the chips about a mask of which the distinct values, the share painted (None if unknown) and the shape are known."""
    painted = [int(value) for value in values if value != 0]
    if not painted:
        detail = f"Nothing is painted in this {where}: paint roughly what you mean{', or let one be drawn' if drawable else ''}."
        return (Chip(Lamp.RED, "Mask is empty", detail, Fix.DRAW_MASK if drawable else Fix.NONE),)
    size = Chip(Lamp.GREEN, times(shape), "Refined in windows along the boundary: any size will do.")
    if card is not None and card.labels:
        return check_values(values, share, card), size
    if len(painted) > MANY_LABELS:
        detail = f"There are {len(painted)} labels: each is refined by itself, which takes its time."
        return Chip(Lamp.AMBER, f"{len(painted)} labels", detail), size
    text = "1 label" if len(painted) == 1 else f"{len(painted)} labels"
    return Chip(Lamp.GREEN, text, f"Painted in this {where}: {', '.join(map(str, painted))}."), size


def times(shape: tuple[int, ...]) -> str:
    """Return a size as it is said: width first."""
    return " × ".join(map(str, reversed(shape)))

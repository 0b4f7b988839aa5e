"""How far a refinement may move a boundary: three words, the same in every client.

    reach = share · w / 2,   w = 4 · area / perimeter

w is the width of what is painted: the diameter of a disk, twice the thickness of a line.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

STRENGTHS = {"touch-up": 0.2, "correct": 0.6, "redraw": 1.5}
"""Reach by word, as a share of half the width of the object."""
LEAST_REACH_PX = 2.0


def object_width_px(foreground: npt.NDArray[np.bool_]) -> float:
    """Return 4 · area / perimeter of a mask (y, x), in pixels; 0 for an empty one. Edges are counted between 4-neighbors."""
    area = int(foreground.sum())
    if area == 0:
        return 0.0
    padded = np.pad(foreground, 1)
    edges = (padded[1:] != padded[:-1]).sum() + (padded[:, 1:] != padded[:, :-1]).sum()
    return float(4 * area / (edges * np.pi / 4))  # a disk's staircase is 4/π times as long as its circle


def reach_px(foreground: npt.NDArray[np.bool_], strength: str) -> float:
    """Return how many pixels the boundary of a mask (y, x) may move; 0 for an empty one."""
    width = object_width_px(foreground)
    return max(LEAST_REACH_PX, STRENGTHS[strength] * width / 2) if width else 0.0

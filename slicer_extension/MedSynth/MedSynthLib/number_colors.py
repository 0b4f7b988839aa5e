"""Colors for label maps with more labels than a byte holds, such as nuclei: one of a wheel for each number."""

from __future__ import annotations

from typing import Any

import numpy as np

from MedSynthLib import color_tables

NAME, COUNT = "MedSynth numbers", 65536
GOLDEN = 0.618033988749895
"""Steps of the golden section around the wheel keep numbers that follow each other apart."""


def dress(node: Any) -> None:
    """Show a label map volume in these colors."""
    node.GetDisplayNode().SetAndObserveColorNodeID(colors().GetID())


def colors() -> Any:
    """Return the color node of these colors, one in a scene; number 0 is clear."""
    return color_tables.shared(NAME, table)


def table() -> np.ndarray:
    """Return the colors as (number, RGBA) uint8."""
    hue = np.arange(COUNT) * GOLDEN % 1
    offsets = np.array([0, 1 / 3, 2 / 3])
    shares = np.clip(np.abs((hue[:, None] + offsets) % 1 * 6 - 3) - 1, 0, 1) * 0.75 + 0.25
    made = np.full((COUNT, 4), 255, np.uint8)
    made[:, :3] = np.round(255 * shares)
    made[0] = 0
    return made

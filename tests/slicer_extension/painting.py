"""Paints into segments as a user's brush would, for tests."""

from __future__ import annotations

from typing import Any

import numpy as np
import slicer
from MedSynthLib import conversion

from medsynth_core.volume import Volume


def paint(mask: Any, grid: Any, *ids: str) -> None:
    """Paint the same small box into the first segment, or into these."""
    labels = np.zeros((1, *slicer.util.arrayFromVolume(grid).shape[:3]), np.uint8)
    labels[0, :, 1:3, 1:4] = 1
    for segment in ids or [mask.GetSegmentation().GetNthSegmentID(0)]:
        conversion.fill_segments(mask, Volume(labels, conversion.affine_of(grid)), {1: segment})

"""The nine numbers of a tumor: volume, surface, sphericity, center and extent.

Frame coordinates (x, y, z) are millimeters from the middle of the volume, along the axes of the model's grid: x to the
patient's left, y to the back, z upwards (LPS). `run.py` is where the user's world (RAS) is turned into the frame.
"""

from __future__ import annotations

from dataclasses import dataclass

Triple = tuple[float, float, float]


@dataclass(frozen=True)
class TumorShape:
    """Volume in ml, surface in cm², sphericity (1 is a ball), center and extent (x, y, z) in frame mm."""

    volume_ml: float
    surface_cm2: float
    sphericity: float
    center_mm: Triple
    extent_mm: Triple

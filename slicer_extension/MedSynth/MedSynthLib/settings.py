"""What the panel remembers in the scene: its nodes its seed, how much is sent."""

from __future__ import annotations

from slicer import vtkMRMLSegmentationNode, vtkMRMLVolumeNode
from slicer.parameterNodeWrapper import parameterNodeWrapper


@parameterNodeWrapper
class Settings:
    """`image` is the volume that is worked on, and the grid of the mask; `mask` holds the segments.

    `shown_only` sends the slice in the Red view alone, for engines that take a single one.
    """

    image: vtkMRMLVolumeNode
    mask: vtkMRMLSegmentationNode
    seed: int = 0
    shown_only: bool = False

"""What the panel remembers in the scene: its nodes and its seed."""

from __future__ import annotations

from slicer import vtkMRMLSegmentationNode, vtkMRMLVolumeNode
from slicer.parameterNodeWrapper import parameterNodeWrapper


@parameterNodeWrapper
class Settings:
    """`image` is the volume that is worked on, and the grid of the mask; `mask` holds the segments."""

    image: vtkMRMLVolumeNode
    mask: vtkMRMLSegmentationNode
    seed: int = 0

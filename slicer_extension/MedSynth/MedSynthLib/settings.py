"""What the panel remembers in the scene: its nodes, its seed, how much is sent."""

from __future__ import annotations

from slicer import vtkMRMLScalarVolumeNode, vtkMRMLSegmentationNode
from slicer.parameterNodeWrapper import parameterNodeWrapper


@parameterNodeWrapper
class Settings:
    """`image` is the volume that is worked on, and the grid of the mask; `mask` holds the segments.

    Its class is the one above grey and color volumes: Slicer makes a node of a class to learn its name, which the abstract one
    above all volumes does not let it. `shown_only` sends the slice in the Red view alone, for engines that take a single one.
    """

    image: vtkMRMLScalarVolumeNode
    mask: vtkMRMLSegmentationNode
    seed: int = 0
    shown_only: bool = False

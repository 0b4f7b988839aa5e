"""The slice views: which slice of a volume they show, and how they are sent to a place."""

from __future__ import annotations

from typing import Any

import numpy as np
import slicer

from medsynth_core.errors import InputError
from MedSynthLib import conversion


def go_to_slice(node: Any, k: int) -> None:
    """Let the views that lie along a volume's slices show slice k; the others stay where they are."""
    place = world_of(node, k)
    for view in slicer.util.getNodesByClass("vtkMRMLSliceNode"):
        if conversion.across(node, view.GetID().removeprefix("vtkMRMLSliceNode")) == 2:
            view.JumpSliceByOffsetting(*place)


def go_to_voxel(node: Any, place: tuple[int, ...]) -> None:
    """Let all views show a voxel (z, y, x), in their middle."""
    slicer.vtkMRMLSliceNode.JumpAllSlices(slicer.mrmlScene, *world_of(node, *place), slicer.vtkMRMLSliceNode.CenteredJumpSlice)


def shown(node: Any) -> int | None:
    """Return the slice of a volume that the Red view shows, None when it shows none."""
    try:
        return conversion.shown_slice(node)
    except InputError:
        return None


def world_of(node: Any, z: int, y: int | None = None, x: int | None = None) -> tuple[float, float, float]:
    """Return where a voxel lies, in world RAS mm; the middle of slice z without y and x."""
    size = conversion.volume_of(node).size
    ijk = ((size[2] - 1) / 2 if x is None else x, (size[1] - 1) / 2 if y is None else y, z, 1)
    right, anterior, superior = (conversion.affine_of(node) @ np.array(ijk, float))[:3].tolist()
    return right, anterior, superior

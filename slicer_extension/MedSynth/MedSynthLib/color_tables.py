"""Color nodes of our own: one of each name in a scene, with a color for each number."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import slicer
from vtk.util import numpy_support


def shared(name: str, table: Callable[[], np.ndarray]) -> Any:
    """Return the color node of this name, made if need be from `table`, (number, RGBA) uint8."""
    known = slicer.mrmlScene.GetSingletonNode(name, "vtkMRMLColorTableNode")
    if known is not None:
        return known
    colors = table()
    node = slicer.mrmlScene.CreateNodeByClass("vtkMRMLColorTableNode")
    node.UnRegister(None)
    node.SetSingletonTag(name)
    node.SetName(name)
    node.SetTypeToUser()
    node.SetNumberOfColors(len(colors))
    node.GetLookupTable().SetTableRange(0, len(colors) - 1)
    numpy_support.vtk_to_numpy(node.GetLookupTable().GetTable())[:] = colors
    return slicer.mrmlScene.AddNode(node)

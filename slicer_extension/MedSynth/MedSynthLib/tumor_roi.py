"""A box in the views ↔ the numbers of a tumor: dragging the box changes center and extent, typing numbers moves the box.

The engine's extents run along the world's axes, so of a turned box its upright hull counts.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import slicer
import vtk

from medsynth_core.errors import InputError
from MedSynthLib import conversion

Triple = tuple[float, float, float]
NAME = "Tumor"
SAME_MM = 1e-3


def new_box(center_mm: Triple, extent_mm: Triple) -> Any:
    """Return a new box in the scene. `extent_mm` is the full width along x, y, z in world RAS mm."""
    box = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsROINode", slicer.mrmlScene.GenerateUniqueName(NAME))
    box.CreateDefaultDisplayNodes()
    write(box, center_mm, extent_mm)
    return box


def read(box: Any) -> tuple[Triple, Triple]:
    """Return center and extent (x, y, z) of a box in world mm, transforms heeded. Raises InputError for one that bends."""
    matrix = conversion.parent_of(box) @ _matrix(box)
    half = np.array(box.GetSize()) / 2
    extent = 2 * np.abs(matrix[:3, :3]) @ half
    return _triple(matrix[:3, 3]), _triple(extent)


def write(box: Any, center_mm: Triple, extent_mm: Triple) -> None:
    """Put an upright box around a center. Raises InputError for an extent that is not positive, or a box that bends."""
    if min(extent_mm) <= 0:
        raise InputError(f"extent is {extent_mm}: each width must be above 0 mm")
    upright = np.eye(4)
    upright[:3, 3] = center_mm
    own = np.linalg.inv(conversion.parent_of(box)) @ upright
    scale = np.linalg.norm(own[:3, :3], axis=0)
    own[:3, :3] /= scale
    with slicer.util.NodeModify(box):
        box.SetSize(*(np.array(extent_mm) * scale))
        box.SetAndObserveObjectToNodeMatrix(slicer.util.vtkMatrixFromArray(own))


class BoxWatch:
    """Tells `moved` center and extent whenever a user moves a box; not when `place` does."""

    def __init__(self, box: Any, moved: Callable[[Triple, Triple], None]) -> None:
        self.box, self._moved = box, moved
        self._known = read(box)
        events = (vtk.vtkCommand.ModifiedEvent, slicer.vtkMRMLTransformableNode.TransformModifiedEvent)
        self._tags = [box.AddObserver(event, lambda *_: self._look()) for event in events]

    def place(self, center_mm: Triple, extent_mm: Triple) -> None:
        """Move the box to where the numbers say."""
        self._known = center_mm, extent_mm
        write(self.box, center_mm, extent_mm)

    def close(self) -> None:
        """Stop watching; harmless when the box is gone."""
        for tag in self._tags:
            self.box.RemoveObserver(tag)
        self._tags = []

    def _look(self) -> None:
        if self.box.GetScene() is None:
            return
        seen = read(self.box)
        if np.abs(np.array(seen) - np.array(self._known)).max() > SAME_MM:
            self._known = seen
            self._moved(*seen)


def _matrix(box: Any) -> np.ndarray:
    matrix = box.GetObjectToNodeMatrix()
    return np.array(slicer.util.arrayFromVTKMatrix(matrix))


def _triple(values: Any) -> Triple:
    x, y, z = (float(value) for value in values)
    return x, y, z

"""Landmarks in nodes: where VTK says that they are, and where SimpleITK finds them in the file that Slicer writes.

Four blocks of one to four voxels: which is which is told by the size, and four places that lie in no plane leave no mirror, turn
or shift unseen. The first three lie in one slice, MARKED. Nothing here uses the extension's own conversion.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
import slicer
import vtk

SHAPE = (6, 14, 18)  # k, j, i
STARTS = ((1, 2, 2), (1, 10, 12), (1, 4, 11), (4, 11, 3))  # k, j, i; the n-th block is n + 1 voxels along i
MARKED = 1
BRIGHT, NEAR_MM = 200, 1e-3


def blocks() -> np.ndarray:
    """Return where the landmarks are, uint8 (k, j, i)."""
    marked = np.zeros(SHAPE, np.uint8)
    for count, (k, j, i) in enumerate(STARTS, 1):
        marked[k, j, i : i + count] = 1
    return marked


def turned(random: np.random.Generator) -> np.ndarray:
    """Return any rotation, (3, 3)."""
    turn, _ = np.linalg.qr(random.normal(size=(3, 3)))
    return turn * np.sign(np.linalg.det(turn))


def any_place(random: np.random.Generator, left_handed: bool = True) -> np.ndarray:
    """Return any matrix from voxels to mm: oblique, anisotropic, left-handed if asked."""
    matrix = np.eye(4)
    matrix[:3, :3] = turned(random) @ np.diag(random.uniform(0.3, 5, 3)) @ np.diag([1, 1, -1 if left_handed else 1])
    matrix[:3, 3] = random.uniform(-150, 150, 3)
    return matrix


def put_under_any(random: np.random.Generator, *nodes: Any) -> None:
    """Put nodes under two linear transforms, one under the other, that turn and shift."""
    parent = None
    for name in ("table", "patient"):
        matrix = np.eye(4)
        matrix[:3, :3], matrix[:3, 3] = turned(random), random.uniform(-80, 80, 3)
        transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode", name)
        transform.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(matrix))
        transform.SetAndObserveTransformNodeID(parent.GetID() if parent is not None else None)
        parent = transform
    for node in nodes:
        node.SetAndObserveTransformNodeID(parent.GetID())


def to_world(node: Any, points: np.ndarray) -> np.ndarray:
    """Return points (n, 3) of a node's own millimeters in those of the world, by VTK."""
    general, moved = vtk.vtkGeneralTransform(), np.zeros((len(points), 3))
    slicer.vtkMRMLTransformNode.GetTransformBetweenNodes(node.GetParentTransformNode(), None, general)
    for point, place in zip(points, moved, strict=True):
        general.TransformPoint(point, place)
    return moved


def marked_in(node: Any) -> np.ndarray:
    """Return the middles of the landmarks (4, 3) in a volume node's own world, by VTK."""
    matrix, own = vtk.vtkMatrix4x4(), []
    node.GetIJKToRASMatrix(matrix)
    for count, (k, j, i) in enumerate(STARTS, 1):
        own.append(matrix.MultiplyPoint((i + (count - 1) / 2, j, k, 1))[:3])
    return to_world(node, np.array(own))


def found_in(node: Any, folder: Path, count: int = 4) -> np.ndarray:
    """Return the middles of the first landmarks (count, 3) as SimpleITK finds them in a file of Slicer's own storage."""
    is_segmentation = node.IsA("vtkMRMLSegmentationNode")
    path = folder / ("found.seg.nrrd" if is_segmentation else "found.nrrd")
    storage = slicer.vtkMRMLSegmentationStorageNode() if is_segmentation else slicer.vtkMRMLNRRDStorageNode()
    storage.SetFileName(str(path))
    assert storage.WriteData(node)
    image = sitk.ReadImage(str(path))
    if image.GetNumberOfComponentsPerPixel() > 1:
        image = sitk.VectorIndexSelectionCast(image, 1)
    parts = sitk.ConnectedComponent(sitk.Cast(image, sitk.sitkFloat32) > (0.5 if is_segmentation or _is_labels(node) else 100))
    shapes = sitk.LabelShapeStatisticsImageFilter()
    shapes.Execute(parts)
    sizes = sorted(shapes.GetNumberOfPixels(label) for label in shapes.GetLabels())
    assert sizes == list(range(1, count + 1)), f"{node.GetName()} has parts of {sizes} voxels"
    by_size = sorted(shapes.GetLabels(), key=shapes.GetNumberOfPixels)
    return to_world(node, np.array([shapes.GetCentroid(label) for label in by_size]) * [-1, -1, 1])


def check(node: Any, expected: np.ndarray, folder: Path) -> None:
    """Fail unless the landmarks of a node lie where they should, to a thousandth of a millimeter."""
    off = np.abs(found_in(node, folder, len(expected)) - expected).max()
    assert off < NEAR_MM, f"{node.GetName()} lies {off:.3f} mm off"


def _is_labels(node: Any) -> bool:
    return bool(node.IsA("vtkMRMLLabelMapVolumeNode"))

"""What a slice view should draw, worked out by SimpleITK from files that Slicer wrote: a second opinion on every picture.

Neither our conversion nor Slicer's slice logic takes part: the rule of radiologists (patient right on the left of the screen) is
written down here once more, in the LPS millimeters of ITK.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
import slicer
from slicer_drawing import SIDE, Look

RIGHTWARDS = {"Red": (1, 0, 0), "Yellow": (0, 1, 0), "Green": (1, 0, 0)}
DOWNWARDS = {"Red": (0, 1, 0), "Yellow": (0, 0, -1), "Green": (0, 0, -1)}
"""Where screens run to, in LPS: axial left and back, sagittal back and down, coronal left and down."""


def image_drawn(node: Any, view: str, look: Look) -> np.ndarray:
    """Return a grey volume node as a view should show it, (y, x) levels of the screen, 0 to 255; black where it has no voxels."""
    display = node.GetDisplayNode()
    low, width = display.GetWindowLevelMin(), display.GetWindow()
    with _hardened(node) as copy:
        file = _written(copy, slicer.vtkMRMLNRRDStorageNode(), ".nrrd")
    values = _cut(file, view, look, sitk.sitkLinear, background=low)
    return np.clip((values - low) / width, 0, 1) * 255


def mask_drawn(segmentation: Any, view: str, look: Look) -> np.ndarray:
    """Return where a view should show any segment of a segmentation node, (y, x) bool."""
    with _hardened(segmentation) as copy:
        file = _written(copy, slicer.vtkMRMLSegmentationStorageNode(), ".seg.nrrd")
    return _cut(file, view, look, sitk.sitkNearestNeighbor, background=0) > 0.5


def blended(bare: np.ndarray, segmentation: Any) -> np.ndarray:
    """Return a view's pixels (y, x, 3) with the color of a segmentation's first segment over them, as its fill says."""
    share, color = segmentation.GetDisplayNode().GetOpacity2DFill(), segmentation.GetSegmentation().GetNthSegment(0).GetColor()
    return bare * (1 - share) + 255 * share * np.array(color)


def inside(mask: np.ndarray, border: int = 3) -> np.ndarray:
    """Return a mask (y, x) without a border of so many pixels, where an outline is drawn."""
    return sitk.GetArrayFromImage(sitk.BinaryErode(sitk.GetImageFromArray(mask.astype(np.uint8)), (border, border))) > 0


def pixel_of(point: tuple[float, float, float], view: str, look: Look) -> tuple[float, float]:
    """Return the pixel (row, column) of a view at which a world point (right, anterior, superior) mm should be drawn."""
    away = np.array([-1, -1, 1]) * (np.array(point) - look.center(view)) / look.mm_per_pixel
    down, right = float(away @ DOWNWARDS[view]), float(away @ RIGHTWARDS[view])
    return SIDE / 2 - 1 + down, SIDE / 2 + right


def likeness(first: np.ndarray, second: np.ndarray) -> float:
    """Return the correlation of two pictures, 1 for the same."""
    return float(np.corrcoef(first.ravel(), second.ravel())[0, 1])


def overlap(first: np.ndarray, second: np.ndarray) -> float:
    """Return the Dice coefficient of two masks, 1 for the same."""
    return float(2 * (first & second).sum() / max(first.sum() + second.sum(), 1))


def _cut(file: sitk.Image, view: str, look: Look, how: int, background: float) -> np.ndarray:
    """Return the plane of a view through an image file, (y, x); the first row is on top."""
    right, down = np.array(RIGHTWARDS[view], float), np.array(DOWNWARDS[view], float)
    plane = sitk.Image(SIDE, SIDE, 1, sitk.sitkFloat32)
    plane.SetSpacing((look.mm_per_pixel, look.mm_per_pixel, 1.0))
    plane.SetDirection(np.stack([right, down, np.cross(right, down)], axis=1).ravel())
    middle = np.array([-1, -1, 1]) * look.center(view)
    # Slicer's pixel 0 lies half a view from the middle, counted from the left and from below.
    plane.SetOrigin(middle - look.mm_per_pixel * (SIDE / 2 * right + (SIDE / 2 - 1) * down))
    return sitk.GetArrayFromImage(sitk.Resample(file, plane, sitk.Transform(), how, background, sitk.sitkFloat32))[0]


def _written(node: Any, storage: Any, suffix: str) -> sitk.Image:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"node{suffix}"
        slicer.mrmlScene.AddNode(storage)
        storage.SetFileName(str(path))
        if not storage.WriteData(node):
            raise OSError(f"Slicer cannot write {node.GetName()} as {suffix}")
        slicer.mrmlScene.RemoveNode(storage)
        return sitk.ReadImage(str(path))


@contextmanager
def _hardened(node: Any) -> Iterator[Any]:
    """Give a copy of a node that lies by itself where the node lies under its transform: Slicer's own hardening."""
    copy = slicer.mrmlScene.AddNewNodeByClass(node.GetClassName(), "copy")
    copy.CopyContent(node)
    copy.SetAndObserveTransformNodeID(node.GetTransformNodeID())
    copy.HardenTransform()
    yield copy
    slicer.mrmlScene.RemoveNode(copy)

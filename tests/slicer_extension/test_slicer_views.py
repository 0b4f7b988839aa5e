"""Where Slicer's own slice logic draws what the extension makes: right of the patient on the left of the screen, front on top.

Overlays of segments are drawn by more than this logic; `make pictures-slicer` judges them in whole views.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import slicer
from MedSynthLib import conversion
from vtk.util import numpy_support

from medsynth_core.protocol import OutputInfo
from tests.slicer_extension.test_slicer_conversion import oblique, put_under, volume_node

SIDE, SPAN_MM = 200, 160.0
CENTER = np.array([3.0, -8.0, 12.0])
MARKER = np.array([34.0, 14.0, 29.0])
"""To the right of it, to the front and up, in RAS mm."""
RIGHTWARDS = {"Axial": (-1, 0, 0), "Sagittal": (0, -1, 0), "Coronal": (-1, 0, 0)}
UPWARDS = {"Axial": (0, 1, 0), "Sagittal": (0, 0, 1), "Coronal": (0, 0, 1)}
"""Where screens run to by the rule of radiologists."""


@pytest.mark.parametrize("view", RIGHTWARDS)
@pytest.mark.parametrize("left_handed", [False, True], ids=["right-handed", "left-handed"])
def test_a_streamed_slice_is_drawn_where_its_world_point_belongs(view: str, left_handed: bool) -> None:
    affine = around_marker(oblique((0.9, 1.3, 3.0), left_handed=left_handed))
    node = conversion.empty_node(OutputInfo("image", "image", (1, 9, 21, 25), "uint8", affine.tolist()), "grown")
    conversion.fix_window(node, 0, 255)
    conversion.put_slice(node, 2, marked()[:, 2])
    slicer.util.arrayFromVolumeModified(node)
    assert np.abs(spot(node, view) - expected(view)).max() < 0.5


@pytest.mark.parametrize("view", RIGHTWARDS)
def test_the_result_of_what_lies_under_a_transform_is_drawn_there(view: str) -> None:
    source = volume_node(oblique((0.9, 1.3, 3.0)), marked()[0])
    transform = put_under(source)
    shift = np.eye(4)
    shift[:3, 3] = MARKER - (conversion.affine_of(source) @ [17, 6, 2, 1])[:3]
    moved = slicer.util.vtkMatrixFromArray(shift @ conversion.parent_of(source))
    transform.SetMatrixTransformToParent(moved)
    result = conversion.node_from(conversion.volume_of(source), "result")
    conversion.fix_window(result, 0, 255)
    assert result.GetParentTransformNode() is None
    assert np.abs(spot(result, view) - expected(view)).max() < 0.5


def marked() -> np.ndarray:
    """A volume (1, 9, 21, 25) that is black but for one voxel; in its middle, a mirrored array would pass."""
    voxels = np.zeros((1, 9, 21, 25), np.uint8)
    voxels[0, 2, 6, 17] = 255
    return voxels


def around_marker(affine: np.ndarray) -> np.ndarray:
    """The matrix, moved so that the one voxel lies at MARKER."""
    moved = affine.copy()
    moved[:3, 3] = MARKER - affine[:3, :3] @ [17, 6, 2]
    return moved


def expected(view: str) -> np.ndarray:
    """The pixel of the marker, (right, up) from the lower left corner: views have CENTER in their middle."""
    away = (MARKER - CENTER) * SIDE / SPAN_MM
    return SIDE / 2 + np.array([away @ RIGHTWARDS[view], away @ UPWARDS[view]])


def spot(node: Any, view: str) -> np.ndarray:
    """The middle of the brightness that Slicer's slice logic draws, (right, up) in pixels."""
    grey = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLColorTableNode")  # Slicer's scenes have it, an empty one has not
    grey.SetTypeToGrey()
    node.GetDisplayNode().SetAndObserveColorNodeID(grey.GetID())
    slicer.vtkMRMLSliceNode.AddDefaultSliceOrientationPresets(slicer.mrmlScene, True)
    logic = slicer.vtkMRMLSliceLogic()
    logic.SetMRMLApplicationLogic(slicer.app.applicationLogic())
    logic.SetMRMLScene(slicer.mrmlScene)
    shown = logic.AddSliceNode(view)
    logic.ResizeSliceNode(SIDE, SIDE)
    logic.GetSliceCompositeNode().SetBackgroundVolumeID(node.GetID())
    shown.SetOrientation(view)
    shown.SetFieldOfView(SPAN_MM, SPAN_MM, 1.0)
    across = np.abs(np.cross(RIGHTWARDS[view], UPWARDS[view]))
    shown.JumpSliceByCentering(*np.where(across, MARKER, CENTER))
    blend = logic.GetImageDataConnection().GetProducer()
    blend.Update()
    x, y, _ = blend.GetOutput().GetDimensions()
    drawn = numpy_support.vtk_to_numpy(blend.GetOutput().GetPointData().GetScalars()).reshape(y, x, -1)[..., 0].astype(float)
    for singleton in (logic.GetSliceCompositeNode(), shown):  # they would outlive the clearing of the scene
        slicer.mrmlScene.RemoveNode(singleton)
    logic.SetMRMLScene(None)
    assert drawn.sum(), "nothing is drawn"
    rows, columns = np.indices(drawn.shape)
    return np.array([(drawn * columns).sum(), (drawn * rows).sum()]) / drawn.sum()

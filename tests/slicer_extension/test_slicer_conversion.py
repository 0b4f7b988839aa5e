"""Where voxels lie: every check asks VTK or SimpleITK, never our own conversion, where a point is in the world."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
import slicer
import vtk
from hypothesis import given, settings
from hypothesis import strategies as st
from MedSynthLib import conversion

from medsynth_core.errors import InputError, MedSynthError
from medsynth_core.protocol import OutputInfo
from medsynth_core.volume import Volume

NEAR_MM = 1e-3
SHAPE = (4, 5, 6)  # k, j, i


def oblique(spacing: tuple[float, float, float] = (0.7, 1.3, 4.0), degrees: float = 33.0, left_handed: bool = True) -> np.ndarray:
    """A turned, anisotropic matrix, mirrored if asked."""
    turn = vtk.vtkTransform()
    turn.Translate(-31.5, 12.25, 78.0)
    turn.RotateWXYZ(degrees, 0.3, -0.5, 0.8)
    matrix = slicer.util.arrayFromVTKMatrix(turn.GetMatrix()) @ np.diag([*spacing, 1.0])
    return matrix @ np.diag([-1.0, 1, 1, 1]) if left_handed else matrix


def volume_node(matrix: np.ndarray, array: np.ndarray | None = None, kind: str = "Scalar") -> Any:
    node = slicer.mrmlScene.AddNewNodeByClass(f"vtkMRML{kind}VolumeNode", "given")
    node.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(matrix))
    slicer.util.updateVolumeFromArray(node, np.arange(120, dtype=np.int16).reshape(SHAPE) if array is None else array)
    node.CreateDefaultDisplayNodes()
    return node


def put_under(node: Any, degrees: float = -21.0) -> Any:
    """Put a node under a linear transform that turns and shifts."""
    turn = vtk.vtkTransform()
    turn.Translate(11, -7, 3)
    turn.RotateWXYZ(degrees, 1, 2, 3)
    transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "patient")
    transform.SetMatrixTransformToParent(turn.GetMatrix())
    node.SetAndObserveTransformNodeID(transform.GetID())
    return transform


def world_of(node: Any, i: int, j: int, k: int) -> np.ndarray:
    """Where Slicer itself says that a voxel is: the node's matrix, then its transform to the world, both through VTK."""
    matrix, point = vtk.vtkMatrix4x4(), np.zeros(3)
    node.GetIJKToRASMatrix(matrix)
    own = np.array(matrix.MultiplyPoint((i, j, k, 1)))[:3]
    general = vtk.vtkGeneralTransform()
    slicer.vtkMRMLTransformNode.GetTransformBetweenNodes(node.GetParentTransformNode(), None, general)
    general.TransformPoint(own, point)
    return point


def sitk_image(volume: Volume) -> sitk.Image:
    """A second opinion: ITK's image with the same place; its world is LPS."""
    flip = np.diag([-1.0, -1, 1, 1]) @ volume.affine
    spacing = np.linalg.norm(flip[:3, :3], axis=0)
    image = sitk.GetImageFromArray(volume.array[0])
    image.SetSpacing(spacing.tolist())
    image.SetDirection((flip[:3, :3] / spacing).ravel().tolist())
    image.SetOrigin(flip[:3, 3].tolist())
    return image


CORNERS = [(0, 0, 0), (5, 0, 0), (0, 4, 0), (0, 0, 3), (5, 4, 3)]
PLACES = pytest.mark.parametrize(
    "matrix",
    [np.diag([1.0, 1, 1, 1]), oblique(), oblique(left_handed=False), oblique((0.05, 2.5, 30.0), 178.0)],
    ids=["plain", "oblique left-handed", "oblique right-handed", "extreme"],
)


@PLACES
@pytest.mark.parametrize("transformed", [False, True])
def test_a_volume_goes_and_comes_back_to_where_it_was(matrix: np.ndarray, transformed: bool) -> None:
    node = volume_node(matrix)
    if transformed:
        put_under(node)
    sent = conversion.volume_of(node)
    back = conversion.node_from(sent, "back")
    for corner in CORNERS:
        assert np.abs(world_of(node, *corner) - world_of(back, *corner)).max() < NEAR_MM
        lps = np.array(sitk_image(sent).TransformIndexToPhysicalPoint(corner))
        assert np.abs(world_of(node, *corner) - lps * [-1, -1, 1]).max() < NEAR_MM
    assert np.array_equal(slicer.util.arrayFromVolume(node), slicer.util.arrayFromVolume(back))
    assert back.GetParentTransformNode() is None


@settings(max_examples=40)
@given(
    st.tuples(*[st.floats(0.05, 40)] * 3),
    st.floats(-180, 180),
    st.booleans(),
    st.floats(-180, 180),
)
def test_any_place_survives(spacing: tuple[float, float, float], degrees: float, left_handed: bool, under: float) -> None:
    slicer.mrmlScene.Clear(0)
    node = volume_node(oblique(spacing, degrees, left_handed))
    put_under(node, under)
    back = conversion.node_from(conversion.volume_of(node), "back")
    for corner in CORNERS:
        assert np.abs(world_of(node, *corner) - world_of(back, *corner)).max() < NEAR_MM


def test_a_volume_is_not_copied_to_be_sent() -> None:
    node = volume_node(oblique())
    assert np.shares_memory(conversion.volume_of(node).array, slicer.util.arrayFromVolume(node))


def test_colors_are_a_vector_volume_and_come_back() -> None:
    picture = np.random.default_rng(0).integers(0, 255, (1, 5, 6, 3), np.uint8)
    node = conversion.node_from(Volume(np.moveaxis(picture, -1, 0), oblique()), "histology")
    assert node.IsA("vtkMRMLVectorVolumeNode")
    assert node.GetImageData().GetNumberOfScalarComponents() == 3
    assert np.array_equal(slicer.util.arrayFromVolume(node), picture)
    assert node.GetImageData().GetScalarComponentAsDouble(4, 2, 0, 1) == picture[0, 2, 4, 1]  # VTK's own order: i, j, k, color
    sent = conversion.volume_of(node)
    assert sent.array.shape == (3, 1, 5, 6)
    assert np.array_equal(np.moveaxis(sent.array, 0, -1), picture)


def segmentation_on(node: Any, *boxes: tuple[slice, slice, slice]) -> tuple[Any, list[str]]:
    """A segmentation painted on a volume's grid, by Slicer's own import of a label map."""
    segmentation = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "painted")
    segmentation.CreateDefaultDisplayNodes()
    segmentation.SetReferenceImageGeometryParameterFromVolumeNode(node)
    ids = [segmentation.GetSegmentation().AddEmptySegment() for _ in boxes]
    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    for segment, box in zip(ids, boxes, strict=True):
        labels = np.zeros(slicer.util.arrayFromVolume(node).shape[:3], np.uint8)
        labels[box] = 1
        label_map = volume_node(slicer.util.arrayFromVTKMatrix(matrix), labels, "LabelMap")
        names = vtk.vtkStringArray()
        names.InsertNextValue(segment)
        logic = slicer.vtkSlicerSegmentationsModuleLogic
        assert logic.ImportLabelmapToSegmentationNode(label_map, segmentation, names)
        slicer.mrmlScene.RemoveNode(label_map)
    return segmentation, ids


LOW, HIGH = np.s_[1:3, 1:4, 2:5], np.s_[2:4, 0:2, 0:3]


@PLACES
def test_segments_are_sent_on_the_grid_of_the_volume(matrix: np.ndarray) -> None:
    node = volume_node(matrix)
    segmentation, (first, second) = segmentation_on(node, LOW, HIGH)
    labels = conversion.labels_of(segmentation, node, {first: 4, second: 9})
    expected = np.zeros(SHAPE, np.uint8)
    expected[LOW], expected[HIGH] = 4, 9
    assert np.array_equal(labels.array[0], expected)
    assert np.array_equal(labels.affine, conversion.affine_of(node))
    assert labels.array.dtype == np.uint8


def test_segments_follow_their_own_transform() -> None:
    """A segmentation under a shift of one voxel is sent where it is seen, the volume stands still."""
    node = volume_node(np.diag([2.0, 3, 5, 1]))
    segmentation, (segment,) = segmentation_on(node, np.s_[1:3, 1:3, 1:3])
    shift = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "shift")
    shift.SetMatrixTransformToParent(
        slicer.util.vtkMatrixFromArray(np.array([[1.0, 0, 0, 2], [0, 1, 0, 3], [0, 0, 1, 5], [0, 0, 0, 1]]))
    )
    segmentation.SetAndObserveTransformNodeID(shift.GetID())
    labels = conversion.labels_of(segmentation, node, {segment: 1})
    assert np.array_equal(np.argwhere(labels.array[0]).min(0), (2, 2, 2))


def test_volume_and_segments_under_one_transform_stay_together() -> None:
    node = volume_node(oblique())
    segmentation, (segment,) = segmentation_on(node, LOW)
    transform = put_under(node)
    segmentation.SetAndObserveTransformNodeID(transform.GetID())
    expected = np.zeros(SHAPE, np.uint8)
    expected[LOW] = 1
    assert np.array_equal(conversion.labels_of(segmentation, node, {segment: 1}).array[0], expected)


@PLACES
@pytest.mark.parametrize("transformed", [False, True])
def test_labels_come_back_into_segments_where_they_lie(matrix: np.ndarray, transformed: bool) -> None:
    node = volume_node(matrix)
    segmentation, (first, second) = segmentation_on(node, HIGH, HIGH)
    if transformed:
        put_under(segmentation)
        put_under(node)
    made = np.zeros((1, *SHAPE), np.uint8)
    made[0][LOW] = 7
    conversion.fill_segments(segmentation, Volume(made, conversion.affine_of(node)), {7: first, 8: second})
    image = slicer.vtkOrientedImageData()
    segmentation.GetBinaryLabelmapRepresentation(first, image)
    inside = np.argwhere(slicer.util.arrayFromSegmentInternalBinaryLabelmap(segmentation, first) != 0)
    start = image.GetExtent()[::2]
    lowest = np.zeros(4)
    lowest[:3], lowest[3] = inside.min(0)[::-1] + start, 1
    to_world = vtk.vtkMatrix4x4()
    image.GetImageToWorldMatrix(to_world)
    point = conversion.parent_of(segmentation) @ np.array(to_world.MultiplyPoint(lowest))
    assert np.abs(point[:3] - world_of(node, 2, 1, 1)).max() < NEAR_MM
    assert len(inside) == made.astype(bool).sum()
    assert not conversion.labels_of(segmentation, node, {second: 1}).array.any()


def test_a_segment_written_is_the_segment_read() -> None:
    node = volume_node(oblique())
    segmentation, ids = segmentation_on(node, LOW, HIGH)
    made = np.random.default_rng(1).integers(0, 3, (1, *SHAPE), np.uint8)
    conversion.fill_segments(segmentation, Volume(made, conversion.affine_of(node)), {1: ids[0], 2: ids[1]})
    assert np.array_equal(conversion.labels_of(segmentation, node, {ids[0]: 1, ids[1]: 2}).array, made)


def test_nothing_is_left_in_the_scene_by_reading_a_mask() -> None:
    node = volume_node(oblique())
    segmentation, (segment,) = segmentation_on(node, LOW)
    before = slicer.mrmlScene.GetNumberOfNodes()
    conversion.labels_of(segmentation, node, {segment: 1})
    conversion.fill_segments(segmentation, conversion.volume_of(node), {1: segment})
    assert slicer.mrmlScene.GetNumberOfNodes() == before


def test_a_transform_that_bends_is_refused_with_the_way_out() -> None:
    node = volume_node(oblique())
    bend = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLBSplineTransformNode", "warp")
    grid = vtk.vtkThinPlateSplineTransform()
    bend.SetAndObserveTransformToParent(grid)
    node.SetAndObserveTransformNodeID(bend.GetID())
    with pytest.raises(InputError, match=r"given is under warp, which bends space: harden it"):
        conversion.volume_of(node)


def bare_node() -> Any:
    return slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "bare")


@pytest.mark.parametrize(
    ("what", "words"),
    [
        (lambda: conversion.volume_of(None), "no node holds no voxels"),
        (lambda: conversion.volume_of(segmentation_on(volume_node(oblique()))[0]), "painted is no volume"),
        (
            lambda: conversion.volume_of(slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "bare")),
            "bare holds no voxels",
        ),
        (lambda: conversion.node_from(Volume(np.zeros((1, 2, 2, 2), np.int64)), "n"), "voxels are int64"),
        (lambda: conversion.node_from(Volume(np.zeros((2, 2, 2, 2), np.uint8)), "n"), "2 channels"),
    ],
)
def test_what_cannot_be_is_said_in_a_sentence(what: Any, words: str) -> None:
    with pytest.raises(MedSynthError, match=words):
        what()


def test_a_segment_that_is_gone_is_named() -> None:
    node = volume_node(oblique())
    segmentation, (segment,) = segmentation_on(node, LOW)
    segmentation.GetSegmentation().RemoveSegment(segment)
    with pytest.raises(InputError, match=f"segment '{segment}' is not in painted"):
        conversion.labels_of(segmentation, node, {segment: 1})
    with pytest.raises(InputError, match="must be 1 to 255"):
        conversion.labels_of(segmentation, node, {segment: 256})


def test_an_announced_output_is_a_node_of_zeros_in_its_place() -> None:
    affine = oblique()
    rows = tuple(map(tuple, affine.tolist()))
    grey = conversion.empty_node(OutputInfo("image", "image", (1, *SHAPE), "int16", rows), "[Synthetic] case")
    mask = conversion.empty_node(OutputInfo("mask", "labels", (1, *SHAPE), "uint8", rows), "[Synthetic] case mask")
    color = conversion.empty_node(OutputInfo("image", "image", (3, *SHAPE), "uint8", rows), "[Synthetic] tile")
    assert [n.GetClassName() for n in (grey, mask, color)] == [f"vtkMRML{k}VolumeNode" for k in ("Scalar", "LabelMap", "Vector")]
    for z in range(SHAPE[0]):
        conversion.put_slice(grey, z, np.full((1, 5, 6), z + 1, np.int16))
        conversion.put_slice(color, z, np.stack([np.full((5, 6), c * 10 + z, np.uint8) for c in range(3)]))
    assert [grey.GetImageData().GetScalarComponentAsDouble(2, 3, z, 0) for z in range(4)] == [1, 2, 3, 4]
    assert [color.GetImageData().GetScalarComponentAsDouble(2, 3, 1, c) for c in range(3)] == [1, 11, 21]
    assert np.abs(world_of(grey, 5, 4, 3) - (affine @ [5, 4, 3, 1])[:3]).max() < NEAR_MM


def test_a_window_once_fixed_stays() -> None:
    node = volume_node(oblique())
    conversion.fix_window(node, 10, 110)
    slicer.util.arrayFromVolume(node)[:] = 3000
    slicer.util.arrayFromVolumeModified(node)
    display = node.GetDisplayNode()
    assert (display.GetWindowLevelMin(), display.GetWindowLevelMax()) == (10, 110)


@pytest.fixture
def red() -> Iterator[Callable[[np.ndarray], None]]:
    """Turn the Red slice view as a matrix says; views outlive the scene's content, so it is taken away afterwards."""
    view = slicer.vtkMRMLSliceNode()
    view.SetSingletonTag("Red")
    view.SetLayoutName("Red")
    view = slicer.mrmlScene.AddNode(view)

    def turn(matrix: np.ndarray) -> None:
        view.GetSliceToRAS().DeepCopy(slicer.util.vtkMatrixFromArray(matrix))
        view.UpdateMatrices()

    yield turn
    slicer.mrmlScene.RemoveNode(view)


@PLACES
def test_a_slice_lies_where_it_lay_in_its_volume(matrix: np.ndarray) -> None:
    node = volume_node(matrix)
    part = conversion.node_from(conversion.one_slice(conversion.volume_of(node), 2), "slice")
    assert np.abs(world_of(part, 5, 4, 0) - world_of(node, 5, 4, 2)).max() < NEAR_MM
    assert np.array_equal(slicer.util.arrayFromVolume(part)[0], slicer.util.arrayFromVolume(node)[2])
    with pytest.raises(InputError, match="the slices 0 to 3"):
        conversion.one_slice(conversion.volume_of(node), 4)


@PLACES
def test_the_shown_slice_is_the_one_the_view_cuts(matrix: np.ndarray, red: Callable[[np.ndarray], None]) -> None:
    node = volume_node(matrix)
    for k in range(4):
        axes = matrix[:3, :3] / np.linalg.norm(matrix[:3, :3], axis=0)
        place = np.eye(4)
        place[:3, :3], place[:3, 3] = axes, world_of(node, 3, 2, k)
        red(place)
        assert conversion.shown_slice(node) == k


def test_without_a_view_there_is_no_shown_slice() -> None:
    with pytest.raises(InputError, match="there is no Red slice view"):
        conversion.shown_slice(volume_node(np.eye(4)))


def test_a_view_that_shows_no_slice_of_the_volume_is_refused(red: Callable[[np.ndarray], None]) -> None:
    node = volume_node(np.eye(4))
    red(np.array([[1.0, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 77], [0, 0, 0, 1]]))
    with pytest.raises(InputError, match="outside of given"):
        conversion.shown_slice(node)
    red(np.array([[0, 0, 1.0, 0], [1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 1]]))
    with pytest.raises(InputError, match="does not lie along the volume's slices"):
        conversion.shown_slice(node)

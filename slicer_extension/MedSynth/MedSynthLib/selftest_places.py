"""Cases of the self test: what lies anywhere comes back to where it was. Where that is says VTK, not our own conversion."""

from __future__ import annotations

from typing import Any

import numpy as np
import slicer
import vtk

from medsynth_core.protocol import LabelInfo, OutputInfo
from medsynth_core.volume import Volume
from MedSynthLib import conversion, results, tumor_roi
from MedSynthLib.growing import GrowingNodes
from MedSynthLib.segments import label_values, new_segmentation

SHAPE = (4, 6, 8)  # k, j, i
CORNERS = ((0, 0, 0), (7, 0, 0), (0, 5, 0), (0, 0, 3), (7, 5, 3))
LABELS = (LabelInfo(0, "background", "#000000"), LabelInfo(1, "tumor", "#f28e2b"))
NEAR_MM = 1e-3
PLACES = 8
"""How many random places a case is tried at; each is a seed, so that one that fails can be had again."""


class PlaceCases:
    """Oblique, anisotropic, left-handed grids under transforms."""

    def test_volumes_come_back_to_where_they_were(self) -> None:
        """Grey ones, those of colors, and label maps."""
        for seed in range(PLACES):
            for kind, array in VOXELS.items():
                node = placed(seed, kind, array)
                back = conversion.node_from(conversion.volume_of(node), "back", kind == "LabelMap")
                assert back.GetClassName() == node.GetClassName()
                check_corners(back, node)
                assert np.array_equal(slicer.util.arrayFromVolume(back), array)

    def test_a_slice_lies_where_it_lay(self) -> None:
        """One slice of a volume, sent alone."""
        for seed in range(PLACES):
            node = placed(seed, "Scalar", VOXELS["Scalar"])
            part = conversion.node_from(conversion.one_slice(conversion.volume_of(node), 2), "slice")
            assert np.abs(world_of(part, 7, 5, 0) - world_of(node, 7, 5, 2)).max() < NEAR_MM
            assert np.array_equal(slicer.util.arrayFromVolume(part)[0], VOXELS["Scalar"][2])

    def test_segments_are_written_and_read_on_the_grid(self) -> None:
        """The label map of a segment goes both ways, and lies where the volume's voxels do."""
        for seed in range(PLACES):
            grid = placed(seed, "Scalar", VOXELS["Scalar"])
            mask = new_segmentation(grid, LABELS, "mask")
            labels = np.zeros((1, *SHAPE), np.uint8)
            labels[0, 1:3, 2:5, 3:7] = 1
            (segment,) = label_values(mask, LABELS)
            conversion.fill_segments(mask, Volume(labels, conversion.affine_of(grid)), {1: segment})
            assert np.array_equal(conversion.labels_of(mask, grid, {segment: 1}).array, labels)
            assert np.abs(lowest_of(mask, segment) - world_of(grid, 3, 2, 1)).max() < NEAR_MM

    def test_outputs_grow_in_place(self) -> None:
        """An image and its labels, slice by slice, in the place that was announced."""
        for seed in range(PLACES):
            like = placed(seed, "Scalar", VOXELS["Scalar"])
            place = tuple(map(tuple, conversion.affine_of(like).tolist()))
            growing = GrowingNodes(
                "[Synthetic] case", LABELS, lambda node, output, like=like: results.present(node, output, like)
            )
            growing.announce(OutputInfo("image", "image", (1, *SHAPE), "uint8", place))
            growing.announce(OutputInfo("mask", "labels", (1, *SHAPE), "uint8", place))
            for z in range(4):
                growing.put("image", z, np.full((1, 6, 8), z + 1, np.uint8))
                growing.put("mask", z, np.full((1, 6, 8), z % 2, np.uint8))
            growing.redraw(last=True)
            image, mask = growing.nodes()["image"], growing.nodes()["mask"]
            assert [int(v) for v in slicer.util.arrayFromVolume(image)[:, 0, 0]] == [1, 2, 3, 4]
            check_corners(image, like)
            (segment,) = label_values(mask, LABELS)
            assert int(conversion.labels_of(mask, image, {segment: 1}).array.sum()) == 96
            assert np.abs(lowest_of(mask, segment) - world_of(like, 0, 0, 1)).max() < NEAR_MM

    def test_a_stroke_is_heard_and_changes_the_fingerprint(self) -> None:
        """What live mode rests on: the event of a segmentation whose voxels were written."""
        grid = placed(0, "Scalar", VOXELS["Scalar"])
        mask = new_segmentation(grid, LABELS, "mask")
        heard, inside = [], mask.GetSegmentation()
        inside.AddObserver(slicer.vtkSegmentation.SourceRepresentationModified, lambda *_: heard.append(1))
        before = conversion.fingerprint(mask)
        (segment,) = label_values(mask, LABELS)
        conversion.fill_segments(mask, Volume(np.ones((1, *SHAPE), np.uint8), conversion.affine_of(grid)), {1: segment})
        assert heard
        assert conversion.fingerprint(mask) != before

    def test_a_box_is_where_its_numbers_say(self) -> None:
        """The markups box of a tumor."""
        box = tumor_roi.new_box((-30, 10, 5), (20, 30, 12))
        assert np.abs(np.array(tumor_roi.read(box)) - [(-30, 10, 5), (20, 30, 12)]).max() < NEAR_MM


VOXELS = {
    "Scalar": np.arange(192, dtype=np.int16).reshape(SHAPE),
    "Vector": np.arange(576).reshape(*SHAPE, 3).astype(np.uint8),
    "LabelMap": (np.arange(192) + 300).reshape(SHAPE).astype(np.uint16),
}
"""Kind of node → what it holds."""


def placed(seed: int, kind: str, array: np.ndarray) -> Any:
    """Return a new volume node anywhere, under two transforms, one under the other."""
    random = np.random.default_rng(seed)
    matrix = rigid(random) @ np.diag([*random.uniform(0.3, 5, 3), 1]) @ np.diag([-1, 1, 1, 1])
    node = slicer.mrmlScene.AddNewNodeByClass(f"vtkMRML{kind}VolumeNode", f"case {seed}")
    node.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(matrix))
    slicer.util.updateVolumeFromArray(node, array)
    node.CreateDefaultDisplayNodes()
    above = None
    for name in ("table", "patient"):
        transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode", name)
        transform.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(rigid(random)))
        transform.SetAndObserveTransformNodeID(above)
        above = transform.GetID()
    node.SetAndObserveTransformNodeID(above)
    return node


def rigid(random: np.random.Generator) -> np.ndarray:
    """Return any turn and shift, (4, 4)."""
    turn, _ = np.linalg.qr(random.normal(size=(3, 3)))
    matrix = np.eye(4)
    matrix[:3, :3], matrix[:3, 3] = turn * np.sign(np.linalg.det(turn)), random.uniform(-100, 100, 3)
    return matrix


def world_of(node: Any, i: int, j: int, k: int) -> np.ndarray:
    """Return where a voxel is, by Slicer's own matrix and VTK's transform to the world."""
    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    return in_world(node, matrix.MultiplyPoint((i, j, k, 1))[:3])


def lowest_of(segmentation: Any, segment: str) -> np.ndarray:
    """Return where the first voxel of a segment is, along its label map's own axes, by that map's matrix and VTK."""
    image, matrix = slicer.vtkOrientedImageData(), vtk.vtkMatrix4x4()
    assert segmentation.GetBinaryLabelmapRepresentation(segment, image)
    image.GetImageToWorldMatrix(matrix)
    i, _, j, _, k, _ = extent_of(image)
    return in_world(segmentation, matrix.MultiplyPoint((i, j, k, 1))[:3])


def extent_of(image: Any) -> tuple[int, ...]:
    """Return the extent of what is painted in a label map."""
    extent = [0] * 6
    assert slicer.vtkOrientedImageDataResample.CalculateEffectiveExtent(image, extent)
    return tuple(extent)


def in_world(node: Any, point: Any) -> np.ndarray:
    """Return a point of a node's own millimeters in those of the world."""
    general, moved = vtk.vtkGeneralTransform(), np.zeros(3)
    slicer.vtkMRMLTransformNode.GetTransformBetweenNodes(node.GetParentTransformNode(), None, general)
    general.TransformPoint(point, moved)
    return moved


def check_corners(node: Any, like: Any) -> None:
    """Fail unless the corners of two volumes lie at the same places."""
    for corner in CORNERS:
        assert np.abs(world_of(node, *corner) - world_of(like, *corner)).max() < NEAR_MM

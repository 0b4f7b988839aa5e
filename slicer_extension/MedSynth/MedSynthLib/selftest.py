"""The module's self test, run inside a real Slicer by *Reload and Test* or ctest, and by our tests outside of it.

It needs no engine and no network: what it checks is that Slicer's own scene and widgets are as we take them to be.
"""

from __future__ import annotations

import numpy as np
import slicer
import vtk
from slicer.ScriptedLoadableModule import ScriptedLoadableModuleTest

from medsynth_core.protocol import LabelInfo, OutputInfo, ParamInfo, ParamKind
from medsynth_core.volume import Volume
from MedSynthLib import conversion, tumor_roi
from MedSynthLib.forms import ParamForm
from MedSynthLib.growing import GrowingNodes
from MedSynthLib.segments import label_values, new_segmentation

SHAPE = (1, 4, 6, 8)
PLACE = ((-0.9, 0.0, 0.0, 40.0), (0.0, 1.1, 0.2, -7.0), (0.0, 0.0, 3.0, 5.0), (0.0, 0.0, 0.0, 1.0))
LABELS = (LabelInfo(0, "background", "#000000"), LabelInfo(1, "tumor", "#f28e2b"))


class MedSynthTest(ScriptedLoadableModuleTest):
    """One method a thing that a Slicer of another version could do differently."""

    def setUp(self) -> None:
        """Begin with an empty scene."""
        slicer.mrmlScene.Clear(0)

    def runTest(self) -> None:
        """Run all of them."""
        for name in sorted(name for name in dir(self) if name.startswith("test_")):
            self.setUp()
            self.delayDisplay(name.replace("_", " "))
            getattr(self, name)()

    def test_a_volume_goes_and_comes_back_to_where_it_was(self) -> None:
        """Oblique, anisotropic, left-handed, under a transform."""
        node = conversion.node_from(Volume(np.arange(192, dtype=np.int16).reshape(SHAPE), np.array(PLACE)), "given")
        turn = vtk.vtkTransform()
        turn.RotateWXYZ(30, 1, 2, 3)
        transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
        transform.SetMatrixTransformToParent(turn.GetMatrix())
        node.SetAndObserveTransformNodeID(transform.GetID())
        back = conversion.node_from(conversion.volume_of(node), "back")
        expected, seen = np.zeros(3), (np.array(conversion.affine_of(back)) @ [7, 5, 3, 1])[:3]
        turn.TransformPoint((np.array(PLACE) @ [7, 5, 3, 1])[:3], expected)
        assert np.abs(expected - seen).max() < 0.001
        assert np.array_equal(slicer.util.arrayFromVolume(node), slicer.util.arrayFromVolume(back))

    def test_segments_are_written_and_read_on_the_grid(self) -> None:
        """The label map of a segment goes both ways."""
        grid = conversion.node_from(Volume(np.zeros(SHAPE, np.uint8), np.array(PLACE)), "grid")
        mask = new_segmentation(grid, LABELS, "mask")
        labels = np.zeros(SHAPE, np.uint8)
        labels[0, 1:3, 2:5, 3:7] = 1
        (segment,) = label_values(mask, LABELS)
        conversion.fill_segments(mask, Volume(labels, np.array(PLACE)), {1: segment})
        assert np.array_equal(conversion.labels_of(mask, grid, {segment: 1}).array, labels)

    def test_outputs_grow_in_place(self) -> None:
        """An image and its labels, slice by slice."""
        growing = GrowingNodes("[Synthetic] case", LABELS)
        growing.announce(OutputInfo("image", "image", SHAPE, "uint8", PLACE))
        growing.announce(OutputInfo("mask", "labels", SHAPE, "uint8", PLACE))
        for z in range(4):
            growing.put("image", z, np.full((1, 6, 8), z + 1, np.uint8))
            growing.put("mask", z, np.full((1, 6, 8), z % 2, np.uint8))
        growing.redraw(last=True)
        image, mask = growing.nodes()["image"], growing.nodes()["mask"]
        assert [int(v) for v in slicer.util.arrayFromVolume(image)[:, 0, 0]] == [1, 2, 3, 4]
        (segment,) = label_values(mask, LABELS)
        assert int(conversion.labels_of(mask, image, {segment: 1}).array.sum()) == 96

    def test_a_box_is_where_its_numbers_say(self) -> None:
        """The markups box of a tumor."""
        box = tumor_roi.new_box((-30, 10, 5), (20, 30, 12))
        assert np.abs(np.array(tumor_roi.read(box)) - [(-30, 10, 5), (20, 30, 12)]).max() < 0.001

    def test_a_form_is_drawn_from_a_description(self) -> None:
        """Each kind of field shows and gives its default."""
        params = (
            ParamInfo("steps", "Steps", ParamKind.CHOICE, 4, choices=(1, 2, 4)),
            ParamInfo("density", "Density", ParamKind.NUMBER, 0.5, 0.0, 1.0),
            ParamInfo("count", "Count", ParamKind.INTEGER, 3, 1, 9),
            ParamInfo("smooth", "Smooth", ParamKind.FLAG, True),
            ParamInfo("note", "Note", ParamKind.TEXT, "x"),
        )
        assert ParamForm(params).values() == {info.name: info.default for info in params}

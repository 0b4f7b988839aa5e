"""What grows, as the panel shows it: which slices are there, views that follow, a result stopped half-way, uncertainty."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import slicer
from MedSynthLib import results, ruler, slice_views
from MedSynthLib.growing import JOB, RECIPE, SYNTHETIC
from MedSynthLib.primary_button import Mode
from MedSynthLib.ruler import HEIGHT, Ruler

from medsynth_core.client import connect
from medsynth_core.engines.fake import slice_pixels
from medsynth_core.protocol import OutputInfo
from medsynth_core.run import Ending, Run, RunRequest
from tests.slicer_extension.main_thread import MainThread
from tests.slicer_extension.test_slicer_conversion import oblique, volume_node
from tests.slicer_extension.test_slicer_panel import fake_page, run_to_end


@pytest.fixture
def red() -> Iterator[Any]:
    """The Red view along the slices of an upright volume, with its layers."""
    view, layers = slicer.vtkMRMLSliceNode(), slicer.vtkMRMLSliceCompositeNode()
    for node in (view, layers):
        node.SetLayoutName("Red")
        node.SetSingletonTag("Red")
    view, layers = slicer.mrmlScene.AddNode(view), slicer.mrmlScene.AddNode(layers)
    yield view
    slicer.mrmlScene.RemoveNode(view)
    slicer.mrmlScene.RemoveNode(layers)


def upright(depth: int = 8) -> Any:
    return volume_node(np.diag([1.0, 1, 3, 1]), np.zeros((depth, 6, 6), np.uint8))


def stopped(panel: Any, slices: int = 60) -> None:
    """A run that was cancelled half-way."""
    main = MainThread()
    fake_page(panel, slices=slices, size=16, delay_ms=30.0)
    panel.start()
    main.until(lambda: panel.growing is not None and len(panel.growing.arrived.get("image", [])) > 2, 60)
    panel.cancel()
    main.until(lambda: panel.button.mode is Mode.READY, 60)


def test_the_strip_marks_what_is_there_the_newest_brightest() -> None:
    picture = ruler.strip(100, [3, 0, 7], 10).toImage()
    opacity = {z: picture.pixelColor(z * 10 + 4, HEIGHT // 2) for z in range(10)}
    orange = {z: color.red() - color.blue() for z, color in opacity.items()}
    assert {z for z, difference in orange.items() if difference > 20} == {3, 0, 7}
    assert orange[3] < orange[0] < orange[7]


def test_a_view_that_follows_shows_the_newest_slice_until_somebody_scrolls(lone_panel: Any, red: Any) -> None:
    node, shown = upright(), Ruler(lone_panel._ui)
    shown.show(node, [0], 8)
    assert slice_views.shown(node) == 0
    lone_panel._ui.followBox.setChecked(True)
    for z in (1, 5, 2):
        shown.show(node, [0, z], 8)
        assert slice_views.shown(node) == z
        assert lone_panel._ui.sliceSlider.value == z
    red.SetSliceOffset(21.0)
    shown.show(node, [0, 5, 2, 3], 8)
    assert slice_views.shown(node) == 7
    assert not lone_panel._ui.followBox.checked


def test_the_slider_goes_to_a_slice_and_follows_the_view(lone_panel: Any, red: Any) -> None:
    node, shown = upright(), Ruler(lone_panel._ui)
    shown.show(node, [0, 1], 8)
    lone_panel._ui.sliceSlider.setValue(6)
    assert slice_views.shown(node) == 6
    red.SetSliceOffset(9.0)
    shown.look()
    assert lone_panel._ui.sliceSlider.value == 3
    slicer.mrmlScene.RemoveNode(node)
    shown.look()
    lone_panel._ui.sliceSlider.setValue(1)


def test_views_across_the_slices_stay_where_they_are(red: Any) -> None:
    node = upright()
    across = np.array([(0, 0, 1, 0), (1, 0, 0, 0), (0, 1, 0, 0), (0, 0, 0, 1)], float)
    red.GetSliceToRAS().DeepCopy(slicer.util.vtkMatrixFromArray(across))
    red.UpdateMatrices()
    before = red.GetSliceOffset()
    slice_views.go_to_slice(node, 5)
    assert red.GetSliceOffset() == before


def test_the_ruler_counts_the_slices_of_a_run_and_a_single_image_has_none(panel: Any, widget: Any) -> None:
    run_to_end(panel, slices=5, size=16, delay_ms=0.0)
    assert panel._ui.growthLabel.text == "5 / 5 slices"
    assert panel._ui.growthRow.isVisibleTo(widget.page)
    assert not panel._ui.partialRow.isVisibleTo(widget.page)
    run_to_end(panel, slices=1, size=16, delay_ms=0.0)
    assert not panel._ui.growthRow.isVisibleTo(widget.page)


def test_a_result_that_was_stopped_goes_on_where_it_was(panel: Any, widget: Any, home: Path) -> None:
    stopped(panel)
    assert panel._ui.partialRow.isVisibleTo(widget.page)
    node = panel.growing.nodes()["image"]
    recipe = json.loads(node.GetAttribute(RECIPE))
    assert (recipe["partial"], recipe["engine"], recipe["seed"], recipe["params"]["slices"]) == (True, "fake", 0, 60)
    assert recipe["job"] == node.GetAttribute(JOB)
    assert recipe["slices"] == sorted(set(panel.growing.arrived["image"]))
    assert recipe["fake"] is True  # what the engine noted, too
    assert node.GetAttribute(SYNTHETIC) == "true"
    panel._ui.resumeButton.click()
    assert panel._ui.runButton.text == "Cancel"
    MainThread().until(lambda: panel.button.mode is Mode.READY, 60)
    assert panel.growing.nodes()["image"] is node
    assert sorted(set(panel.growing.arrived["image"])) == list(range(60))
    assert all(np.array_equal(slicer.util.arrayFromVolume(node)[z], slice_pixels(0, z, 16)[0]) for z in range(60))
    assert "partial" not in node.GetAttribute(RECIPE)
    assert not panel._ui.partialRow.isVisibleTo(widget.page)
    with connect(home, start=False) as client:
        assert len(client.jobs()) == 1


def test_a_result_that_was_stopped_can_be_kept_or_discarded(panel: Any, widget: Any) -> None:
    stopped(panel)
    kept = panel.growing.nodes()["image"]
    panel._ui.keepButton.click()
    assert not panel._ui.partialRow.isVisibleTo(widget.page)
    stopped(panel)
    panel._ui.dropButton.click()
    assert panel.growing.nodes() == {}
    assert kept.GetScene() is slicer.mrmlScene


def test_a_result_whose_nodes_were_deleted_is_no_longer_offered(panel: Any, widget: Any) -> None:
    stopped(panel)
    slicer.mrmlScene.RemoveNode(panel.growing.nodes()["image"])
    panel.check()
    assert not panel._ui.partialRow.isVisibleTo(widget.page)


def offer_doubt(panel: Any, voxels: np.ndarray) -> Any:
    """Let a run of refine end whose uncertainty is this."""
    affine = tuple(map(tuple, np.diag([1.0, 1, 3, 1]).tolist()))
    panel._run = object.__new__(Run)
    panel._run.request = RunRequest("refine", "", {}, (0,), {})
    panel.growth.begin("lesion refine", (), None)
    panel.growth.announce(OutputInfo("uncertainty", "image", (1, *voxels.shape), "uint8", affine))
    for z, plane in enumerate(voxels):
        panel.growth.put("uncertainty", z, plane[None])
    panel.run_ended(panel._run, Ending.DONE, None)
    MainThread().until(lambda: panel.growth.doubt.walk.places is not None, 30)
    return panel.growth.nodes.nodes()["uncertainty"]


def test_uncertainty_is_an_overlay_on_demand_and_the_views_go_from_place_to_place(
    lone_panel: Any, lone_widget: Any, red: Any
) -> None:
    grid = upright()
    slicer.util.setSliceViewerLayers(background=grid)
    voxels = np.zeros((8, 40, 40), np.uint8)
    voxels[2, 8:12, 8:12], voxels[6, 30:34, 30:34] = 120, 250
    node = offer_doubt(lone_panel, voxels)
    layers = slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode")[0]
    assert lone_panel._ui.doubtRow.isVisibleTo(lone_widget.page)
    assert layers.GetForegroundVolumeID() is None
    assert layers.GetBackgroundVolumeID() == grid.GetID()
    lone_panel._ui.doubtBox.setChecked(True)
    assert layers.GetForegroundVolumeID() == node.GetID()
    for text, z in (("1 of 2", 6), ("2 of 2", 2), ("1 of 2", 6)):
        lone_panel._ui.nextDoubtButton.click()
        assert lone_panel._ui.doubtLabel.text == text
        assert slice_views.shown(node) == z
    lone_panel._ui.doubtBox.setChecked(False)
    assert layers.GetForegroundVolumeID() is None


def test_what_is_sure_is_clear_and_a_result_that_is_sure_of_all_has_no_places(lone_panel: Any, red: Any) -> None:
    node = offer_doubt(lone_panel, np.zeros((3, 16, 16), np.uint8))
    assert node.GetDisplayNode().GetApplyThreshold()
    assert node.GetDisplayNode().GetLowerThreshold() > 0
    assert not lone_panel._ui.nextDoubtButton.enabled
    assert lone_panel._ui.nextDoubtButton.toolTip == "The result is sure everywhere"
    newer = offer_doubt(lone_panel, np.full((3, 16, 16), 9, np.uint8))
    assert node.GetScene() is None
    slicer.mrmlScene.RemoveNode(newer)
    lone_panel.check()
    assert lone_panel._ui.doubtRow.isHidden()


def test_the_result_of_a_refinement_from_the_list_shows_its_uncertainty_apart() -> None:
    node = volume_node(oblique())
    output = OutputInfo(results.UNCERTAINTY, "image", (1, 4, 5, 6), "uint8", tuple(map(tuple, oblique().tolist())))
    layers = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSliceCompositeNode")
    results.present(node, output, None)
    assert layers.GetBackgroundVolumeID() is None

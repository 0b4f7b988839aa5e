"""The panel in Slicer: forms from the capability document, runs that grow in the scene, jobs of all clients."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import slicer
from MedSynthLib import conversion, tumor_roi
from MedSynthLib.engine_page import EnginePage
from MedSynthLib.forms import ParamForm
from MedSynthLib.growing import RECIPE, SYNTHETIC
from MedSynthLib.panel import Panel
from MedSynthLib.primary_button import Mode
from MedSynthLib.scripting import Engine
from MedSynthLib.segments import new_segmentation
from MedSynthLib.settings import Settings

from medsynth_core.client import connect
from medsynth_core.engines._base import get_engine
from medsynth_core.engines.fake import slice_pixels
from medsynth_core.errors import ParameterError
from medsynth_core.protocol import (
    Capabilities,
    EngineInfo,
    InputInfo,
    LabelInfo,
    ModelCard,
    ModelInfo,
    ParamInfo,
    ParamKind,
)
from medsynth_core.volume import Volume
from tests.running import RunningService
from tests.slicer_extension.main_thread import MainThread
from tests.slicer_extension.painting import paint
from tests.slicer_extension.test_slicer_conversion import oblique, volume_node, world_of

PARAMS = (
    ParamInfo("steps", "Steps", ParamKind.CHOICE, 4, choices=(1, 2, 4)),
    ParamInfo("density", "Density", ParamKind.NUMBER, 0.5, 0.0, 1.0, unit="1/mm²", help="how many"),
    ParamInfo("count", "Count", ParamKind.INTEGER, 3, 1, 9),
    ParamInfo("smooth", "Smooth", ParamKind.FLAG, True),
    ParamInfo("note", "Note", ParamKind.TEXT, "x", advanced=True),
)
TOY = EngineInfo("fifth", "An engine nobody here has heard of", inputs=(InputInfo("mask", "Mask", "labels"),), params=PARAMS)
CARD = ModelCard("toy", "Toy model", "fifth", 1, (8, 8), (LabelInfo(1, "tumor", "#f28e2b"),), "CC0", "none", options=PARAMS[:1])


def fake_page(panel: Panel, **values: Any) -> EnginePage:
    page = panel.pages["fake"]
    panel._ui.tabs.setCurrentIndex(list(panel.pages).index("fake"))
    page.form.set_values(values)
    return page


def run_to_end(panel: Panel, **values: Any) -> dict[str, Any]:
    fake_page(panel, **values)
    panel.start()
    MainThread().until(lambda: panel.button.mode is Mode.READY, 60)
    assert panel.growing is not None
    return panel.growing.nodes()


def test_the_form_of_a_fifth_engine_appears_without_code_here(panel: Panel) -> None:
    panel.capabilities_changed(Capabilities(1, "0", "toy", True, engines=(TOY,), models=(ModelInfo("toy", "fifth", CARD),)))
    page = panel.page
    assert page is not None
    assert panel._ui.tabs.tabText(0) == "Fifth"
    assert panel._ui.runButton.text == "Fifth"
    assert page.values() == {"steps": 4, "density": 0.5, "count": 3, "smooth": True, "note": "x"}
    page.form.set_values({"steps": 2, "density": 0.25, "count": 9, "smooth": False, "unknown": 1})
    assert page.values() == {"steps": 4, "density": 0.25, "count": 9, "smooth": False, "note": "x"}
    assert page.card is not None
    assert page.card.id == "toy"
    assert "choose a segmentation" in panel._ui.runButton.toolTip
    assert not panel._ui.runButton.enabled


def test_a_field_says_its_unit_help_and_range() -> None:
    form = ParamForm(PARAMS)
    assert form.fields["density"].toolTip == "how many · 0 to 1"
    assert form.page.layout().labelForField(form.fields["density"]).text == "Density (1/mm²)"
    assert (form.fields["count"].minimum, form.fields["count"].maximum) == (1, 9)


def test_a_value_that_a_field_refuses_leaves_it_as_it_is() -> None:
    form = ParamForm(PARAMS)
    form.set_values({"steps": 3, "count": 77})
    assert form.values()["steps"] == 4
    assert form.values()["count"] == 3
    with pytest.raises(ParameterError):
        PARAMS[2].check(77)


def test_a_run_grows_into_the_scene_and_is_marked(panel: Panel, widget: Any) -> None:
    grid = volume_node(oblique(), np.zeros((4, 16, 16), np.uint8))
    widget.logic.settings().image = grid
    widget.logic.settings().mask = new_segmentation(grid, CARD.labels, "lesion")
    widget.logic.settings().seed = 5
    node = run_to_end(panel, slices=4, size=16)["image"]
    assert node.GetName() == "[Synthetic] lesion"
    assert node.GetAttribute(SYNTHETIC) == "true"
    assert '"seed": 5' in node.GetAttribute(RECIPE)
    assert np.array_equal(slicer.util.arrayFromVolume(node)[2], slice_pixels(5, 2, 16)[0])
    for corner in ((0, 0, 0), (15, 15, 3)):
        assert np.abs(world_of(node, *corner) - world_of(grid, *corner)).max() < 1e-3
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
    assert hierarchy.GetItemByDataNode(node)


def test_the_button_morphs_and_a_cancelled_run_keeps_its_slices(panel: Panel) -> None:
    main = MainThread()
    fake_page(panel, slices=500, size=16, delay_ms=20.0)
    assert panel._ui.runButton.text == "Fake"
    panel._ui.runButton.click()
    assert panel._ui.runButton.text == "Cancel"
    main.until(lambda: panel.growing is not None and len(panel.growing.arrived.get("image", [])) > 2)
    panel._ui.runButton.click()
    assert panel._ui.runButton.text == "Cancelling…"
    assert not panel._ui.runButton.enabled
    main.until(lambda: panel.button.mode is Mode.READY)
    assert panel._ui.runButton.text == "Fake"
    assert panel.growing is not None
    assert slicer.util.arrayFromVolume(panel.growing.nodes()["image"])[:2].any()


def test_what_fails_is_said_in_a_sentence(panel: Panel) -> None:
    run_to_end(panel, slices=2, size=8, fault="error", fault_times=9)
    assert panel._ui.messageLabel.text.startswith("The engine")


def test_a_tumor_s_box_and_its_numbers_follow_each_other(panel: Panel, widget: Any) -> None:
    engine = get_engine("tumor").describe()
    panel.capabilities_changed(Capabilities(1, "0", "toy", True, engines=(TOY, engine)))
    panel._ui.tabs.setCurrentIndex(list(panel.pages).index("fifth"))
    assert not panel._ui.boxButton.isVisibleTo(widget.page)
    panel._ui.tabs.setCurrentIndex(list(panel.pages).index("tumor"))
    assert panel._ui.boxButton.isVisibleTo(widget.page)
    grid = volume_node(np.diag([2.0, 2, 2, 1]))
    widget.logic.settings().image = grid
    page = panel.pages["tumor"]
    page.use("background", True)
    assert page.values()["place"] != "given"
    panel._ui.boxButton.setChecked(True)
    box = panel.placing.box
    assert np.allclose(box.GetCenterWorld(), (5, 4, 3), atol=1e-3)
    assert page.values()["place"] == "given"
    box.SetCenterWorld(11, 12, 13)
    assert [page.values()[f"center_{axis}_mm"] for axis in "xyz"] == pytest.approx([11, 12, 13], abs=0.01)
    page.fields["extent_y_mm"].setValue(44.0)
    assert np.allclose(tumor_roi.read(box), ((11, 12, 13), (30, 44, 30)), atol=0.01)
    slicer.mrmlScene.Clear(0)
    assert panel.placing.box is None
    assert not panel._ui.boxButton.checked


def test_new_segments_have_the_names_and_colors_of_the_model(panel: Panel, widget: Any) -> None:
    panel.capabilities_changed(Capabilities(1, "0", "toy", True, engines=(TOY,), models=(ModelInfo("toy", "fifth", CARD),)))
    panel._ui.newMaskButton.click()
    assert panel._ui.messageLabel.text.startswith("Choose a volume first")
    widget.logic.settings().image = volume_node(oblique())
    panel._ui.newMaskButton.click()
    mask = widget.logic.settings().mask
    segment = mask.GetSegmentation().GetNthSegment(0)
    assert (mask.GetName(), segment.GetName()) == ("given mask", "tumor")
    assert np.allclose(segment.GetColor(), (0xF2 / 255, 0x8E / 255, 0x2B / 255), atol=1e-6)
    assert "Nothing is painted in this volume" in panel._ui.runButton.toolTip
    paint(mask, widget.logic.settings().image)
    panel.check()
    assert panel._ui.runButton.enabled


def test_a_painted_segment_that_the_model_does_not_know_is_named(panel: Panel, widget: Any) -> None:
    two = replace(CARD, labels=(*CARD.labels, LabelInfo(2, "edema", "#59a14f")))
    panel.capabilities_changed(Capabilities(1, "0", "toy", True, engines=(TOY,), models=(ModelInfo("toy", "fifth", two),)))
    widget.logic.settings().image = volume_node(oblique())
    panel._ui.newMaskButton.click()
    widget.logic.settings().mask.GetSegmentation().GetNthSegment(1).SetName("cyst")
    panel.start()
    assert "Segment 'cyst' is no label of the model, which knows tumor, edema" in panel._ui.messageLabel.text
    assert panel.button.mode is Mode.READY


def test_the_pill_says_how_the_engine_is(panel: Panel) -> None:
    MainThread().until(lambda: "Ready" in panel._ui.engineButton.text, 30)
    assert panel._ui.engineButton.text.startswith("● Ready")


def test_a_job_of_napari_is_in_the_list_with_its_progress_and_opens_here(panel: Panel, home: Path) -> None:
    main = MainThread()
    with connect(home, start=False, name="napari") as napari:
        job = napari.submit("fake", seed=3, slices=40, size=8, delay_ms=30.0)
        main.until(lambda: any(j.id == job.id and j.done for j in panel.history.jobs) or panel.refresh_history(), 30)
        what, state, origin, _ = panel.history.texts()[0]
        assert (what, origin) == ("fake", "napari")
        assert state.startswith("running ")
        assert state.endswith("/40")
        job.wait()
        main.until(lambda: panel.history.jobs[0].state == "done" or panel.refresh_history(), 30)
        panel._ui.historyTable.cellDoubleClicked.emit(0, 0)
        main.until(lambda: slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLScalarVolumeNode"))
    node = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLScalarVolumeNode")
    assert node.GetName() == "[Synthetic] fake"
    assert np.array_equal(slicer.util.arrayFromVolume(node)[39], slice_pixels(3, 39, 8)[0])


def test_a_job_of_slicer_is_napari_s_to_see_and_open(panel: Panel, home: Path) -> None:
    run_to_end(panel, slices=3, size=8)
    with connect(home, start=False, name="napari") as napari:
        newest = napari.jobs()[0]
        assert (newest.request.client, newest.state) == ("slicer", "done")
        assert napari.job(newest.id).result("image").size == (3, 8, 8)


def test_closing_the_scene_in_the_middle_leaves_a_panel_that_works(
    panel: Panel, widget: Any, caplog: pytest.LogCaptureFixture
) -> None:
    main = MainThread()
    fake_page(panel, slices=30, size=8, delay_ms=20.0)
    panel.start()
    main.until(lambda: panel.growing is not None and panel.growing.arrived.get("image"))
    slicer.mrmlScene.Clear(0)
    main.until(lambda: panel.button.mode is Mode.READY)
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert run_to_end(panel, slices=2, size=8, delay_ms=0.0)["image"]


def test_a_module_that_is_reloaded_in_the_middle_lets_go_of_everything(
    panel: Panel, widget: Any, home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    main = MainThread()
    fake_page(panel, slices=30, size=8, delay_ms=20.0)
    panel.start()
    main.until(lambda: panel.growing is not None and panel.growing.arrived.get("image"))
    widget.cleanup()
    main.rest(0.3)
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]
    with connect(home, start=False) as client:
        assert client.jobs()[0].state in ("running", "done")  # the job goes on without us
    main.until(lambda: not [t for t in threading.enumerate() if t.name == "medsynth-watch"], 10)


def test_widgets_and_scripts_write_the_same_settings(panel: Panel, widget: Any) -> None:
    widget.page.seedBox.value = 41
    assert widget.logic.settings().seed == 41
    widget.logic.settings().seed = 42
    assert widget.page.seedBox.value == 42
    assert isinstance(widget.logic.settings(), Settings)


def test_a_script_runs_an_engine_without_the_panel(service: RunningService, home: Path) -> None:
    engine = Engine()
    (node,) = engine.run("fake", "", 9, None, slices=3, size=8)
    assert np.array_equal(slicer.util.arrayFromVolume(node)[1], slice_pixels(9, 1, 8)[0])
    assert '"seed": 9' in node.GetAttribute(RECIPE)
    engine.close()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_real_model_paints_an_image_where_the_segments_lie(start_service: Callable[..., RunningService], home: Path) -> None:
    start_service()
    grid = volume_node(oblique(), np.zeros((2, 128, 128), np.uint8))
    engine = Engine()
    card = next(model.card for model in engine.client.capabilities().models if model.id == "brain-slice")
    assert card is not None
    mask = new_segmentation(grid, card.labels, "lesion")
    labels = np.zeros((1, 2, 128, 128), np.uint8)
    labels[0, :, 50:80, 40:70] = 1
    place = conversion.affine_of(grid)
    conversion.fill_segments(mask, Volume(labels, place), {1: mask.GetSegmentation().GetNthSegmentID(0)})
    node = engine.synthesize(mask, grid, "brain-slice", seed=7, k=1)
    refined = engine.refine(node, mask)
    for corner in ((0, 0), (127, 127)):
        assert np.abs(world_of(node, *corner, 0) - world_of(grid, *corner, 1)).max() < 1e-3
    assert slicer.util.arrayFromVolume(node).std() > 5
    segment = refined.GetSegmentation().GetNthSegment(0)
    assert segment.GetName() == card.labels[1].name
    inside = conversion.labels_of(refined, grid, {refined.GetSegmentation().GetNthSegmentID(0): 1}).array[:, 1]
    assert not conversion.labels_of(refined, grid, {refined.GetSegmentation().GetNthSegmentID(0): 1}).array[:, 0].any()
    assert 0.5 < inside.sum() / labels[:, 1].sum() < 2
    assert (inside & labels[:, 1]).sum() > 0.6 * labels[:, 1].sum()
    engine.close()

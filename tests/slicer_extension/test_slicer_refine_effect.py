"""The effect Refine (diffusion): found by Slicer, works on the selected segment alone, and the editor's Undo takes it back."""

from __future__ import annotations

import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import slicer
from MedSynthLib import conversion, refine_effect, samples
from MedSynthLib.primary_button import Mode
from MedSynthLib.refine_options import label_for

from medsynth_core.errors import LabelError, MedSynthError
from medsynth_core.protocol import Capabilities, EngineInfo, LabelInfo, ModelCard, ModelInfo, OutputInfo
from medsynth_core.run import Ending, Made, RunRequest
from tests.running import RunningService
from tests.slicer_extension.main_thread import MainThread
from tests.slicer_extension.test_slicer_live import REFINE, FakeRun
from tests.slicer_extension.test_slicer_review import SHAPE, Case

OFFER = Capabilities(1, "0", "toy", True, engines=(REFINE,), models=())


class Editing:
    """A segment editor on two painted segments with the effect in it, and a service that answers when told."""

    def __init__(self) -> None:
        self.case = Case()
        slicer.mrmlScene.RemoveNode(self.case.preview)
        refine_effect.register()
        self.scripted = slicer.qSlicerSegmentEditorEffectFactory.effects[-1].self().clone()
        self.scripted.editor = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentEditorNode")
        self.scripted.editor.SetAndObserveSegmentationNode(self.case.mask)
        self.scripted.editor.SetAndObserveSourceVolumeNode(self.case.grid)
        self.effect = self.scripted.self()
        self.effect.setupOptionsFrame()
        self.options = self.effect.options
        self.runs: list[Any] = []
        self.options.session = types.SimpleNamespace(run=self.start, close=lambda: None)
        self.select(0)
        self.options.capabilities_changed(OFFER)
        self.options.ui.shownBox.setChecked(False)

    def select(self, n: int) -> None:
        self.segment = self.case.mask.GetSegmentation().GetNthSegmentID(n)
        self.scripted.editor.SetSelectedSegmentID(self.segment)
        self.effect.updateGUIFromMRML()

    def start(self, request: RunRequest) -> Any:
        self.runs.append(FakeRun(request))
        return self.runs[-1]

    def answer(self, labels: np.ndarray) -> None:
        run, affine = self.runs[-1], self.runs[-1].request.inputs["mask"].affine
        self.options.run_announced(run, OutputInfo("mask", "labels", labels.shape, "uint8", tuple(map(tuple, affine.tolist()))))
        for z in range(labels.shape[1]):
            self.options.run_grew(run, "mask", z, labels[:, z])
        self.options.run_made(run, Made(0, {}, {"engine": "refine"}, "job", 0.1))
        self.options.run_ended(run, Ending.DONE, None)


@pytest.fixture
def editing() -> Iterator[Editing]:
    """An editor with the effect chosen."""
    made = Editing()
    yield made
    made.effect.cleanup()


def test_slicer_finds_the_effect_by_its_file(editing: Editing) -> None:
    assert editing.scripted.name == "Refine (diffusion)"
    assert editing.scripted.perSegment
    assert isinstance(editing.effect, refine_effect.RefineEffect)
    assert editing.scripted.widgets == [editing.options.page]
    assert not editing.effect.icon().isNull()
    assert "Apply" in editing.effect.helpText()


def test_the_selected_segment_alone_is_sent_and_written_and_undo_brings_it_back(editing: Editing) -> None:
    editing.select(1)
    editing.options.ui.runButton.click()
    assert np.array_equal(editing.runs[0].request.inputs["mask"].array, (editing.case.rough == 2).astype(np.uint8))
    assert editing.runs[0].request.inputs["image"].size == SHAPE
    fine = (editing.case.fine == 2).astype(np.uint8)
    editing.answer(fine)
    assert np.array_equal(editing.case.read(), editing.case.rough)  # an outline first
    editing.options.ui.applyButton.click()
    read = editing.case.read()
    assert np.array_equal(read == 2, fine == 1)
    assert np.array_equal(read == 1, (editing.case.rough == 1) & (fine == 0))
    assert not editing.options.ui.undoButton.isVisibleTo(editing.options.page)  # the editor has one
    editing.scripted.history.RestorePreviousState()
    assert np.array_equal(editing.case.read(), editing.case.rough)


def test_of_the_shown_slice_alone_the_others_stay(editing: Editing, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversion, "shown_slice", lambda node, view="Red": 2)
    editing.options.ui.shownBox.setChecked(True)
    editing.options.start()
    assert editing.runs[0].request.inputs["mask"].size == (1, *SHAPE[1:])
    editing.answer(np.ones((1, 1, *SHAPE[1:]), np.uint8))
    editing.options.review.apply()
    inside = conversion.labels_of(editing.case.mask, editing.case.grid, {editing.segment: 1}).array[0]
    assert inside[2].all()
    assert np.array_equal(inside[[0, 1, 3]], (editing.case.rough[0] == 1)[[0, 1, 3]])


def test_discard_leaves_the_segment_as_it_is(editing: Editing) -> None:
    editing.options.start()
    editing.answer((editing.case.fine == 1).astype(np.uint8))
    editing.options.ui.discardButton.click()
    assert np.array_equal(editing.case.read(), editing.case.rough)
    MainThread().turn()
    assert len(slicer.util.getNodesByClass("vtkMRMLSegmentationNode")) == 1


def test_the_disabled_button_says_what_is_missing(editing: Editing) -> None:
    button = editing.options.ui.runButton
    assert button.enabled
    empty = editing.case.mask.GetSegmentation().AddEmptySegment("", "new", (1, 0, 0))
    editing.scripted.editor.SetSelectedSegmentID(empty)
    editing.effect.updateGUIFromMRML()
    assert not button.enabled
    assert "Nothing is painted" in button.toolTip
    editing.select(0)
    editing.scripted.editor.SetAndObserveSourceVolumeNode(None)
    editing.effect.sourceVolumeNodeChanged()
    assert "source volume" in button.toolTip
    editing.options.capabilities_changed(Capabilities(1, "0", "toy", False))
    assert "starting" in button.toolTip


def test_cancel_and_failure_are_said_and_the_next_run_can_start(editing: Editing) -> None:
    options = editing.options
    options.start()
    assert options.ui.runButton.text == "Cancel"
    options.ui.runButton.click()
    assert editing.runs[0].cancelled
    options.run_ended(editing.runs[0], Ending.CANCELLED, None)
    assert options.button.mode is Mode.READY
    options.start()
    options.run_ended(editing.runs[1], Ending.FAILED, MedSynthError("no room"))
    assert options.ui.messageLabel.text == "No room."
    assert not options.ui.applyButton.isVisibleTo(options.page)


def test_a_scene_closed_meanwhile_is_met_with_silence(editing: Editing) -> None:
    editing.options.start()
    slicer.mrmlScene.Clear(0)
    editing.answer(np.ones((1, *SHAPE), np.uint8))
    editing.options.review.apply()
    assert "are gone" in editing.options.ui.messageLabel.text
    editing.effect.updateGUIFromMRML()
    assert not editing.options.ui.runButton.enabled


def test_a_model_of_several_labels_wants_a_name_it_knows() -> None:
    case, labels = Case(), (LabelInfo(0, "background", ""), LabelInfo(4, "edema", ""), LabelInfo(7, "Tumor", ""))
    card = ModelCard("toy", "Toy", "refine", 1, (8, 8), labels, "CC0", "none")
    tumor = case.mask.GetSegmentation().GetNthSegmentID(0)
    assert label_for(case.mask, tumor, card) == 7
    assert label_for(case.mask, tumor, None) == 1
    case.mask.GetSegmentation().GetSegment(tumor).SetName("cyst")
    with pytest.raises(LabelError, match="'cyst' is no label"):
        label_for(case.mask, tumor, card)


def test_the_form_is_drawn_anew_with_what_was_chosen(editing: Editing) -> None:
    assert editing.options.form is not None
    editing.options.form.set_values({"steps": 9})
    models = (ModelInfo("toy", "refine", ModelCard("toy", "Toy", "refine", 1, (8, 8), (), "CC0", "none")),)
    other = EngineInfo("fake", "noise")
    editing.options.capabilities_changed(Capabilities(1, "0", "toy", True, engines=(other, REFINE), models=models))
    assert editing.options.form.values() == {"steps": 9}
    assert editing.options.request().model == "toy"


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_real_model_moves_the_boundary_of_a_roughly_painted_polyp(service: RunningService, home: Path) -> None:
    """Real frame, real network, real service: the effect alone, without the module's panel."""
    editing, main = Editing(), MainThread()
    grid, rough = samples.load(samples.POLYP_ROUGH)
    editing.scripted.editor.SetAndObserveSegmentationNode(rough)
    editing.scripted.editor.SetAndObserveSourceVolumeNode(grid)
    segment = rough.GetSegmentation().GetNthSegmentID(0)
    editing.scripted.editor.SetSelectedSegmentID(segment)
    before = conversion.labels_of(rough, grid, {segment: 1}).array
    editing.options.session = editing.options.form = None
    editing.effect.activate()
    main.until(lambda: editing.options.ui.runButton.enabled, 120)
    editing.options.form.set_values({"steps": 1})
    editing.options.ui.runButton.click()
    main.until(lambda: editing.options.button.mode is Mode.READY, 300)
    assert editing.options.ui.messageLabel.text == ""
    editing.options.ui.applyButton.click()
    after = conversion.labels_of(rough, grid, {segment: 1}).array
    changed, both = np.count_nonzero(after != before), np.count_nonzero(after & before)
    assert 0 < changed < np.count_nonzero(before)
    assert both > np.count_nonzero(before) / 2
    editing.scripted.history.RestorePreviousState()
    assert np.array_equal(conversion.labels_of(rough, grid, {segment: 1}).array, before)
    editing.effect.cleanup()

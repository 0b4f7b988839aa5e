"""The embedded segment editor: follows the panel's choice, lets go in time, and undoes an Apply as it undoes a stroke."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import slicer
from MedSynthLib.editor import TAG, Editor
from MedSynthLib.review import Review
from MedSynthLib.segments import new_segmentation

from tests.slicer_extension.test_slicer_conversion import oblique, volume_node
from tests.slicer_extension.test_slicer_review import LABELS, Case, Desk


@pytest.fixture
def widget() -> Any:
    """Slicer's editor, as far as the stand-in has it."""
    return slicer.qMRMLSegmentEditorWidget()


def test_it_edits_the_chosen_segments_over_the_chosen_volume(widget: Any) -> None:
    case, editor = Case(), Editor(widget)
    editor.show(case.mask, case.grid)
    assert (widget.segmentation, widget.source) == (case.mask, case.grid)
    assert widget.node.GetSingletonTag() == TAG
    assert widget.scene is slicer.mrmlScene
    assert widget.shown_selectors == set()
    editor.take_brush()
    assert widget.effect == "Paint"
    editor.show(None, case.grid)
    assert widget.segmentation is None


def test_the_same_choice_again_leaves_the_editor_and_its_undo_alone(widget: Any) -> None:
    case, editor = Case(), Editor(widget)
    editor.show(case.mask, case.grid)
    widget.saveStateForUndo()
    editor.show(case.mask, case.grid)
    case.write(case.fine)
    widget.undo()
    assert np.array_equal(case.read(), case.rough)


def test_a_deleted_segmentation_and_a_closed_scene_are_let_go(widget: Any) -> None:
    case, editor = Case(), Editor(widget)
    editor.show(case.mask, case.grid)
    slicer.mrmlScene.RemoveNode(case.mask)
    editor.show(case.mask, case.grid)
    assert widget.segmentation is None
    editor.forget()
    slicer.mrmlScene.Clear(0)
    grid = volume_node(oblique(), np.zeros((2, 4, 4), np.uint8))
    editor.show(new_segmentation(grid, LABELS, "next"), grid)
    assert widget.node.GetScene() is slicer.mrmlScene
    assert widget.segmentation.GetName() == "next"


def test_strokes_and_keys_are_taken_only_while_the_module_is_shown(widget: Any) -> None:
    editor = Editor(widget)
    assert not widget.observes
    editor.enter()
    assert widget.observes
    assert widget.shortcuts
    widget.setActiveEffectByName("Paint")
    editor.leave()
    editor.leave()
    assert not widget.observes
    assert not widget.shortcuts
    assert widget.effect == ""


def test_the_editor_s_own_undo_takes_an_apply_back(widget: Any) -> None:
    case, editor, desk = Case(), Editor(widget), Desk()
    desk.review = Review(desk, desk.say, editor.save_state)
    editor.show(case.mask, case.grid)
    desk.review.offer(case.preview, case.sent)
    desk.review.apply()
    assert np.array_equal(case.read(), case.fine)
    widget.undo()
    assert np.array_equal(case.read(), case.rough)
    desk.review.undo()
    assert "painted on after Apply" in desk.said  # and nothing is undone twice
    assert np.array_equal(case.read(), case.rough)


def test_an_apply_to_other_segments_than_the_edited_ones_leaves_the_editor_s_undo_alone(widget: Any) -> None:
    case, other, editor, desk = Case(), Case(), Editor(widget), Desk()
    desk.review = Review(desk, desk.say, editor.save_state)
    editor.show(other.mask, other.grid)
    desk.review.offer(case.preview, case.sent)
    desk.review.apply()
    assert widget.history.GetNumberOfStates() == 0
    assert np.array_equal(case.read(), case.fine)

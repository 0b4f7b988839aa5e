"""Apply: refined segments go into the ones they were made from, as one undo state, and nothing else changes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import qt
import slicer
from MedSynthLib import conversion
from MedSynthLib.growing import GrowingNodes
from MedSynthLib.review import Review, Sent, sent
from MedSynthLib.segments import label_values, labels_like, new_segmentation

from medsynth_core.protocol import LabelInfo, OutputInfo
from medsynth_core.run import Ending, Run, RunRequest
from medsynth_core.volume import Volume
from tests.slicer_extension.main_thread import MainThread
from tests.slicer_extension.test_slicer_conversion import oblique, put_under, volume_node

SHAPE = (4, 12, 16)
LABELS = (LabelInfo(1, "tumor", "#f28e2b"), LabelInfo(2, "edema", "#59a14f"))


class Case:
    """A volume, two painted segments, and what came back for them."""

    def __init__(self, k: int | None = None, under: bool = False) -> None:
        self.grid = volume_node(oblique(), np.zeros(SHAPE, np.uint8))
        if under:
            put_under(self.grid)
        self.mask = new_segmentation(self.grid, LABELS, "lesion")
        self.rough = np.zeros((1, *SHAPE), np.uint8)
        self.rough[0, 1:4, 2:8, 2:8], self.rough[0, 1:4, 8:11, 9:14] = 1, 2
        self.write(self.rough)
        self.values = label_values(self.mask)
        self.sent: Sent = sent(self.mask, self.values, self.grid, k)
        self.fine = np.zeros((1, *SHAPE), np.uint8)
        self.fine[0, 1:4, 3:7, 1:9], self.fine[0, 1:3, 7:11, 9:15] = 1, 2
        self.preview = self.grown(self.fine if k is None else self.fine[:, k : k + 1], k)

    def write(self, labels: np.ndarray) -> None:
        ids = self.mask.GetSegmentation().GetSegmentIDs()
        conversion.fill_segments(self.mask, Volume(labels, conversion.affine_of(self.grid)), dict(enumerate(ids, 1)))

    def read(self) -> np.ndarray:
        return conversion.labels_of(self.mask, self.grid, self.values).array

    def grown(self, labels: np.ndarray, k: int | None) -> Any:
        volume = conversion.volume_of(self.grid)
        place = volume.affine if k is None else conversion.one_slice(volume, k).affine
        growing = GrowingNodes("lesion refine", labels_like(self.mask, self.values))
        growing.announce(OutputInfo("mask", "labels", labels.shape, "uint8", tuple(tuple(row) for row in place.tolist())))
        for z in range(labels.shape[1]):
            growing.put("mask", z, labels[:, z])
        growing.redraw(last=True)
        return growing.nodes()["mask"]


class Desk:
    """The buttons of the panel, and what it was told to say."""

    def __init__(self) -> None:
        self.page, self.said = qt.QWidget(), ""
        self.reviewRow = qt.QWidget(self.page)
        self.applyButton, self.discardButton, self.undoButton = (qt.QPushButton(self.reviewRow) for _ in range(3))
        self.review = Review(self, self.say)

    def say(self, text: str) -> None:
        self.said = text


@pytest.fixture
def desk() -> Desk:
    """Buttons without a panel: no service is needed."""
    return Desk()


@pytest.mark.parametrize("under", [False, True], ids=["plain", "under a transform"])
def test_apply_writes_the_refined_segments_and_undo_brings_the_rough_ones_back(desk: Desk, under: bool) -> None:
    case = Case(under=under)
    desk.review.offer(case.preview, case.sent)
    assert np.array_equal(case.read(), case.rough)  # a preview changes nothing
    assert desk.applyButton.enabled
    desk.applyButton.click()
    assert np.array_equal(case.read(), case.fine)
    MainThread().turn()
    assert case.preview.GetScene() is None
    desk.undoButton.click()
    assert np.array_equal(case.read(), case.rough)
    names = [case.mask.GetSegmentation().GetNthSegment(n).GetName() for n in range(2)]
    assert names == ["tumor", "edema"]


def test_of_a_single_slice_the_other_slices_stay(desk: Desk) -> None:
    case = Case(k=2)
    desk.review.offer(case.preview, case.sent)
    desk.review.apply()
    expected = case.rough.copy()
    expected[:, 2] = case.fine[:, 2]
    assert np.array_equal(case.read(), expected)
    desk.review.undo()
    assert np.array_equal(case.read(), case.rough)


def test_each_apply_is_one_step_back(desk: Desk) -> None:
    case = Case()
    desk.review.offer(case.preview, case.sent)
    desk.review.apply()
    again = np.roll(case.fine, 1, axis=3)
    desk.review.offer(case.grown(again, None), sent(case.mask, case.values, case.grid, None))
    desk.review.apply()
    assert np.array_equal(case.read(), again)
    desk.review.undo()
    assert np.array_equal(case.read(), case.fine)
    desk.review.undo()
    assert np.array_equal(case.read(), case.rough)
    desk.review.undo()
    assert np.array_equal(case.read(), case.rough)


def test_what_was_painted_meanwhile_is_replaced_said_and_comes_back(desk: Desk) -> None:
    case = Case()
    painted = case.rough.copy()
    painted[0, 0, 0, 0] = 1
    case.write(painted)
    desk.review.offer(case.preview, case.sent)
    desk.review.apply()
    assert "Undo brings it back" in desk.said
    desk.review.undo()
    assert np.array_equal(case.read(), painted)


def test_strokes_after_apply_are_not_undone_by_it(desk: Desk) -> None:
    case = Case()
    desk.review.offer(case.preview, case.sent)
    desk.review.apply()
    painted = case.fine.copy()
    painted[0, 0, 0, 0] = 1
    case.write(painted)
    desk.review.undo()
    assert "painted on after Apply" in desk.said
    assert np.array_equal(case.read(), painted)


def test_discard_leaves_everything_as_it_was(desk: Desk) -> None:
    case = Case()
    desk.review.offer(case.preview, case.sent)
    desk.discardButton.click()
    MainThread().turn()
    assert case.preview.GetScene() is None
    assert np.array_equal(case.read(), case.rough)
    desk.review.apply()
    assert np.array_equal(case.read(), case.rough)


def test_segments_that_are_gone_are_named_and_the_refined_ones_stay(desk: Desk) -> None:
    case = Case()
    desk.review.offer(case.preview, case.sent)
    gone = next(iter(case.values))
    case.mask.GetSegmentation().RemoveSegment(gone)
    desk.review.apply()
    assert "is gone from lesion" in desk.said
    assert case.preview.GetScene() is not None
    slicer.mrmlScene.RemoveNode(case.mask)
    desk.review.apply()
    assert "are gone" in desk.said
    assert case.preview.GetScene() is not None


def test_closing_the_scene_takes_the_buttons_away(desk: Desk) -> None:
    case = Case()
    desk.review.offer(case.preview, case.sent)
    assert desk.reviewRow.isVisibleTo(desk.page)
    slicer.mrmlScene.Clear(0)
    desk.review.show()
    assert not desk.reviewRow.isVisibleTo(desk.page)


def test_a_run_that_refines_is_offered_for_review_and_another_is_not(panel: Any, widget: Any) -> None:
    case = Case()
    for made_of, offered in ((case.sent, True), (None, False)):
        panel.review.forget()
        panel._run = object.__new__(Run)
        panel._run.request = RunRequest("refine", "", {}, (0,), {})
        panel._sent = made_of
        panel.growth.begin("lesion refine", LABELS, None)
        panel.growth.announce(OutputInfo("mask", "labels", (1, *SHAPE), "uint8", tuple(map(tuple, oblique().tolist()))))
        panel.run_ended(panel._run, Ending.DONE, None)
        assert panel._ui.applyButton.isVisibleTo(widget.page) == offered


def test_an_outline_offered_again_before_the_next_turn_stays(desk: Desk) -> None:
    case = Case()
    desk.review.offer(case.preview, case.sent)
    desk.discardButton.click()
    desk.review.offer(case.preview, case.sent)
    MainThread().turn()
    assert case.preview.GetScene() is not None
    assert case.preview.GetDisplayVisibility()

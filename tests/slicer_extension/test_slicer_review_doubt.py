"""Apply and Undo in cases of doubt: what is not clearly meant is not done, and nothing of the user's is lost."""

from __future__ import annotations

import numpy as np
import slicer
from MedSynthLib import conversion
from MedSynthLib.review import Review, sent

from tests.slicer_extension.test_slicer_review import Case, Desk


def test_a_segment_taken_out_of_the_outline_leaves_the_user_s_own_as_it_is() -> None:
    case, desk = Case(), Desk()
    desk.review.offer(case.preview, case.sent)
    case.preview.GetSegmentation().RemoveSegment(case.preview.GetSegmentation().GetNthSegmentID(1))
    desk.review.apply()
    read = case.read()
    assert np.array_equal(read == 2, (case.rough == 2) & (case.fine != 1))  # only what the other one took
    assert np.array_equal(read == 1, case.fine == 1)


def test_undo_keeps_names_and_colors_given_since() -> None:
    case, desk = Case(), Desk()
    desk.review.offer(case.preview, case.sent)
    desk.review.apply()
    part = case.mask.GetSegmentation().GetNthSegment(0)
    part.SetName("glioma")
    part.SetColor(0.25, 0.5, 0.75)
    desk.review.undo()
    assert np.array_equal(case.read(), case.rough)
    part = case.mask.GetSegmentation().GetNthSegment(0)
    assert (part.GetName(), part.GetColor()) == ("glioma", (0.25, 0.5, 0.75))


def test_under_a_transform_that_bends_space_since_apply_says_so_and_changes_nothing() -> None:
    case, desk = Case(), Desk()
    desk.review.offer(case.preview, case.sent)
    before = conversion.fingerprint(case.mask)
    bent = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLBSplineTransformNode", "bent")
    bent.SetAndObserveTransformFromParent(slicer.vtkOrientedBSplineTransform())
    case.mask.SetAndObserveTransformNodeID(bent.GetID())
    desk.review.apply()
    assert "bends space" in desk.said
    assert conversion.fingerprint(case.mask) == before
    assert case.preview.GetScene() is not None  # to be applied once the transform is hardened
    case.mask.SetAndObserveTransformNodeID(None)
    desk.review.apply()
    assert np.array_equal(case.read(), case.fine)


def test_undo_after_a_segment_was_added_is_refused() -> None:
    case, desk = Case(), Desk()
    desk.review.offer(case.preview, case.sent)
    desk.review.apply()
    case.mask.GetSegmentation().AddEmptySegment("", "mine", (1, 0, 0))
    desk.review.undo()
    assert "painted on after Apply" in desk.said
    assert case.mask.GetSegmentation().GetNumberOfSegments() == 3


def test_applies_to_two_segmentations_are_undone_for_the_last_one_only() -> None:
    first, second, desk = Case(), Case(), Desk()
    for case in (first, second):
        desk.review.offer(case.preview, case.sent)
        desk.review.apply()
    desk.review.undo()
    desk.review.undo()
    assert np.array_equal(second.read(), second.rough)
    assert np.array_equal(first.read(), first.fine)


def test_whoever_is_told_of_a_write_sees_it_done() -> None:
    case, desk, seen = Case(), Desk(), []
    desk.review = Review(desk, desk.say, written=lambda: seen.append(case.read().copy()))
    desk.review.offer(case.preview, sent(case.mask, case.values, case.grid, None))
    desk.review.apply()
    desk.review.undo()
    assert [np.array_equal(found, wanted) for found, wanted in zip(seen, (case.fine, case.rough), strict=True)] == [True, True]

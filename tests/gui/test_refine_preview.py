"""What refining would change is a preview: taken or left, whole or change by change, and one undo brings the mask back."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from qtpy.QtCore import Qt

from napari_medsynth import strokes
from napari_medsynth.diff import Counts
from napari_medsynth.preview_layer import NAME
from tests.gui.conftest import SHAPE, Desk, painted_mask, two_changes
from tests.gui.refine_hand import lesion, preview
from tests.scripted import Script

pytestmark = pytest.mark.gui
Open = Callable[..., Desk]


def test_a_click_previews_what_would_change_and_leaves_the_mask_alone(refining: Callable[..., Desk], script: Script) -> None:
    desk = refining()
    assert np.array_equal(lesion(desk).data, painted_mask())
    assert desk.widget.preview.counts == Counts(32, 11)
    assert desk.panel.review.added.text() == "+32 px"
    assert desk.panel.review.removed.text() == "−11 px"
    assert desk.panel.review.which.text() == "3 changes"
    layer = preview(desk)
    assert (np.count_nonzero(layer.data == 1), np.count_nonzero(layer.data == 2)) == (32, 11)
    assert list(desk.viewer.layers).index(layer) == list(desk.viewer.layers).index(lesion(desk)) + 1
    assert desk.viewer.layers.selection.active.name == NAME
    request = script.submitted[0]
    assert request.engine == "refine"
    assert set(request.inputs) == {"image", "mask"}
    assert request.params["strength"] == "redraw"


def test_accepting_all_is_one_step_of_undo_and_the_undo_is_exact(refining: Callable[..., Desk]) -> None:
    desk = refining()
    strokes.click(desk.panel.review.accept_all)
    mask = lesion(desk)
    refined = two_changes(painted_mask()[None])[0]
    assert np.array_equal(mask.data, refined)
    assert preview(desk) is None
    assert desk.panel.review.which.text() == "nothing left"
    desk.focus()
    desk.key(Qt.Key.Key_Z, control=True)
    assert np.array_equal(mask.data, painted_mask())
    assert mask.data.dtype == painted_mask().dtype
    assert desk.widget.preview.counts == Counts(32, 11)
    mask.redo()
    assert np.array_equal(mask.data, refined)


def test_paint_refine_click_one_change_and_undo_brings_the_paint_back_bit_for_bit(open_refine: Open, script: Script) -> None:
    desk = open_refine()
    strokes.click(desk.panel.mask_row.new)
    desk.paint()
    mask = desk.widget.desk.mask
    painted = mask.data.copy()
    assert painted.sum() > 100
    desk.click_run()
    proposed = np.roll(painted, 2, axis=1)
    ys, xs = np.nonzero((proposed != painted) & (proposed > 0))
    desk.click_at((float(ys[len(ys) // 2]), float(xs[len(ys) // 2])))
    taken = mask.data != painted
    assert 0 < taken.sum() < (proposed != painted).sum()
    assert (mask.data[taken] == 1).all()
    assert not (taken & (proposed == painted)).any()
    desk.focus()
    desk.key(Qt.Key.Key_Z, control=True)
    assert np.array_equal(mask.data, painted)


def test_a_click_takes_one_change_and_shift_click_leaves_one(refining: Callable[..., Desk]) -> None:
    desk = refining()
    desk.click_at((5, 5))
    expected = painted_mask()
    expected[4:8, 4:8] = 1
    assert np.array_equal(lesion(desk).data, expected)
    assert desk.widget.preview.counts == Counts(16, 11)
    desk.click_at((41, 41), shift=True)
    assert desk.widget.preview.counts == Counts(0, 11)
    strokes.click(desk.panel.review.accept_all)
    expected[SHAPE[0] // 3] = 0
    assert np.array_equal(lesion(desk).data, expected)


def test_dragging_the_camera_takes_nothing(refining: Callable[..., Desk]) -> None:
    desk = refining()
    strokes.drag(desk.viewer, strokes.find_canvas(desk.widget), [(5, 5), (15, 15), (20, 20)])
    assert desk.widget.preview.counts == Counts(32, 11)
    desk.click_at((60, 10))
    assert np.array_equal(lesion(desk).data, painted_mask())


def test_a_drag_in_a_busy_viewer_takes_nothing(refining: Callable[..., Desk]) -> None:
    desk = refining()
    desk.drag_unseen((25, 25), (5, 5))  # it ends where a click would take a change
    assert desk.widget.preview.counts == Counts(32, 11)
    assert np.array_equal(lesion(desk).data, painted_mask())


def test_the_bar_says_where_clicks_go(refining: Callable[..., Desk]) -> None:
    desk = refining()
    assert desk.panel.review.hint.text().startswith("Click a change")
    desk.viewer.layers.selection.active = lesion(desk)
    assert "Select the layer" in desk.panel.review.hint.text()
    desk.viewer.layers.selection.active = preview(desk)
    assert desk.panel.review.hint.text().startswith("Click a change")


def test_keys_step_through_the_changes_and_take_or_leave_each(refining: Callable[..., Desk]) -> None:
    desk = refining()
    desk.focus()
    desk.key(Qt.Key.Key_N)
    assert desk.panel.review.which.text() == "1 of 3"
    assert np.count_nonzero(preview(desk).data >= 3) == 16
    assert np.linalg.norm(np.array(desk.viewer.camera.center[-2:]) - (5.5, 5.5)) < 2
    desk.key(Qt.Key.Key_R)
    assert desk.panel.review.which.text() == "1 of 2"
    desk.key(Qt.Key.Key_A)
    assert np.array_equal(np.nonzero(lesion(desk).data != painted_mask()), np.nonzero(_square(40)))
    assert desk.panel.review.which.text() == "1 of 1"
    strokes.click(desk.panel.review.reject)
    assert preview(desk) is None
    assert desk.panel.review.discard.text() == "Done"


def _square(at: int) -> np.ndarray:
    square = np.zeros(SHAPE, bool)
    square[at : at + 4, at : at + 4] = True
    return square


def test_discard_leaves_the_mask_and_takes_the_preview_away(refining: Callable[..., Desk]) -> None:
    desk = refining()
    desk.panel.review.uncertainty.click()
    strokes.click(desk.panel.review.discard)
    assert [layer.name for layer in desk.viewer.layers] == ["picture", "lesion"]
    assert desk.panel.review.isHidden()
    assert np.array_equal(lesion(desk).data, painted_mask())
    assert desk.viewer.layers.selection.active.name == "lesion"


def test_deleting_the_preview_layer_is_the_same_as_discard(refining: Callable[..., Desk]) -> None:
    desk = refining()
    desk.viewer.layers.remove(preview(desk))
    assert desk.panel.review.isHidden()
    assert desk.widget.preview.diff is None


def test_where_the_user_paints_meanwhile_the_paint_wins(refining: Callable[..., Desk]) -> None:
    desk = refining()
    mask = lesion(desk)
    mask.data_setitem((np.arange(4, 8), np.full(4, 4)), 3)
    assert desk.widget.preview.counts == Counts(28, 11)
    strokes.click(desk.panel.review.accept_all)
    assert (mask.data[4:8, 4] == 3).all()
    assert (mask.data[4:8, 5:8] == 1).all()


def test_the_recipe_goes_where_the_change_goes(refining: Callable[..., Desk]) -> None:
    desk = refining()
    assert preview(desk).metadata["medsynth"]["part"] == "preview"
    strokes.click(desk.panel.review.accept_all)
    recipe = lesion(desk).metadata["medsynth"]
    assert recipe["model"] == "refiner"
    assert recipe["job"] == "job1"
    assert recipe["synthetic"] is False
    assert "part" not in recipe


def test_clearing_the_viewer_takes_the_preview_along(refining: Callable[..., Desk]) -> None:
    desk = refining()
    desk.viewer.layers.clear()
    desk.wait("the end of the review", lambda: desk.panel.review.isHidden())
    desk.viewer.add_labels(painted_mask(), name="other")


def test_removing_the_mask_alone_takes_the_preview_along(refining: Callable[..., Desk]) -> None:
    desk = refining()
    desk.viewer.layers.remove("lesion")
    desk.wait("the end of the preview", lambda: preview(desk) is None)


def test_replacing_the_mask_by_another_size_ends_the_preview(refining: Callable[..., Desk]) -> None:
    desk = refining()
    lesion(desk).data = np.ones((10, 12), np.uint8)
    assert preview(desk) is None
    desk.wait("the check", lambda: "12 × 10" in desk.panel.button.toolTip())

"""Refine as a person uses it: a real viewer, a real mouse, and a service that follows a script."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QPushButton

from medsynth_core.errors import RefusedError
from medsynth_core.lamp import Lamp
from napari_medsynth import settings, strokes
from napari_medsynth.diff import Counts
from napari_medsynth.preview_layer import NAME
from napari_medsynth.primary_button import Mode
from napari_medsynth.uncertainty_tour import NAME as UNCERTAINTY
from tests.gui.conftest import SHAPE, Desk, painted_mask
from tests.scripted import Script

pytestmark = pytest.mark.gui
Open = Callable[..., Desk]


def two_changes(mask: np.ndarray) -> np.ndarray:
    """Add a square of 16 pixels at (4, 4) and one at (40, 40) of each painted slice; remove one row of the painted square."""
    refined = mask.copy()
    for z in np.flatnonzero(mask.any(axis=(1, 2))):
        refined[z, 4:8, 4:8] = 1
        refined[z, 40:44, 40:44] = 1
        refined[z, SHAPE[0] // 3] = 0
    return refined


@pytest.fixture
def refining(open_refine: Open, script: Script) -> Callable[..., Desk]:
    """Open Refine on a painted mask and click the button; the result has two added changes and a removed one."""

    def make(mask: np.ndarray | None = None, **options: Any) -> Desk:
        script.refines = two_changes
        desk = open_refine(mask=painted_mask() if mask is None else mask, **options)
        desk.click_run()
        return desk

    return make


def preview(desk: Desk) -> Any:
    return next((layer for layer in desk.viewer.layers if layer.name == NAME), None)


def lesion(desk: Desk) -> Any:
    return desk.viewer.layers["lesion"]


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


def test_the_uncertainty_is_a_layer_on_demand_with_fixed_limits(refining: Callable[..., Desk]) -> None:
    desk = refining()
    assert UNCERTAINTY not in desk.viewer.layers
    desk.panel.review.uncertainty.click()
    layer = desk.viewer.layers[UNCERTAINTY]
    assert layer.colormap.name == "magma"
    assert layer.blending == "additive"
    assert tuple(layer.contrast_limits) == (0, 255)
    assert desk.viewer.layers.selection.active.name == NAME
    desk.click_run()
    assert [name.name for name in desk.viewer.layers].count(UNCERTAINTY) == 1
    desk.viewer.layers.remove(UNCERTAINTY)
    assert not desk.panel.review.uncertainty.isChecked()
    desk.panel.review.uncertainty.click()
    assert UNCERTAINTY in desk.viewer.layers
    desk.panel.review.uncertainty.click()
    assert UNCERTAINTY not in desk.viewer.layers


def test_next_uncertain_place_moves_the_camera_and_counts(refining: Callable[..., Desk]) -> None:
    desk = refining()
    zoom = desk.viewer.camera.zoom
    seen = []
    for _ in range(3):
        strokes.click(desk.panel.review.next_place)
        seen.append((desk.panel.review.place.text(), tuple(np.round(desk.viewer.camera.center[-2:]))))
    total = int(seen[0][0].split(" of ")[1])
    assert total >= 3
    assert [text for text, _ in seen] == [f"{i} of {total}" for i in (1, 2, 3)]
    assert len({center for _, center in seen}) == 3
    assert desk.viewer.camera.zoom >= zoom


def test_a_result_without_a_change_says_so(open_refine: Open, script: Script) -> None:
    script.refines = lambda mask: mask
    desk = open_refine(mask=painted_mask())
    desk.click_run()
    assert "Nothing to change" in desk.panel.message.text
    assert preview(desk) is None
    assert not desk.panel.review.next_place.isEnabled()


def test_the_button_morphs_and_escape_cancels(open_refine: Open, script: Script) -> None:
    script.job_seconds = 30
    desk = open_refine(mask=painted_mask())
    assert desk.panel.button.text() == "Refine"
    desk.click_synthesize()
    desk.wait("a running job", lambda: desk.panel.button.text() == "Cancel" and bool(script.submitted))
    desk.focus()
    desk.key(Qt.Key.Key_Escape)
    desk.wait("the button", lambda: desk.panel.button.mode is Mode.READY, seconds=1)
    assert desk.panel.button.text() == "Refine"
    assert "Cancelled" in desk.panel.message.text
    assert preview(desk) is None


def test_a_refusal_is_told_and_its_fix_is_a_gentler_strength(open_refine: Open, script: Script) -> None:
    script.fails_with = RefusedError.code
    desk = open_refine(mask=painted_mask())
    for strength in ("redraw", "correct"):
        assert desk.panel.strength.value == strength
        if strength == "redraw":
            desk.click_run()
        assert desk.panel.message.text == "The script failed: try again."
        assert desk.panel.message.fix.text() == "Use a gentler strength"
        strokes.click(desk.panel.message.fix)
        desk.wait_idle()
    assert [request.params["strength"] for request in script.submitted] == ["redraw", "correct", "touch-up"]
    assert desk.panel.message.fix.isHidden()


def test_what_was_kept_is_told(open_refine: Open, script: Script) -> None:
    script.notes = {"kept z 0": "label 2", "reach_px": "9"}
    desk = open_refine(mask=painted_mask())
    desk.click_run()
    assert "label 2 would have left its input" in desk.panel.message.text
    assert preview(desk) is not None


def test_removing_the_mask_in_mid_job_is_silent(open_refine: Open, script: Script) -> None:
    script.job_seconds = 0.6
    desk = open_refine(mask=painted_mask())
    desk.click_synthesize()
    desk.wait("a running job", lambda: bool(script.submitted))
    desk.viewer.layers.remove("lesion")
    desk.wait_idle()
    assert desk.panel.message.text == ""
    assert [layer.name for layer in desk.viewer.layers] == ["picture"]


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


def test_an_image_of_another_size_blocks_with_both_sizes(open_refine: Open) -> None:
    desk = open_refine(mask=painted_mask(), image=np.zeros((40, 50), np.uint8))
    desk.wait("the check", lambda: not desk.panel.button.isEnabled())
    assert "50 × 40" in desk.panel.button.toolTip()
    assert "64 × 64" in desk.panel.button.toolTip()
    desk.viewer.add_image(np.zeros(SHAPE, np.uint8), name="fitting")
    desk.wait("an enabled button", desk.panel.button.isEnabled)


def test_a_mask_at_another_place_blocks_and_can_be_aligned(open_refine: Open) -> None:
    desk = open_refine(mask=painted_mask(), scale=(2, 0.5), translate=(3, 4))
    lesion(desk).translate = (50, 4)
    desk.wait("the check", lambda: "lie at different places" in desk.panel.button.toolTip())
    strokes.click(next(b for b in desk.panel.chips.findChildren(QPushButton) if b.text() == "Align mask"))
    desk.wait("an enabled button", desk.panel.button.isEnabled)
    assert np.allclose(lesion(desk).data_to_world((1, 2)), desk.viewer.layers["picture"].data_to_world((1, 2)))


def test_an_empty_mask_and_no_image_block_with_the_reason(open_refine: Open) -> None:
    desk = open_refine(mask=np.zeros(SHAPE, np.uint8))
    desk.wait("the check", lambda: "Nothing is painted in this slice" in desk.panel.button.toolTip())
    desk.viewer.layers.remove("picture")
    desk.wait("the check", lambda: "no image layer" in desk.panel.button.toolTip())


def test_an_empty_mask_on_a_color_image_can_be_drawn_by_the_coarse_network(open_refine: Open, script: Script) -> None:
    frame = np.random.default_rng(0).integers(0, 255, (*SHAPE, 3), np.uint8)
    desk = open_refine(mask=np.zeros(SHAPE, np.uint8), image=frame)
    desk.wait("the check", lambda: "let one be drawn" in desk.panel.button.toolTip())
    strokes.click(next(b for b in desk.panel.chips.findChildren(QPushButton) if b.text() == "Draw one"))
    desk.wait("the preview", lambda: preview(desk) is not None)
    assert script.submitted[0].params["coarse"] == "polyp-coarse"
    assert set(script.submitted[0].inputs) == {"image"}
    assert not lesion(desk).data.any()
    strokes.click(desk.panel.review.accept_all)
    assert lesion(desk).data.sum() == painted_mask().sum()
    lesion(desk).undo()
    assert not lesion(desk).data.any()


def painted_stack() -> np.ndarray:
    stack = np.zeros((7, *SHAPE), np.uint8)
    stack[2:5] = painted_mask()
    return stack


def test_one_slice_goes_with_its_neighbors_and_comes_back_to_its_place(open_refine: Open, script: Script) -> None:
    script.refines, stack = two_changes, painted_stack()
    desk = open_refine(mask=stack.copy(), scale=(3, 1, 1))
    desk.viewer.dims.set_point(0, 0)
    desk.wait("the check of an empty slice", lambda: "Nothing is painted" in desk.panel.button.toolTip())
    desk.viewer.dims.set_point(0, 9)
    desk.click_run()
    sent = script.inputs[-1]
    assert sent["image"].array.shape == sent["mask"].array.shape == (1, 3, *SHAPE)
    assert not sent["mask"].array[0, 0].any()
    assert np.array_equal(sent["mask"].array[0, 1], stack[3])
    assert np.array_equal(sent["image"].array[0], desk.viewer.layers["picture"].data[2:5])
    assert set(np.nonzero(preview(desk).data)[0]) == {3}
    strokes.click(desk.panel.review.accept_all)
    expected = stack.copy()
    expected[3] = two_changes(stack[3:4])[0]
    assert np.array_equal(lesion(desk).data, expected)
    lesion(desk).undo()
    assert np.array_equal(lesion(desk).data, stack)


def test_the_whole_stack_is_refined_along_the_axis_of_the_slider(open_refine: Open, script: Script) -> None:
    script.refines, stack = two_changes, painted_stack()
    desk = open_refine(mask=stack.copy())
    assert not desk.panel.scope.isHidden()
    desk.panel.scope.set_value("stack")
    desk.widget.check_now()
    desk.click_run()
    assert script.submitted[-1].params["axis"] == "z"
    assert np.array_equal(script.masks[-1].array[0], stack)
    assert desk.panel.review.which.text() == "9 changes"
    strokes.click(desk.panel.review.forth)
    assert desk.viewer.dims.current_step[0] == 2
    for _ in range(3):
        strokes.click(desk.panel.review.forth)
    assert desk.viewer.dims.current_step[0] == 3
    strokes.click(desk.panel.review.accept_all)
    assert np.array_equal(lesion(desk).data, two_changes(stack))
    lesion(desk).undo()
    assert np.array_equal(lesion(desk).data, stack)
    desk.viewer.dims.order = (2, 0, 1)
    desk.viewer.dims.set_point(2, 25)
    desk.click_run()
    assert script.submitted[-1].params["axis"] == "x"


@pytest.mark.parametrize("order", [(1, 0, 2), (2, 0, 1), (2, 1, 0), (0, 2, 1)])
def test_a_slice_along_any_axis_comes_back_to_its_place(open_refine: Open, script: Script, order: tuple[int, ...]) -> None:
    stack = np.zeros((30, 32, 34), np.uint8)
    stack[8:20, 9:21, 10:22] = 1
    desk = open_refine(mask=stack.copy())
    desk.viewer.dims.order = order
    desk.viewer.dims.set_point(order[0], 12)
    desk.click_run()
    strokes.click(desk.panel.review.accept_all)
    moved = np.roll(stack, 2, axis=order[2])
    expected = stack.copy()
    cut = [slice(None)] * 3
    cut[order[0]] = 12
    expected[tuple(cut)] = moved[tuple(cut)]
    assert np.array_equal(lesion(desk).data, expected)


def test_units_are_told_and_the_preview_lies_on_a_turned_scaled_mask(refining: Callable[..., Desk]) -> None:
    desk = refining(scale=(0.5, 0.5), translate=(10, -20), rotate=30, units=("mm", "mm"))
    assert desk.panel.review.added.text() == "+8.0 mm²"
    assert "mm" in desk.panel.strength.findChildren(QPushButton)[0].text()
    for place in ((0, 0), (5, 9)):
        assert np.allclose(preview(desk).data_to_world(place), lesion(desk).data_to_world(place))
    desk.click_at(tuple(lesion(desk).data_to_world((5, 5))))
    assert lesion(desk).data[5, 5] == 1
    assert desk.widget.preview.counts.added == 16


def test_a_stack_with_units_is_told_in_milliliters(refining: Callable[..., Desk], script: Script) -> None:
    settings.save("refine", settings.Settings(whole_stack=True))
    desk = refining(mask=painted_stack(), scale=(2, 1, 1), units=("mm", "mm", "mm"))
    assert desk.panel.scope.value == "stack"
    assert desk.panel.review.added.text() == "+0.19 ml"  # 96 voxels of 2 mm³


def test_a_color_image_is_sent_in_three_channels(refining: Callable[..., Desk], script: Script) -> None:
    desk = refining(image=np.random.default_rng(0).integers(0, 255, (*SHAPE, 4), np.uint8))
    assert script.inputs[0]["image"].array.shape == (3, 1, *SHAPE)
    assert desk.widget.preview.counts.added == 32


def test_strokes_on_a_lock_layer_are_sent_and_stay(open_refine: Open, script: Script) -> None:
    script.refines = two_changes
    desk = open_refine(mask=painted_mask())
    strokes.click(desk.panel.locked.new)
    lock = desk.viewer.layers["Locked"]
    assert desk.widget.desk.mask.name == "lesion"
    assert lock.mode == "paint"
    desk.paint(center=(6, 6), radii=(3, 3))
    assert lock.data[5, 5]
    desk.click_run()
    assert np.array_equal(script.inputs[0]["locked"].array[0, 0] != 0, lock.data != 0)
    strokes.click(desk.panel.review.accept_all)
    assert (lesion(desk).data[lock.data != 0] == painted_mask()[lock.data != 0]).all()
    assert lesion(desk).data[41, 41] == 1


def test_strengths_are_words_with_the_reach_on_the_shown_mask(open_refine: Open) -> None:
    desk = open_refine(mask=painted_mask())
    desk.wait("the check", desk.panel.button.isEnabled)
    texts = [button.text() for button in desk.panel.strength.findChildren(QPushButton)]
    assert [text.splitlines()[0] for text in texts] == ["Touch up", "Correct", "Redraw"]
    assert all(text.splitlines()[1].startswith("±") and text.endswith(" px") for text in texts)


def test_strength_and_parameters_are_remembered_apart_from_those_of_synthesize(
    refining: Callable[..., Desk], open_refine: Open
) -> None:
    settings.save("synthesize", settings.Settings(model="polyp"))
    desk = refining()
    desk.panel.strength.set_value("correct")
    desk.panel.restore_params({"steps": 3, "smooth": 1.5})
    desk.click_run()
    again = open_refine(mask=painted_mask())
    assert again.panel.strength.value == "correct"
    assert again.panel.param_values() == {"steps": 3, "samples": 1, "smooth": 1.5}
    assert settings.load("synthesize").model == "polyp"


def test_only_refiners_are_offered_and_no_part_of_ours_is_taken_for_a_mask(refining: Callable[..., Desk]) -> None:
    desk = refining()
    assert [desk.panel.model.itemText(i) for i in range(desk.panel.model.count())] == ["Refiner"]
    strokes.click(desk.panel.locked.new)
    desk.panel.review.uncertainty.click()
    assert [desk.panel.mask_row.box.itemText(i) for i in range(desk.panel.mask_row.box.count())] == ["lesion"]
    assert [desk.panel.image.itemText(i) for i in range(desk.panel.image.count())] == ["picture"]
    boxes = [desk.panel.locked.box.itemText(i) for i in range(desk.panel.locked.box.count())]
    assert boxes == ["nothing", "Locked", "lesion"]


def test_it_works_while_napari_slices_in_the_background(refining: Callable[..., Desk], script: Script) -> None:
    from napari.settings import get_settings

    get_settings().experimental.async_ = True
    try:
        desk = refining()
        QTest.qWait(100)
        desk.click_at((5, 5))
        assert lesion(desk).data[5, 5] == 1
        lesion(desk).undo()
        assert np.array_equal(lesion(desk).data, painted_mask())
        QTest.qWait(100)
    finally:
        get_settings().experimental.async_ = False


def test_removing_the_dock_leaves_no_layer_and_no_listener(refining: Callable[..., Desk]) -> None:
    desk = refining()
    before = list(desk.viewer.mouse_drag_callbacks)
    desk.panel.live.switch.click()
    assert len(desk.viewer.mouse_drag_callbacks) == len(before) + 1
    gone = weakref.ref(desk.widget)
    desk.viewer.window.remove_dock_widget(desk.dock)
    viewer = desk.viewer
    del desk
    assert [layer.name for layer in viewer.layers] == ["picture", "lesion"]
    strokes.wait_until("the end of the widget", lambda: gc.collect() >= 0 and gone() is None, 5)
    assert list(viewer.mouse_drag_callbacks) == before
    viewer.layers["lesion"].data = painted_mask(value=0)


def test_the_panel_fits_its_dock(refining: Callable[..., Desk]) -> None:
    desk = refining()
    desk.panel.review.uncertainty.click()
    strokes.click(desk.panel.review.next_place)
    strokes.settle(50)
    assert desk.widget.width() <= 340
    desk.panel.live.tell("final · 10.5 s")
    desk.panel._fold.expand(animate=False)  # now the scroll bar takes room, too
    strokes.settle(50)
    review, parts = desk.panel.review, desk.panel.strength.findChildren(QPushButton)
    for part in (
        *parts,
        desk.panel.live._status,
        desk.panel.locked.new,
        review.reject,
        review.discard,
        review.next_place,
        review.place,
    ):
        right = part.mapTo(desk.panel._scroll, part.rect().topRight()).x()
        assert right <= desk.panel._scroll.viewport().width(), f"{part.text()} is cut off"
        assert part.width() >= part.sizeHint().width() - 1, f"the text of {part.text()} is cut"


@pytest.mark.parametrize("name", ["dark", "light"])
def test_the_panel_follows_the_theme(refining: Callable[..., Desk], name: str, tmp_path: Any) -> None:
    desk = refining()
    desk.viewer.theme = name
    strokes.settle(200)
    assert desk.widget.grab().save(str(tmp_path / f"refine-{name}.png"))
    assert desk.panel.chips.chips[0].lamp is Lamp.GREEN

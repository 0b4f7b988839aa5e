"""Slices and stacks: what is sent goes with its neighbors, in its units, and comes back to its place."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from qtpy.QtWidgets import QPushButton

from napari_medsynth import settings, strokes
from tests.gui.conftest import SHAPE, Desk, painted_mask, two_changes
from tests.gui.refine_hand import lesion, painted_stack, preview
from tests.scripted import Script

pytestmark = pytest.mark.gui
Open = Callable[..., Desk]


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

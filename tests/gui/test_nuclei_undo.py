"""The user's own undo takes an edit back in nuclei and image alike."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from qtpy.QtCore import Qt

from napari_medsynth import strokes
from tests.gui.conftest import Desk
from tests.gui.nuclei_hand import carry, delete_and_hold, make, painted_pair, pair, take_tool, two_nuclei, wait_jobs
from tests.gui.sowing import Sowing

pytestmark = pytest.mark.gui
Open = Callable[..., Desk]


@pytest.mark.parametrize("by_key", [False, True])
def test_an_undo_takes_an_edit_back_in_nuclei_and_image_and_a_redo_brings_it_again(
    open_nuclei: Open, sowing: Sowing, by_key: bool
) -> None:
    desk = open_nuclei(nuclei=two_nuclei())
    image, nuclei = painted_pair(desk)
    before = image.data.copy(), nuclei.data.copy()
    take_tool(desk, "delete")
    desk.click_at((20, 20))
    wait_jobs(desk, sowing, 2)
    after = image.data.copy(), nuclei.data.copy()
    assert not np.array_equal(before[0], after[0])
    assert desk.panel.hand.undo.isEnabled()
    desk.focus()
    if by_key:
        desk.key(Qt.Key.Key_Z, control=True)
    else:
        strokes.click(desk.panel.hand.undo)
    assert np.array_equal(nuclei.data, before[1])
    assert np.array_equal(image.data, before[0])
    assert not desk.panel.hand.undo.isEnabled()
    assert image.metadata["medsynth"]["edits"] == []
    nuclei.redo()
    assert np.array_equal(nuclei.data, after[1])
    assert np.array_equal(image.data, after[0])
    assert desk.panel.hand.undo.isEnabled()
    assert len(sowing.submitted) == 2


def test_a_nucleus_carried_back_to_its_very_place_brings_the_first_image_back(open_nuclei: Open, sowing: Sowing) -> None:
    desk = open_nuclei(nuclei=two_nuclei())
    image, nuclei = painted_pair(desk)
    before = image.data.copy(), nuclei.data.copy()
    take_tool(desk, "move")
    carry(desk, (20, 20), (20, 36))
    wait_jobs(desk, sowing, 2)
    moved = image.data.copy()
    carry(desk, (20, 36), (20, 20))
    assert np.array_equal(nuclei.data, before[1])
    assert np.array_equal(image.data, before[0])
    assert len(sowing.submitted) == 2
    desk.focus()
    desk.key(Qt.Key.Key_Z, control=True)
    assert np.array_equal(image.data, moved)


def test_an_edit_taken_back_while_it_is_made_leaves_the_image(open_nuclei: Open, sowing: Sowing) -> None:
    desk = open_nuclei(nuclei=two_nuclei())
    image, nuclei = painted_pair(desk)
    before = image.data.copy(), nuclei.data.copy()
    delete_and_hold(desk, sowing)
    strokes.click(desk.panel.hand.undo)
    assert not desk.panel.hand.undo.isEnabled()
    sowing.holds.set()
    desk.wait_idle()
    assert np.array_equal(nuclei.data, before[1])
    assert np.array_equal(image.data, before[0])


def test_an_undo_behind_later_paint_is_refused_in_words(open_nuclei: Open, sowing: Sowing) -> None:
    desk = open_nuclei(nuclei=two_nuclei())
    _, nuclei = painted_pair(desk)
    take_tool(desk, "delete")
    desk.click_at((20, 20))
    wait_jobs(desk, sowing, 2)
    strokes.click(desk.panel.brush.buttons["paint"])
    assert not desk.panel.hand.buttons["delete"].isChecked()
    desk.paint((10, 50), (3, 3))
    painted = nuclei.data.copy()
    strokes.click(desk.panel.hand.undo)
    assert "take the later changes back first" in desk.panel.message.text
    assert np.array_equal(nuclei.data, painted)


def test_each_field_s_own_undo_takes_its_own_image_back(open_nuclei: Open, sowing: Sowing) -> None:
    desk = open_nuclei(nuclei=two_nuclei())
    image, nuclei = painted_pair(desk)
    before = image.data.copy()
    take_tool(desk, "delete")
    desk.click_at((20, 20))
    wait_jobs(desk, sowing, 2)
    make(desk, "new")
    desk.click_run()
    made_image, made = desk.results()[-2:]
    after = made_image.data.copy()
    y, x = (int(v) for v in np.argwhere(np.array(made.data == 1)).mean(axis=0).round())
    desk.viewer.layers.selection.active = made
    desk.click_at((y, x))
    wait_jobs(desk, sowing, 4)
    assert not np.array_equal(made_image.data, after)
    edited = made_image.data.copy()
    nuclei.undo()
    desk.widget.desk.pick(nuclei)
    desk.widget.follow.look()
    assert np.array_equal(image.data, before)
    assert np.array_equal(made_image.data, edited)
    strokes.click(desk.panel.hand.undo)
    assert np.array_equal(made_image.data, after)
    assert not desk.panel.hand.undo.isEnabled()


def test_an_undo_does_not_take_paint_of_another_slice(open_nuclei: Open, sowing: Sowing) -> None:
    desk = open_nuclei()
    desk.panel.restore_params({"slices": 2})
    desk.click_run()
    _, nuclei = pair(desk)
    desk.viewer.dims.set_point(0, 0)
    y, x = (int(v) for v in np.argwhere(np.array(nuclei.data[0] == 1)).mean(axis=0).round())
    take_tool(desk, "delete")
    desk.click_at((y, x))
    wait_jobs(desk, sowing, 2)
    desk.viewer.dims.set_point(0, 1)
    strokes.click(desk.panel.brush.buttons["paint"])
    desk.paint((30, 30), (3, 3))
    painted = nuclei.data.copy()
    strokes.click(desk.panel.hand.undo)
    assert "take the later changes back first" in desk.panel.message.text
    assert np.array_equal(nuclei.data, painted)

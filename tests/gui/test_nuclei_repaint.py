"""Nuclei moved, doubled and deleted by the mouse: the image is made anew there, and there alone."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from napari.settings import get_settings
from qtpy.QtCore import Qt

from napari_medsynth import strokes
from tests.gui.conftest import Desk
from tests.gui.nuclei_hand import (
    SIDE,
    carry,
    delete_and_hold,
    disk,
    make,
    painted_pair,
    pair,
    slide,
    take_tool,
    two_nuclei,
    wait_jobs,
)
from tests.gui.sowing import Sowing

pytestmark = pytest.mark.gui
Open = Callable[..., Desk]


def test_moving_a_nucleus_makes_the_image_anew_only_there(open_nuclei: Open, sowing: Sowing) -> None:
    desk = open_nuclei(nuclei=two_nuclei())
    image, nuclei = painted_pair(desk)
    before = image.data.copy()
    take_tool(desk, "move")
    carry(desk, (20, 20), (20, 36))
    wait_jobs(desk, sowing, 2)
    assert nuclei.data[20, 36] == 1
    assert nuclei.data[20, 16] == 0
    request, sent = sowing.submitted[1], sowing.inputs[1]
    assert request.params == {"given": "keep", "steps": 12, "guidance": 1.5}
    assert np.array_equal(sent["mask"].array[0, 0], nuclei.data)
    assert np.array_equal(sent["image"].array[:, 0], np.moveaxis(before, -1, 0))
    region = sent["region"].array[0, 0] != 0
    assert region[20, 20]
    assert region[20, 36]
    assert not region[44, 44]
    assert np.array_equal(image.data[~region], before[~region])
    assert not np.array_equal(image.data[region], before[region])
    assert len(desk.results()) == 1
    assert image.metadata["medsynth"]["job"] == "job1"
    assert [edit["job"] for edit in image.metadata["medsynth"]["edits"]] == ["job2"]


def test_a_doubled_nucleus_gets_a_number_and_an_image_of_its_own(open_nuclei: Open, sowing: Sowing) -> None:
    desk = open_nuclei(nuclei=two_nuclei())
    image, nuclei = painted_pair(desk)
    before = image.data.copy()
    take_tool(desk, "duplicate")
    carry(desk, (44, 44), (44, 20))
    wait_jobs(desk, sowing, 2)
    assert nuclei.data[44, 20] == 3
    assert nuclei.data[44, 44] == 2
    assert not np.array_equal(image.data[44, 20], before[44, 20])
    desk.wait("the count", lambda: desk.panel.count.here[0].text() == "3")


def test_edits_made_while_the_engine_works_wait_and_are_made_as_one(open_nuclei: Open, sowing: Sowing) -> None:
    desk = open_nuclei(nuclei=two_nuclei())
    image, nuclei = painted_pair(desk)
    before = image.data.copy(), nuclei.data.copy()
    delete_and_hold(desk, sowing)
    take_tool(desk, "duplicate")
    carry(desk, (44, 44), (44, 20))
    take_tool(desk, "move")
    carry(desk, (44, 44), (20, 44))
    assert len(sowing.submitted) == 2
    sowing.hold_at = -1
    sowing.holds.set()
    wait_jobs(desk, sowing, 3)
    assert np.array_equal(sowing.inputs[2]["mask"].array[0, 0], nuclei.data)
    region = sowing.inputs[2]["region"].array[0, 0] != 0
    assert region[44, 20]
    assert region[20, 44]
    strokes.click(desk.panel.hand.undo)
    strokes.click(desk.panel.hand.undo)
    assert np.array_equal(nuclei.data, before[1])
    assert np.array_equal(image.data, before[0])


def test_a_cancelled_edit_can_be_made_anew_or_taken_back(open_nuclei: Open, sowing: Sowing) -> None:
    desk = open_nuclei(nuclei=two_nuclei())
    image, nuclei = painted_pair(desk)
    before = image.data.copy(), nuclei.data.copy()
    delete_and_hold(desk, sowing)
    desk.focus()
    desk.key(Qt.Key.Key_Escape)
    desk.wait_idle()
    assert "does not show the last edit" in desk.panel.message.text
    sowing.hold_at = -1
    strokes.click(desk.panel.message.fix)
    wait_jobs(desk, sowing, 3)
    assert not np.array_equal(image.data, before[0])
    strokes.click(desk.panel.hand.undo)
    assert np.array_equal(nuclei.data, before[1])
    assert np.array_equal(image.data, before[0])


def test_a_failed_edit_says_why_and_is_tried_again(open_nuclei: Open, sowing: Sowing) -> None:
    desk = open_nuclei(nuclei=two_nuclei())
    image, _ = painted_pair(desk)
    before = image.data.copy()
    sowing.fails_at = 0
    take_tool(desk, "delete")
    desk.click_at((20, 20))
    desk.wait("the message", lambda: "script failed" in desk.panel.message.text)
    sowing.fails_at = -1
    strokes.click(desk.panel.message.fix)
    wait_jobs(desk, sowing, 3)
    assert "region" in sowing.inputs[2]
    assert not np.array_equal(image.data, before)


def test_a_real_image_stays_and_a_marked_copy_is_changed(open_nuclei: Open, sowing: Sowing) -> None:
    desk = open_nuclei(image=slide(), nuclei=two_nuclei())
    take_tool(desk, "move")
    carry(desk, (20, 20), (20, 36))
    wait_jobs(desk, sowing, 1)
    copy = desk.viewer.layers["[Synthetic] slide, edited"]
    assert np.array_equal(desk.viewer.layers["slide"].data, slide())
    assert copy.metadata["medsynth"]["composite"] is True
    region = sowing.inputs[0]["region"].array[0, 0] != 0
    assert np.array_equal(copy.data[~region], slide()[~region])
    assert not np.array_equal(copy.data[region], slide()[region])
    assert desk.widget.desk.image == copy
    carry(desk, (20, 36), (28, 36))
    wait_jobs(desk, sowing, 2)
    assert np.array_equal(
        sowing.inputs[1]["image"].array[:, 0, region & ~(sowing.inputs[1]["region"].array[0, 0] != 0)],
        copy.data[region & ~(sowing.inputs[1]["region"].array[0, 0] != 0)].T,
    )
    assert len(desk.results()) == 1


def test_blobs_that_share_a_number_are_parted_before_one_is_taken(open_nuclei: Open, sowing: Sowing) -> None:
    field = disk(disk(np.zeros((SIDE, SIDE), np.uint8), (20, 20), 1), (44, 44), 1)
    desk = open_nuclei(nuclei=field)
    painted_pair(desk)
    take_tool(desk, "delete")
    desk.click_at((20, 20))
    wait_jobs(desk, sowing, 2)
    left = desk.viewer.layers["nuclei"].data
    assert not left[20, 20]
    assert left[44, 44]


def test_a_layer_without_room_for_more_numbers_is_refused_in_words(open_nuclei: Open) -> None:
    field = np.zeros((SIDE, SIDE), np.uint8)
    field[::3, ::3] = 1  # 484 blobs of one number
    desk = open_nuclei(nuclei=field)
    strokes.click(desk.panel.hand.buttons["move"])
    assert "convert it to uint16" in desk.panel.message.text
    assert not desk.panel.hand.buttons["move"].isChecked()
    assert desk.widget.editor.tool is None


def test_nuclei_that_got_an_image_are_outlined_so_that_it_is_seen_but_only_once(open_nuclei: Open) -> None:
    desk = open_nuclei(nuclei=two_nuclei())
    _, nuclei = painted_pair(desk)
    assert nuclei.contour == 1
    nuclei.contour = 0
    desk.click_run()
    assert nuclei.contour == 0


def test_the_transparency_of_an_image_outlives_an_edit(open_nuclei: Open, sowing: Sowing) -> None:
    clear = np.concatenate([slide(), np.full((SIDE, SIDE, 1), 77, np.uint8)], axis=-1)
    desk = open_nuclei(image=clear, nuclei=two_nuclei())
    take_tool(desk, "delete")
    desk.click_at((20, 20))
    wait_jobs(desk, sowing, 1)
    (copy,) = desk.results()
    assert sowing.inputs[0]["image"].array.shape[0] == 3
    assert (copy.data[..., 3] == 77).all()
    assert not np.array_equal(copy.data[20, 20, :3], clear[20, 20, :3])


def test_a_turned_view_gives_a_turned_field_and_its_image_lies_on_the_nuclei(open_nuclei: Open, sowing: Sowing) -> None:
    field = disk(np.zeros((48, SIDE), np.uint16), (12, 50), 4)
    desk = open_nuclei(nuclei=field)
    desk.viewer.dims.order = (1, 0)
    make(desk, "keep")
    desk.click_run()
    assert np.array_equal(sowing.inputs[0]["mask"].array[0, 0], field.T)
    (image,) = desk.results()
    assert image.data.shape == (48, SIDE, 3)
    assert np.array_equal(image.data, sowing.jobs[0].image(0).transpose(2, 1, 0))


def test_pairs_and_edits_work_while_napari_slices_in_the_background(
    open_nuclei: Open, sowing: Sowing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(get_settings().experimental, "async_", True)
    desk = open_nuclei(nuclei=two_nuclei())
    image, nuclei = painted_pair(desk)
    before = image.data.copy()
    take_tool(desk, "delete")
    strokes.settle(200)
    desk.click_at((20, 20))
    wait_jobs(desk, sowing, 2)
    assert not nuclei.data[20, 20]
    assert not np.array_equal(image.data, before)
    strokes.click(desk.panel.hand.undo)
    assert np.array_equal(image.data, before)


def test_without_an_image_the_nuclei_are_edited_and_it_is_said(open_nuclei: Open, sowing: Sowing) -> None:
    desk = open_nuclei(nuclei=two_nuclei())
    take_tool(desk, "delete")
    desk.click_at((20, 20))
    assert not desk.viewer.layers["nuclei"].data[20, 20]
    assert "no image of them yet" in desk.panel.message.text
    assert not sowing.submitted


def test_one_tile_of_a_stack_is_edited_and_the_others_stay(open_nuclei: Open, sowing: Sowing) -> None:
    desk = open_nuclei()
    desk.panel.restore_params({"slices": 3})
    desk.click_run()
    image, nuclei = pair(desk)
    desk.viewer.dims.set_point(0, 1)
    before = image.data.copy()
    y, x = (int(v) for v in np.argwhere(np.array(nuclei.data[1] == 1)).mean(axis=0).round())
    take_tool(desk, "delete")
    desk.click_at((y, x))
    wait_jobs(desk, sowing, 2)
    assert not nuclei.data[1, y, x]
    assert np.array_equal(image.data[[0, 2]], before[[0, 2]])
    assert not np.array_equal(image.data[1], before[1])
    strokes.click(desk.panel.hand.undo)
    assert np.array_equal(image.data, before)

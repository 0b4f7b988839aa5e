"""Nuclei and histology as a person makes them: a real viewer, a real mouse, and a service that sows nuclei by a script."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable

import numpy as np
import pytest
from napari.layers import Image, Labels
from napari.settings import get_settings
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QPushButton

from napari_medsynth import strokes
from napari_medsynth.primary_button import Mode
from tests.gui.conftest import Desk
from tests.gui.sowing import Sowing, SowingClient

pytestmark = pytest.mark.gui
Open = Callable[..., Desk]
SIDE = 64


def disk(field: np.ndarray, at: tuple[int, int], number: int, radius: int = 5) -> np.ndarray:
    y, x = np.indices(field.shape)
    field[(y - at[0]) ** 2 + (x - at[1]) ** 2 <= radius**2] = number
    return field


def two_nuclei() -> np.ndarray:
    return disk(disk(np.zeros((SIDE, SIDE), np.uint16), (20, 20), 1), (44, 44), 2)


def slide() -> np.ndarray:
    return np.random.default_rng(5).integers(150, 250, (SIDE, SIDE, 3), np.uint8)


def make(desk: Desk, source: str) -> None:
    strokes.click(desk.panel.source._buttons[source])


def pair(desk: Desk) -> tuple[Image, Labels]:
    image, nuclei = desk.results()
    return image, nuclei


def take_tool(desk: Desk, tool: str) -> None:
    strokes.click(desk.panel.hand.buttons[tool])
    assert desk.panel.hand.buttons[tool].isChecked()


def carry(desk: Desk, start: tuple[float, float], end: tuple[float, float]) -> None:
    """Drag a nucleus as a hand does: over some places in between."""
    path = [tuple(np.array(start) + share * (np.array(end) - start)) for share in np.linspace(0, 1, 8)]
    strokes.drag(desk.viewer, strokes.find_canvas(desk.widget), path, pause_ms=5)


def wait_jobs(desk: Desk, sowing: Sowing, count: int) -> None:
    """Wait until so many jobs were sent and the last has ended."""
    desk.wait(f"{count} jobs", lambda: len(sowing.submitted) >= count)
    desk.wait_idle()


def painted_pair(desk: Desk) -> tuple[Image, Labels]:
    """Let the nuclei of the layer be painted, and return image and nuclei."""
    make(desk, "keep")
    desk.click_run()
    (image,) = desk.results()
    return image, desk.viewer.layers["nuclei"]


def chip_texts(desk: Desk) -> list[str]:
    desk.widget.check_now()
    return [chip.text for chip in desk.panel.chips.chips]


def press_fix(desk: Desk, title: str) -> None:
    strokes.click(next(b for b in desk.panel.chips.findChildren(QPushButton) if b.text() == title))


def test_a_click_gives_image_and_nuclei_together_with_their_recipe(open_nuclei: Open, sowing: Sowing) -> None:
    desk = open_nuclei()
    assert desk.panel.button.text() == "Make a pair"
    desk.click_run()
    image, nuclei = pair(desk)
    job = sowing.jobs[0]
    assert np.array_equal(image.data, np.moveaxis(job.image(0), 0, -1))
    assert np.array_equal(nuclei.data, job.instances(0))
    assert image.rgb
    assert type(nuclei).__name__ == "Labels"
    assert nuclei.data.dtype == np.uint16
    for layer in (image, nuclei):
        recipe = layer.metadata["medsynth"]
        assert recipe["synthetic"] is True
        assert recipe["job"] == "job1"
        assert recipe["seed"] == desk.panel.seed_row.seed.value()
    assert desk.widget.desk.mask == nuclei
    assert desk.widget.desk.image == image
    assert not desk.panel.message.isVisible()


def test_nothing_asked_is_shown_as_drawn_and_sent_as_nothing(open_nuclei: Open, sowing: Sowing) -> None:
    desk = open_nuclei()
    assert desk.panel.density.fields[0].text() == desk.panel.area.fields[0].text() == "drawn"
    desk.click_run()
    params = sowing.submitted[0].params
    assert params["density"] == params["size"] == params["height"] == 0
    assert params["steps"] == 12
    assert "given" not in params
    assert not sowing.inputs[0]


def test_density_area_and_grid_are_sent_as_they_are_shown(open_nuclei: Open, sowing: Sowing) -> None:
    desk = open_nuclei()
    desk.panel.density.slider.setValue(200)
    desk.panel.grid.fields[0].lineEdit().clear()
    strokes.QTest.keyClicks(desk.panel.grid.fields[0], "48\r")
    desk.click_run()
    params = sowing.submitted[0].params
    assert params["density"] == 60
    assert params["height"] == 48
    assert desk.results()[0].data.shape == (48, SIDE, 3)


def test_several_tiles_arrive_as_one_stack(open_nuclei: Open, sowing: Sowing) -> None:
    desk = open_nuclei()
    desk.panel.restore_params({"slices": 3})
    desk.click_run()
    image, nuclei = pair(desk)
    assert image.data.shape == (3, SIDE, SIDE, 3)
    assert nuclei.data.shape == (3, SIDE, SIDE)
    for z in range(3):
        assert np.array_equal(image.data[z], np.moveaxis(sowing.jobs[0].image(z), 0, -1))
        assert np.array_equal(nuclei.data[z], sowing.jobs[0].instances(z))


def test_variations_are_pairs_that_are_shown_and_hidden_together(open_nuclei: Open, sowing: Sowing) -> None:
    desk = open_nuclei()
    desk.panel.seed_row.restore(40, locked=True, count=4)
    desk.click_run()
    assert [request.seed for request in sowing.submitted] == [40, 41, 42, 43]
    assert len(desk.results()) == 8
    strokes.click(desk.panel.variations.findChildren(QPushButton)[1])
    shown = [layer.name for layer in desk.results() if layer.visible]
    assert shown == ["[Synthetic] nuclei-he · seed 41", "[Synthetic] nuclei-he · seed 41 nuclei"]


def test_strokes_apart_are_nuclei_of_their_own_and_the_field_is_completed_around_them(open_nuclei: Open, sowing: Sowing) -> None:
    desk = open_nuclei(image=slide())
    strokes.click(desk.panel.mask_row.new)
    assert desk.panel.button.text() == "Complete the field"
    layer = desk.widget.desk.mask
    layer.brush_size = 3
    desk.paint((20, 20), (4, 4))
    desk.paint((44, 40), (4, 4))
    desk.paint((44, 44), (3, 3))  # overlaps the second: it grows
    assert sorted(np.unique(layer.data)) == [0, 1, 2]
    desk.wait("the count", lambda: desk.panel.count.here[0].text() == "2")
    desk.click_run()
    sent = sowing.inputs[0]["mask"].array[0, 0]
    assert np.array_equal(sent, layer.data)
    assert sowing.submitted[0].params["given"] == "complete"
    _, nuclei = pair(desk)
    assert np.array_equal(nuclei.data[layer.data > 0], layer.data[layer.data > 0])
    assert nuclei.data.max() > 2
    assert desk.widget.desk.mask == layer  # another click completes the same nuclei again


def test_a_taken_back_stroke_leaves_nothing_though_it_got_another_number(open_nuclei: Open) -> None:
    desk = open_nuclei(image=slide())
    strokes.click(desk.panel.mask_row.new)
    layer = desk.widget.desk.mask
    layer.brush_size = 3
    desk.paint((20, 20), (4, 4))
    first = layer.data.copy()
    desk.paint((44, 44), (4, 4))
    assert layer.data.max() == 2
    desk.focus()
    desk.key(Qt.Key.Key_Z, control=True)
    assert np.array_equal(layer.data, first)
    desk.paint((44, 44), (4, 4))
    assert sorted(np.unique(layer.data)) == [0, 1, 2]


def test_napari_s_key_and_our_button_begin_the_next_nucleus_also_where_they_touch(open_nuclei: Open) -> None:
    desk = open_nuclei(image=slide())
    strokes.click(desk.panel.mask_row.new)
    layer = desk.widget.desk.mask
    layer.brush_size = 3
    desk.paint((30, 26), (5, 5))
    desk.focus()
    desk.key(Qt.Key.Key_M)
    assert layer.selected_label == 2
    desk.paint((30, 36), (5, 5))
    strokes.click(desk.panel.brush.buttons["paint"])
    assert layer.selected_label == 3
    assert layer.mode == "paint"
    desk.wait("the count", lambda: desk.panel.count.here[0].text() == "2")
    strokes.click(desk.panel.brush.buttons["erase"])
    assert layer.mode == "erase"
    assert desk.panel.brush.buttons["erase"].isChecked()
    assert not desk.panel.brush.buttons["paint"].isChecked()
    desk.paint((30, 26), (9, 6), points=128)
    desk.wait("the count", lambda: desk.panel.count.here[0].text() == "1")


def test_an_outline_is_filled_to_one_nucleus(open_nuclei: Open) -> None:
    desk = open_nuclei(image=slide())
    strokes.click(desk.panel.mask_row.new)
    layer = desk.widget.desk.mask
    layer.brush_size = 2
    ring = [(30 + 10 * np.sin(a), 30 + 10 * np.cos(a)) for a in np.linspace(0, 2 * np.pi, 60)]
    strokes.drag(desk.viewer, strokes.find_canvas(desk.widget), ring)
    strokes.click(desk.panel.brush.buttons["fill"])
    desk.click_at((30, 30))
    assert layer.data[30, 30] == 1
    assert layer.data[2, 2] == 0
    desk.wait("the count", lambda: desk.panel.count.here[0].text() == "1")


def test_the_count_runs_along_while_the_brush_is_still_down(open_nuclei: Open) -> None:
    desk = open_nuclei(image=slide())
    strokes.click(desk.panel.mask_row.new)
    desk.widget.desk.mask.brush_size = 5
    strokes.settle(300)
    assert desk.panel.count.text == "0 · – · 0.0"
    canvas, point = desk.place((20, 20))
    strokes.QTest.mouseMove(canvas, point)
    strokes.QTest.mousePress(canvas, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, point)
    strokes.QTest.mouseMove(canvas, desk.place((24, 24))[1])
    desk.wait("a count in mid-stroke", lambda: desk.panel.count.here[0].text() == "1")
    area = desk.panel.count.here[1].text()
    strokes.QTest.mouseMove(canvas, desk.place((40, 40))[1])
    desk.wait("a larger area", lambda: desk.panel.count.here[1].text() != area)
    strokes.QTest.mouseRelease(canvas, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, point)


def test_the_reference_stands_beside_the_count_and_what_lies_beyond_it_stands_out(open_nuclei: Open) -> None:
    desk = open_nuclei(nuclei=two_nuclei())
    desk.wait("the count", lambda: desk.panel.count.here[0].text() == "2")
    assert [label.text() for label in desk.panel.count.there] == ["–", "100–700", "5–60"]
    assert desk.panel.count.here[1].text() == "81"
    assert "color" in desk.panel.count.here[1].styleSheet()
    assert not desk.panel.count.here[2].styleSheet()


def test_blobs_painted_with_one_number_are_sent_apart_and_touching_ones_stay_two(open_nuclei: Open, sowing: Sowing) -> None:
    field = disk(disk(np.zeros((SIDE, SIDE), np.uint8), (12, 12), 1), (50, 12), 1)
    disk(disk(field, (30, 30), 7), (30, 40), 9)
    desk = open_nuclei(nuclei=field)
    desk.wait("the count", lambda: desk.panel.count.here[0].text() == "4")
    make(desk, "keep")
    desk.click_run()
    sent = sowing.inputs[0]["mask"].array[0, 0]
    assert len({int(sent[y, x]) for y, x in ((12, 12), (50, 12), (30, 28), (30, 42))}) == 4
    assert sent[30, 28] == 7
    assert sent[30, 42] == 9
    assert np.array_equal(sent > 0, field > 0)
    assert np.array_equal(desk.viewer.layers["nuclei"].data, field)


def test_paint_these_adds_only_the_image_under_the_nuclei_where_they_lie(open_nuclei: Open, sowing: Sowing) -> None:
    desk = open_nuclei(nuclei=two_nuclei(), scale=(0.5, 0.5), translate=(10, 20))
    make(desk, "keep")
    assert desk.panel.button.text() == "Paint these"
    assert not desk.panel.density.isVisible()
    desk.click_run()
    assert sowing.submitted[0].params["given"] == "keep"
    image, nuclei = desk.viewer.layers
    assert image.name == f"[Synthetic] nuclei-he · seed {sowing.submitted[0].seed}"
    assert np.allclose(image.data_to_world((3, 4)), nuclei.data_to_world((3, 4)))
    assert desk.widget.desk.image == image


def test_made_nuclei_can_be_painted_on_and_be_the_next_input(open_nuclei: Open, sowing: Sowing) -> None:
    desk = open_nuclei()
    desk.panel.seed_row.restore(3, locked=True, count=1)
    desk.click_run()
    _, nuclei = pair(desk)
    before = int(nuclei.data.max())
    free = np.argwhere(np.array(nuclei.data == 0))
    strokes.click(desk.panel.brush.buttons["paint"])
    nuclei.brush_size = 3
    y, x = (int(v) for v in free[len(free) // 2])
    desk.click_at((y, x))
    assert nuclei.data.max() == before + 1
    make(desk, "keep")
    desk.click_run()
    assert np.array_equal(sowing.inputs[1]["mask"].array[0, 0] > 0, nuclei.data > 0)
    assert len(desk.results()) == 3


def test_the_shown_slice_of_a_stack_is_sent_and_its_image_lies_on_it(open_nuclei: Open, sowing: Sowing) -> None:
    stack = np.zeros((4, SIDE, SIDE), np.uint16)
    stack[2] = two_nuclei()
    desk = open_nuclei(nuclei=stack, scale=(5, 1, 1))
    make(desk, "keep")
    desk.viewer.dims.set_point(0, 10)
    desk.click_run()
    assert np.array_equal(sowing.inputs[0]["mask"].array[0, 0], stack[2])
    (image,) = desk.results()
    assert np.allclose(image.data_to_world((0, 3, 4)), (10, 3, 4))
    desk.panel.restore_params({"slices": 2})
    assert "2 tiles of a plane" in chip_texts(desk)


def test_the_stain_of_a_picked_image_is_sent(open_nuclei: Open, sowing: Sowing) -> None:
    desk = open_nuclei(image=slide())
    desk.viewer.add_image(np.zeros((SIDE, SIDE), np.uint8), name="grey")
    assert desk.panel.stain.count() == 2  # drawn, and the slide
    desk.click_run()
    assert "image" not in sowing.inputs[0]
    desk.panel.stain.choose(desk.viewer.layers["slide"])
    desk.click_run()
    assert np.array_equal(sowing.inputs[1]["image"].array[:, 0], np.moveaxis(slide(), -1, 0))


def test_chips_say_what_is_missing_and_how_to_mend_it(open_nuclei: Open) -> None:
    desk = open_nuclei()
    make(desk, "keep")
    desk.wait("the check", lambda: not desk.panel.button.isEnabled())
    assert "paint some" in desk.panel.button.toolTip()
    press_fix(desk, "New mask")
    assert chip_texts(desk)[0] == "Nothing painted"
    desk.widget.desk.mask.data = disk(disk(np.zeros((SIDE, SIDE), np.uint16), (12, 12), 1, 2), (40, 40), 2, 1)
    assert chip_texts(desk)[:2] == ["2 nuclei", "1 speck"]
    assert desk.panel.button.isEnabled()
    make(desk, "new")
    desk.panel.density.show_numbers([300])
    assert "Density 300: unusual" in chip_texts(desk)


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
    sowing.hold_at = 0
    take_tool(desk, "delete")
    desk.click_at((20, 20))
    desk.wait("the edit's job", lambda: len(sowing.submitted) == 2)
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


def test_an_edit_taken_back_while_it_is_made_leaves_the_image(open_nuclei: Open, sowing: Sowing) -> None:
    desk = open_nuclei(nuclei=two_nuclei())
    image, nuclei = painted_pair(desk)
    before = image.data.copy(), nuclei.data.copy()
    sowing.hold_at = 0
    take_tool(desk, "delete")
    desk.click_at((20, 20))
    desk.wait("the edit's job", lambda: len(sowing.submitted) == 2)
    strokes.click(desk.panel.hand.undo)
    assert not desk.panel.hand.undo.isEnabled()
    sowing.holds.set()
    desk.wait_idle()
    assert np.array_equal(nuclei.data, before[1])
    assert np.array_equal(image.data, before[0])


def test_a_cancelled_edit_can_be_made_anew_or_taken_back(open_nuclei: Open, sowing: Sowing) -> None:
    desk = open_nuclei(nuclei=two_nuclei())
    image, nuclei = painted_pair(desk)
    before = image.data.copy(), nuclei.data.copy()
    sowing.hold_at = 0
    take_tool(desk, "delete")
    desk.click_at((20, 20))
    desk.wait("the edit's job", lambda: len(sowing.submitted) == 2)
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


def test_escape_cancels_and_whole_tiles_are_kept(open_nuclei: Open, sowing: Sowing) -> None:
    sowing.hold_at = 2
    desk = open_nuclei()
    desk.panel.restore_params({"slices": 4})
    desk.click_synthesize()
    desk.wait("two tiles", lambda: len(desk.results()) == 2 and desk.widget._pair is not None and desk.results()[0].data[1].any())
    assert desk.panel.button.text() == "Cancel"
    desk.focus()
    desk.key(Qt.Key.Key_Escape)
    desk.wait_idle()
    image, nuclei = pair(desk)
    assert image.data.shape == (2, SIDE, SIDE, 3)
    assert nuclei.data.shape == (2, SIDE, SIDE)
    assert "kept" in desk.panel.message.text


def test_a_run_that_fails_before_its_first_tile_leaves_nothing(open_nuclei: Open, sowing: Sowing) -> None:
    sowing.fails_at = 0
    desk = open_nuclei()
    desk.click_run()
    assert "script failed" in desk.panel.message.text
    assert not desk.results()
    sowing.fails_at = -1
    strokes.click(desk.panel.message.fix)
    desk.wait("the pair", lambda: len(desk.results()) == 2)
    desk.wait_idle()


def test_layers_removed_in_mid_run_are_silent(open_nuclei: Open, sowing: Sowing) -> None:
    sowing.hold_at = 1
    desk = open_nuclei()
    desk.panel.restore_params({"slices": 2})
    desk.click_synthesize()
    desk.wait("a tile", lambda: len(desk.results()) == 2)
    desk.viewer.layers.clear()
    sowing.holds.set()
    desk.wait_idle()
    assert not desk.panel.message.text
    assert not desk.results()


def test_settings_are_remembered_also_those_an_edit_does_not_need(open_nuclei: Open, sowing: Sowing) -> None:
    desk = open_nuclei(nuclei=two_nuclei())
    desk.panel.density.show_numbers([33])
    desk.panel.restore_params({"steps": 4})
    desk.panel.seed_row.restore(77, locked=True, count=1)
    make(desk, "keep")
    desk.click_run()
    take_tool(desk, "delete")
    desk.click_at((20, 20))
    wait_jobs(desk, sowing, 2)
    again = open_nuclei(nuclei=two_nuclei())
    assert again.panel.request.density == 33
    assert again.panel.request.source == "keep"
    assert again.panel.param_values()["steps"] == 4
    assert again.panel.seed_row.seeds == (77,)


def test_the_panel_fits_its_dock_in_both_themes(open_nuclei: Open) -> None:
    desk = open_nuclei(image=slide(), nuclei=two_nuclei())
    for theme in ("light", "dark"):
        desk.viewer.theme = theme
        strokes.settle(50)
        assert desk.widget.width() <= 340
        for part in (desk.panel.hand.undo, desk.panel.mask_row.new, desk.panel.seed_row.lock, *desk.panel.count.here):
            right = part.mapTo(desk.widget, part.rect().topRight()).x()
            assert right <= desk.widget.width(), f"{part} is cut off"


def test_removing_the_dock_puts_the_tools_away_and_ends_the_widget(open_nuclei: Open) -> None:
    desk = open_nuclei(nuclei=two_nuclei())
    take_tool(desk, "move")
    gone = weakref.ref(desk.widget)
    desk.viewer.window.remove_dock_widget(desk.dock)
    viewer = desk.viewer
    del desk
    strokes.wait_until("the end of the widget", lambda: gc.collect() >= 0 and gone() is None, 5)
    viewer.layers["nuclei"].data = two_nuclei()  # nobody listens any more
    assert [layer.name for layer in viewer.layers] == ["nuclei"]


def test_closing_the_viewer_in_mid_edit_is_silent_and_ends_all_threads(open_nuclei: Open, sowing: Sowing) -> None:
    desk = open_nuclei(nuclei=two_nuclei())
    painted_pair(desk)
    sowing.hold_at = 0
    take_tool(desk, "delete")
    desk.click_at((20, 20))
    desk.wait("the edit's job", lambda: len(sowing.submitted) == 2)
    desk.viewer.close()
    sowing.holds.set()


def test_the_sample_is_a_real_tile_with_its_nuclei_ready_to_be_edited(open_nuclei: Open, sowing: Sowing) -> None:
    desk = open_nuclei()
    desk.viewer.open_sample("napari-medsynth", "nuclei-1")
    image, nuclei = desk.viewer.layers
    assert image.data.shape == (256, 256, 3)
    desk.wait("the count", lambda: desk.panel.count.here[0].text() == "31")
    assert desk.widget.desk.mask == nuclei
    assert desk.widget.desk.image == image


def test_what_the_user_set_survives_a_refresh_of_the_engine(open_nuclei: Open, sowing: Sowing) -> None:
    desk = open_nuclei(nuclei=two_nuclei())
    make(desk, "complete")
    desk.panel.density.show_numbers([33])
    desk.widget.capabilities_changed(SowingClient(sowing).capabilities())
    assert desk.panel.request.density == 33
    assert desk.panel.request.source == "complete"
    assert desk.panel.button.mode is Mode.READY

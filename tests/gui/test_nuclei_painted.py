"""Nuclei that a person paints: what a stroke is, how many there are, and what is sent."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from qtpy.QtCore import Qt

from napari_medsynth import strokes
from tests.gui.conftest import Desk
from tests.gui.nuclei_hand import SIDE, disk, make, pair, slide, two_nuclei
from tests.gui.sowing import Sowing

pytestmark = pytest.mark.gui
Open = Callable[..., Desk]


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

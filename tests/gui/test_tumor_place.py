"""Where the tumor is to be: clicks and drags in the view, the outline of what is asked, the volume it grows into."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QPushButton

from napari_medsynth import strokes
from napari_medsynth.tumor_guide import HEAD
from tests.gui.conftest import Desk
from tests.gui.growing import Growth
from tests.gui.tumor_hand import outline, pair, place, world_lines

pytestmark = pytest.mark.gui
Open = Callable[..., Desk]


def test_placing_in_an_empty_viewer_shows_a_head_and_a_click_sets_the_center(open_tumor: Open, growth: Growth) -> None:
    desk = open_tumor()
    place(desk)
    head = outline(desk, HEAD)
    assert head is not None
    assert desk.panel.place_row.upright.isChecked()
    assert np.abs(world_lines(head)).max(axis=0)[1] == pytest.approx(90, abs=1)
    desk.viewer.dims.set_point(0, 20.0)
    desk.click_at((15, -30))
    x, y, z = desk.widget.desk.request.center_mm
    assert (x, y) == (pytest.approx(-30, abs=1), pytest.approx(15, abs=1))
    assert z == pytest.approx(20, abs=0.1)
    assert desk.panel.center.numbers == (x, y, z)
    lines = world_lines(outline(desk))
    assert np.allclose(lines.mean(axis=0), (z, y, x), atol=0.5)
    desk.click_run()
    params = growth.submitted[0].params
    assert params["place"] == "given"
    assert params["center_x_mm"] == x


def test_the_outline_follows_the_sliders_and_the_slice(open_tumor: Open) -> None:
    desk = open_tumor()
    place(desk)
    desk.click_at((0, 0))
    small = np.ptp(world_lines(outline(desk)), axis=0)
    desk.panel.volume.slider.setValue(200)
    assert desk.widget.desk.request.volume_ml == pytest.approx(120)
    large = np.ptp(world_lines(outline(desk)), axis=0)
    assert large[1] == pytest.approx(small[1] * 4 ** (1 / 3), rel=0.02)  # 30 ml is typical, 120 the most
    desk.viewer.dims.set_point(0, desk.widget.desk.guide.tumor.half_mm[2] * 0.8)
    assert np.ptp(world_lines(outline(desk)), axis=0)[1] == pytest.approx(large[1] * 0.6, rel=0.15)
    desk.viewer.dims.set_point(0, 65.0)
    assert len(outline(desk).data) == 0


def test_the_outline_is_a_body_in_3d_and_clicks_there_place_nothing(open_tumor: Open) -> None:
    desk = open_tumor()
    place(desk)
    desk.click_at((0, 0))
    before = desk.widget.desk.request.center_mm
    desk.viewer.dims.ndisplay = 3
    strokes.settle(50)
    assert (np.ptp(world_lines(outline(desk)), axis=0) > 40).all()
    canvas = strokes.find_canvas(desk.widget)
    strokes.QTest.mouseClick(canvas, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, canvas.rect().center() / 2)
    assert desk.widget.desk.request.center_mm == before


def test_dragging_the_outline_moves_the_center_and_not_the_camera(open_tumor: Open) -> None:
    desk = open_tumor()
    place(desk)
    desk.click_at((0, 0))
    camera = tuple(desk.viewer.camera.center)
    strokes.drag(desk.viewer, strokes.find_canvas(desk.widget), [(5, 5), (10, 10), (20, 15), (25, 25)])
    x, y, _ = desk.widget.desk.request.center_mm
    assert (x, y) == (pytest.approx(20, abs=2), pytest.approx(20, abs=2))
    assert tuple(desk.viewer.camera.center) == camera
    assert desk.viewer.camera.mouse_pan


def test_dragging_elsewhere_moves_the_camera_and_not_the_center(open_tumor: Open) -> None:
    desk = open_tumor()
    place(desk)
    desk.click_at((0, 0))
    before, camera = desk.widget.desk.request.center_mm, tuple(desk.viewer.camera.center)
    canvas = strokes.find_canvas(desk.widget)
    strokes.drag(desk.viewer, canvas, [(60, 0), (50, 10), (40, 20)], pause_ms=20)  # moves within 10 ms never reach the camera
    assert desk.widget.desk.request.center_mm == before
    assert tuple(desk.viewer.camera.center) != camera


def test_a_drag_in_a_busy_viewer_is_no_click(open_tumor: Open) -> None:
    desk = open_tumor()
    place(desk)
    desk.click_at((0, 0))
    before = desk.widget.desk.request.center_mm
    desk.drag_unseen((60, 0), (50, 10), (40, 20))
    assert desk.widget.desk.request.center_mm == before
    desk.drag_unseen((5, 5), (15, 15), (25, 25))  # it began on the outline, which goes along
    x, y, _ = desk.widget.desk.request.center_mm
    assert (x, y) == (pytest.approx(20, abs=2), pytest.approx(20, abs=2))


def test_a_click_outside_the_head_turns_the_chip_red_and_its_fix_lets_a_place_be_drawn(open_tumor: Open) -> None:
    desk = open_tumor()
    place(desk)
    desk.viewer.camera.zoom /= 2
    desk.click_at((0, 120))
    desk.wait("the check", lambda: not desk.panel.button.isEnabled())
    assert "outside the head" in desk.panel.button.toolTip()
    fix = next(b for b in desk.panel.chips.findChildren(QPushButton) if b.text() == "Let it be drawn")
    strokes.click(fix)
    desk.wait("the check", desk.panel.button.isEnabled)
    assert desk.widget.desk.request.center_mm is None
    assert desk.panel.center.fields[0].text() == "drawn"


def test_placing_off_leaves_clicks_to_the_viewer_and_takes_the_outlines_away(open_tumor: Open) -> None:
    desk = open_tumor()
    place(desk)
    desk.click_at((0, 0))
    before = desk.widget.desk.request.center_mm
    place(desk)
    assert outline(desk) is None
    assert outline(desk, HEAD) is None
    desk.click_at((30, 30))
    assert desk.widget.desk.request.center_mm == before


def test_a_click_does_not_paint_on_the_active_labels(open_tumor: Open) -> None:
    desk = open_tumor(background=np.random.default_rng(0).integers(50, 200, (8, 32, 32), np.uint8))
    labels = desk.viewer.add_labels(np.zeros((8, 32, 32), np.uint8))
    labels.mode = "paint"
    desk.viewer.reset_view()
    place(desk)
    desk.click_at((16, 16))
    assert not labels.data.any()
    assert desk.widget.desk.request.center_mm == (pytest.approx(16, abs=1), pytest.approx(16, abs=1), pytest.approx(3, abs=1))


def test_a_background_is_sent_kept_in_its_grid_and_measured_for_the_head(open_tumor: Open, growth: Growth) -> None:
    data = np.zeros((10, 40, 40), np.uint16)
    data[:, 8:32, 8:32] = 900
    desk = open_tumor(background=data, scale=(4, 2, 2), translate=(-20, -40, -40), units=("mm",) * 3)
    image = desk.viewer.layers["patient"]
    image.contrast_limits = (0, 1000)
    desk.panel.background.choose(image)
    assert not desk.panel.advanced.fields["slices"].native.isEnabled()
    desk.panel.center.show_numbers((0.0, 0.0, 0.0))
    desk.widget.check_now()
    assert "In the head" in [chip.text for chip in desk.panel.chips.chips]
    desk.panel.center.show_numbers((35.0, 35.0, 0.0))
    desk.widget.check_now()
    assert "Outside the head" in [chip.text for chip in desk.panel.chips.chips]
    desk.widget.desk.place((0.0, 0.0, 0.0))
    desk.click_run()
    sent = growth.inputs[0]["background"]
    assert np.array_equal(sent.array[0], data)
    assert np.allclose(np.diag(sent.affine), (2, 2, 4, 1))
    assert "slices" not in growth.submitted[0].params
    grown, mask = pair(desk)
    assert tuple(grown.contrast_limits) == (0, 1000)
    for layer in (grown, mask):
        assert np.allclose(layer.data_to_world((3, 5, 7)), image.data_to_world((3, 5, 7)))


def test_one_time_of_a_movie_is_the_background(open_tumor: Open, growth: Growth) -> None:
    data = np.random.default_rng(0).integers(50, 200, (3, 6, 24, 24), np.uint8)
    desk = open_tumor(background=data)
    desk.viewer.dims.set_point(0, 2)
    desk.panel.background.choose(desk.viewer.layers["patient"])
    desk.click_run()
    assert np.array_equal(growth.inputs[0]["background"].array[0], data[2])
    image, _ = pair(desk)
    assert np.allclose(image.data_to_world((0, 1, 2, 3)), (2, 1, 2, 3))
    assert np.array_equal(image.data[0], growth.jobs["job1"].result("image").array[0])


def test_a_color_image_or_a_single_plane_is_no_background(open_tumor: Open) -> None:
    desk = open_tumor()
    desk.viewer.add_image(np.zeros((4, 16, 16, 3), np.uint8), rgb=True)
    desk.viewer.add_image(np.zeros((16, 16), np.uint8))
    assert desk.panel.background.count() == 1


def test_one_number_of_the_center_fills_the_others(open_tumor: Open) -> None:
    desk = open_tumor()
    field = desk.panel.center.fields[1]
    field.setFocus()
    field.lineEdit().selectAll()
    strokes.QTest.keyClicks(field, "-12.5")
    strokes.QTest.keyClick(field, Qt.Key.Key_Return)
    assert desk.widget.desk.request.center_mm == (0.0, -12.5, 0.0)
    field.lineEdit().selectAll()
    strokes.QTest.keyClick(field, Qt.Key.Key_Delete)
    strokes.QTest.keyClick(field, Qt.Key.Key_Return)
    assert desk.widget.desk.request.center_mm is None


def test_the_upright_view_is_turned_back(open_tumor: Open) -> None:
    desk = open_tumor()
    before = desk.viewer.camera.orientation
    desk.click_run()
    assert desk.panel.place_row.upright.isChecked()
    assert desk.viewer.camera.orientation != before
    strokes.click(desk.panel.place_row.upright)
    assert desk.viewer.camera.orientation == before


def test_a_viewer_with_other_layers_is_not_turned(open_tumor: Open) -> None:
    desk = open_tumor(background=np.random.default_rng(0).integers(50, 200, (8, 32, 32), np.uint8))
    before = desk.viewer.camera.orientation
    place(desk)
    desk.click_run()
    assert desk.viewer.camera.orientation == before


def test_a_click_through_a_turned_view_places_along_the_right_axes(open_tumor: Open) -> None:
    desk = open_tumor()
    place(desk)
    desk.viewer.dims.order = (1, 0, 2)  # coronal
    desk.viewer.dims.set_point(1, 10.0)
    strokes.settle(50)
    desk.click_at((25, 30))
    x, y, z = desk.widget.desk.request.center_mm
    assert (x, y, z) == (pytest.approx(30, abs=1.5), pytest.approx(10, abs=1), pytest.approx(25, abs=1.5))
    lines = world_lines(outline(desk))
    assert np.ptp(lines, axis=0)[1] == pytest.approx(0)
    assert (np.ptp(lines, axis=0)[[0, 2]] > 30).all()


def test_an_outline_that_the_user_removes_stays_away_until_something_is_edited(open_tumor: Open) -> None:
    desk = open_tumor()
    place(desk)
    desk.click_at((0, 0))
    desk.viewer.layers.remove(outline(desk))
    desk.viewer.dims.set_point(0, 10.0)
    assert outline(desk) is None
    desk.panel.volume.slider.setValue(100)
    assert outline(desk) is not None

"""Growing a tumor volume as a person does it: a real viewer, a real mouse, and a service that grows by a script."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from napari.layers import Vectors
from qtpy.QtCore import QPoint, Qt
from qtpy.QtWidgets import QPushButton

from medsynth_core.lamp import Lamp
from napari_medsynth import strokes
from napari_medsynth.primary_button import Mode
from napari_medsynth.tumor_guide import HEAD, TUMOR
from tests.gui.conftest import Desk
from tests.gui.growing import GrowingClient, Growth, order_of_growth

pytestmark = pytest.mark.gui
Open = Callable[..., Desk]


def pair(desk: Desk) -> tuple[Any, Any]:
    image, mask = desk.results()
    return image, mask


def whole(growth: Growth, desk: Desk) -> bool:
    """Return whether both layers are what the job gives."""
    job = growth.jobs["job1"]
    expected = [job.result(name).array[0] for name in ("image", "mask")]
    return all(np.array_equal(layer.data, array) for layer, array in zip(pair(desk), expected, strict=True))


def wait_slices(desk: Desk, count: int) -> None:
    growth = desk.widget.growth
    desk.wait(f"{count} slices", lambda: growth.growing is not None and len(growth.growing.order) >= count)


def half_grown(desk: Desk, growth: Growth, count: int = 5) -> None:
    """Start a growth that stops by itself after some slices."""
    growth.hold_after = count
    desk.click_synthesize()
    wait_slices(desk, count)


def cancelled(desk: Desk, growth: Growth, count: int = 5) -> None:
    half_grown(desk, growth, count)
    strokes.click(desk.panel.button)
    desk.wait_idle()
    growth.hold_after = -1


def outline(desk: Desk, name: str = TUMOR) -> Vectors | None:
    return next((layer for layer in desk.viewer.layers if layer.name == name), None)


def world_lines(layer: Any) -> np.ndarray:
    """Return where the lines of an outline begin, (n, 3) z y x in mm."""
    return np.array([layer.data_to_world(line[0]) for line in layer.data])


def place(desk: Desk) -> None:
    strokes.click(desk.panel.place_row.place)
    strokes.settle(50)


def test_a_click_on_grow_gives_image_and_mask_with_recipe_and_report(open_tumor: Open, growth: Growth) -> None:
    desk = open_tumor()
    desk.click_run()
    image, mask = pair(desk)
    assert whole(growth, desk)
    assert image.name.startswith("[Synthetic]")
    assert mask.name.startswith("[Synthetic]")
    assert type(mask).__name__ == "Labels"
    assert tuple(image.contrast_limits) == (0, 255)
    recipe = image.metadata["medsynth"]
    assert recipe["synthetic"] is True
    assert recipe["job"] == "job1"
    assert recipe["asked_volume_ml"] == 30.0
    assert recipe["got_volume_ml"] == 27.5
    assert (
        desk.panel.grow.result.text().replace("\N{NO-BREAK SPACE}", " ") == "27.5 ml of 30.0 asked · 5 mm off · 40 × 38 × 30 mm"
    )
    assert desk.panel.grow.count.text() == "12 / 12 slices"
    assert not desk.panel.message.isVisible()


def test_the_layers_lie_where_the_volume_lies_in_the_world(open_tumor: Open) -> None:
    desk = open_tumor()
    desk.click_run()
    for layer in pair(desk):
        assert np.allclose(layer.data_to_world((0, 0, 0)), (-55, 93, 93))  # bottom, front, the patient's right: world z, y, x
        assert np.allclose(layer.data_to_world((11, 31, 31)), (55, -93, -93))
        assert [str(unit) for unit in layer.units] == ["millimeter"] * 3


def test_nothing_asked_means_all_is_drawn_by_the_engine(open_tumor: Open, growth: Growth) -> None:
    desk = open_tumor()
    desk.click_run()
    params = growth.submitted[0].params
    assert params["volume_ml"] == 0
    assert params.get("place", "drawn") == "drawn"
    assert params["extent_x_mm"] == 0
    assert params["steps"] == 8


def test_slices_drop_in_where_they_belong_in_the_order_they_come(open_tumor: Open, growth: Growth) -> None:
    growth.size, growth.slice_seconds = (24, 16, 16), 0.005
    desk = open_tumor()
    dropped: list[tuple[str, int]] = []
    take = desk.widget.growth.grew

    def watched(output: str, z: int, pixels: np.ndarray) -> None:
        dropped.append((output, z))
        take(output, z, pixels)

    desk.widget.growth.grew = watched
    desk.click_run()
    assert dropped == growth.told
    assert list(desk.widget.growth.growing.order) == order_of_growth(24)
    assert list(desk.panel.grow.ruler.order) == order_of_growth(24)
    assert whole(growth, desk)


def test_the_pair_is_there_full_size_and_black_before_the_first_slice(open_tumor: Open, growth: Growth) -> None:
    growth.hold_after = 0
    desk = open_tumor()
    desk.click_synthesize()
    desk.wait("the layers", lambda: len(desk.results()) == 2)
    image, mask = pair(desk)
    assert image.data.shape == mask.data.shape == (12, 32, 32)
    assert not image.data.any()
    growth.holds.set()
    desk.wait_idle()
    assert tuple(image.contrast_limits) == (0, 255)
    assert whole(growth, desk)


def test_the_button_morphs_and_escape_cancels(open_tumor: Open, growth: Growth) -> None:
    desk = open_tumor()
    assert desk.panel.button.text() == "Grow"
    half_grown(desk, growth)
    assert desk.panel.button.text() == "Cancel"
    desk.focus()
    desk.key(Qt.Key.Key_Escape)
    desk.wait_idle()
    assert desk.panel.button.text() == "Grow"
    assert desk.panel.grow.count.text() == "5 / 12 slices"
    assert desk.panel.grow.choice.isVisible()
    assert "5 of 12" in desk.panel.grow.result.text()


def test_cancel_keeps_the_finished_slices_and_resume_makes_the_same_volume(open_tumor: Open, growth: Growth) -> None:
    desk = open_tumor()
    cancelled(desk, growth)
    image, mask = pair(desk)
    made = order_of_growth(12)[:5]
    expected = growth.jobs["job1"].result("image").array[0]
    assert np.array_equal(image.data[made], expected[made])
    assert not image.data[[z for z in range(12) if z not in made]].any()
    strokes.click(desk.panel.grow.resume)
    assert desk.panel.button.text() == "Cancel"
    desk.wait_idle()
    assert whole(growth, desk)
    assert pair(desk) == (image, mask)
    assert len(growth.submitted) == 1
    assert not desk.panel.grow.choice.isVisible()
    assert growth.told == [(name, z) for z in order_of_growth(12) for name in ("image", "mask")]


def test_a_resumed_growth_can_be_cancelled_and_resumed_again(open_tumor: Open, growth: Growth) -> None:
    desk = open_tumor()
    cancelled(desk, growth, 3)
    growth.hold_after = 7
    strokes.click(desk.panel.grow.resume)
    wait_slices(desk, 7)
    strokes.click(desk.panel.button)
    desk.wait_idle()
    growth.hold_after = -1
    strokes.click(desk.panel.grow.resume)
    desk.wait_idle()
    assert whole(growth, desk)


def test_keep_leaves_the_slices_and_says_so_in_the_recipe(open_tumor: Open, growth: Growth) -> None:
    desk = open_tumor()
    cancelled(desk, growth)
    grown_slices = desk.panel.grow.ruler.order
    strokes.click(desk.panel.grow.keep)
    assert len(desk.results()) == 2
    assert not desk.panel.grow.choice.isVisible()
    for recipe in (layer.metadata["medsynth"] for layer in pair(desk)):
        assert (recipe["partial"], recipe["engine"], recipe["synthetic"]) == (True, "tumor", True)
        assert recipe["slices"] == sorted(grown_slices)
        assert recipe["job"]


def test_discard_takes_the_layers_away(open_tumor: Open, growth: Growth) -> None:
    desk = open_tumor()
    cancelled(desk, growth)
    strokes.click(desk.panel.grow.discard)
    assert not desk.results()
    assert not desk.panel.grow.isVisible()


def test_a_failed_growth_says_why_and_can_go_on(open_tumor: Open, growth: Growth) -> None:
    growth.fails_at = 4
    desk = open_tumor()
    desk.click_run()
    assert "script failed" in desk.panel.message.text
    assert desk.panel.grow.choice.isVisible()
    strokes.click(desk.panel.grow.resume)
    desk.wait_idle()
    assert whole(growth, desk)


def test_a_growth_that_fails_before_the_first_slice_leaves_no_black_layers(open_tumor: Open, growth: Growth) -> None:
    growth.fails_at = 0
    desk = open_tumor()
    desk.click_run()
    assert desk.panel.message.text
    assert not desk.results()


def test_a_layer_removed_in_mid_growth_takes_no_more_slices_and_the_other_goes_on(open_tumor: Open, growth: Growth) -> None:
    desk = open_tumor()
    half_grown(desk, growth)
    image, mask = pair(desk)
    desk.viewer.layers.remove(mask)
    growth.holds.set()
    desk.wait_idle()
    assert np.array_equal(image.data, growth.jobs["job1"].result("image").array[0])
    assert len(desk.results()) == 1


def test_the_view_follows_the_newest_slice_until_the_user_moves_the_slider(open_tumor: Open, growth: Growth) -> None:
    desk = open_tumor()
    half_grown(desk, growth)
    image, _ = pair(desk)
    newest = order_of_growth(12)[4]
    desk.wait("the view", lambda: round(image.world_to_data(desk.viewer.dims.point)[0]) == newest)
    assert desk.panel.grow.ruler.shown == newest
    assert desk.panel.grow.follow.isChecked()
    desk.viewer.dims.set_point(0, image.data_to_world((0, 0, 0))[0])
    assert not desk.panel.grow.follow.isChecked()
    growth.holds.set()
    desk.wait_idle()
    assert desk.panel.grow.ruler.shown == 0


def test_a_view_that_still_follows_ends_where_the_growth_began(open_tumor: Open) -> None:
    desk = open_tumor()
    desk.click_run()
    assert desk.panel.grow.follow.isChecked()
    assert desk.panel.grow.ruler.shown == 6


def test_a_click_on_the_ruler_looks_at_that_slice(open_tumor: Open) -> None:
    desk = open_tumor()
    desk.click_run()
    ruler = desk.panel.grow.ruler
    strokes.QTest.mouseClick(ruler, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, QPoint(2, 5))
    assert ruler.shown == 0
    image, _ = pair(desk)
    assert image.world_to_data(desk.viewer.dims.point)[0] == pytest.approx(0)


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


@pytest.mark.parametrize(
    ("volume", "lamp", "words"), [(50, Lamp.GREEN, "50 ml"), (150, Lamp.AMBER, "unusual"), (500, Lamp.RED, "too large")]
)
def test_the_chip_of_the_volume_knows_the_trained_range(open_tumor: Open, volume: float, lamp: Lamp, words: str) -> None:
    desk = open_tumor()
    field = desk.panel.volume.fields[0]
    field.setFocus()
    field.lineEdit().selectAll()
    strokes.QTest.keyClicks(field, str(volume))
    strokes.QTest.keyClick(field, Qt.Key.Key_Return)
    assert desk.widget.desk.request.volume_ml == volume
    desk.widget.check_now()
    chip = next(chip for chip in desk.panel.chips.chips if words in chip.text)
    assert chip.lamp is lamp
    assert "2 to 120 ml" in chip.detail
    assert desk.panel.button.isEnabled() == (lamp is not Lamp.RED)


def test_research_only_stands_over_the_button(open_tumor: Open) -> None:
    desk = open_tumor()
    desk.widget.check_now()
    assert "Research only" in [chip.text for chip in desk.panel.chips.chips]


def test_without_a_model_the_button_says_how_to_get_one(open_tumor: Open, growth: Growth) -> None:
    growth.models = ()
    desk = open_tumor()
    desk.widget.check_now()
    assert not desk.panel.button.isEnabled()
    assert "msynth train" in desk.panel.button.toolTip()


def test_a_tumor_far_from_what_was_asked_is_amber_and_flags_are_told(open_tumor: Open, growth: Growth) -> None:
    growth.notes |= {"got_volume_ml": 12.0, "flag_volume_ml": "volume_ml is 150: the training patients had 2 to 120 ml"}
    desk = open_tumor()
    desk.click_run()
    text = desk.panel.grow.result.text()
    assert text.startswith("12.0 ml of 30.0 asked")
    assert "training patients" in text
    assert desk.panel.grow._lamp is Lamp.AMBER


def test_the_dice_open_a_number_again(open_tumor: Open) -> None:
    desk = open_tumor()
    desk.panel.volume.slider.setValue(120)
    assert desk.widget.desk.request.volume_ml > 0
    strokes.click(desk.panel.volume.dice)
    assert desk.widget.desk.request.volume_ml == 0
    assert desk.panel.volume.fields[0].text() == "drawn"


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


def test_the_request_is_remembered(open_tumor: Open) -> None:
    desk = open_tumor()
    desk.widget.desk.place((10.0, -20.0, 5.0))
    desk.panel.volume.slider.setValue(150)
    desk.panel.extent.fields[1].stepUp()
    desk.panel.restore_params({"guidance": 2.0})
    desk.panel.seed_row.restore(77, locked=True, count=1)
    asked = desk.widget.desk.request
    desk.click_run()
    again = open_tumor()
    assert again.widget.desk.request == asked
    assert again.panel.param_values()["guidance"] == 2.0
    assert again.panel.seed_row.seeds == (77,)


def test_only_an_undisturbed_growth_tells_the_next_ones_time(open_tumor: Open, growth: Growth) -> None:
    growth.slice_seconds = 0.02
    desk = open_tumor()
    cancelled(desk, growth)
    strokes.click(desk.panel.grow.resume)
    desk.wait_idle()
    assert not [chip for chip in desk.panel.chips.chips if chip.text.startswith("≈")]
    desk.click_run()
    assert [chip for chip in desk.panel.chips.chips if chip.text.startswith("≈")]


def test_a_second_growth_leaves_the_first(open_tumor: Open) -> None:
    desk = open_tumor()
    desk.click_run()
    desk.click_run()
    assert len(desk.results()) == 4


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


def test_the_closed_dock_leaves_no_outline_and_no_listener(open_tumor: Open, growth: Growth) -> None:
    desk = open_tumor()
    place(desk)
    desk.click_at((0, 0))
    viewer, gone = desk.viewer, weakref.ref(desk.widget)
    orientation, hands = viewer.camera.orientation, len(viewer.mouse_drag_callbacks)
    viewer.window.remove_dock_widget(desk.dock)
    desk.widget = desk.panel = desk.dock = None
    strokes.wait_until("the end of the widget", lambda: gc.collect() >= 0 and gone() is None, 5)
    assert not list(viewer.layers)
    assert viewer.camera.orientation != orientation
    assert len(viewer.mouse_drag_callbacks) == hands - 1
    viewer.add_image(np.zeros((4, 8, 8)))


def test_the_panel_fits_its_dock(open_tumor: Open) -> None:
    desk = open_tumor()
    desk.click_run()
    assert desk.panel.sizeHint().width() <= 340
    assert desk.widget.width() <= 340
    for part in (desk.panel.button, desk.panel.center.dice, desk.panel.place_row.upright, desk.panel.seed_row.lock):
        right = part.mapTo(desk.widget, part.rect().topRight()).x()
        assert right <= desk.widget.width(), f"{part} is cut off"


def test_a_closed_viewer_in_mid_growth_ends_quietly(open_tumor: Open, growth: Growth) -> None:
    desk = open_tumor()
    half_grown(desk, growth)
    place(desk)
    desk.viewer.close()
    growth.holds.set()
    strokes.settle(100)


def test_the_client_of_the_script_is_let_go(open_tumor: Open) -> None:
    desk = open_tumor()
    assert isinstance(desk.widget.session._client, GrowingClient)
    assert desk.panel.button.mode is Mode.READY

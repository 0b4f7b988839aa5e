"""A volume grows before the eyes: slices drop in, stop, go on, fail; a real mouse, a service that grows by a script."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt

from napari_medsynth import strokes
from tests.gui.conftest import Desk
from tests.gui.growing import Growth, order_of_growth
from tests.gui.tumor_hand import cancelled, half_grown, pair, place, wait_slices, whole

pytestmark = pytest.mark.gui
Open = Callable[..., Desk]


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


def test_a_closed_viewer_in_mid_growth_ends_quietly(open_tumor: Open, growth: Growth) -> None:
    desk = open_tumor()
    half_grown(desk, growth)
    place(desk)
    desk.viewer.close()
    growth.holds.set()
    strokes.settle(100)

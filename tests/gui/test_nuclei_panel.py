"""Nuclei and histology as a person makes them: a real viewer, a real mouse, and a service that sows nuclei by a script."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QPushButton

from napari_medsynth import strokes
from napari_medsynth.primary_button import Mode
from tests.gui.conftest import Desk
from tests.gui.nuclei_hand import (
    SIDE,
    chip_texts,
    disk,
    make,
    painted_pair,
    pair,
    press_fix,
    slide,
    take_tool,
    two_nuclei,
    wait_jobs,
)
from tests.gui.sowing import Sowing, SowingClient

pytestmark = pytest.mark.gui
Open = Callable[..., Desk]


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

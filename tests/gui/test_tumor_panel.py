"""The tumor panel as a person uses it: what is asked for, what stands in the way, what is remembered."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable

import numpy as np
import pytest
from qtpy.QtCore import Qt

from medsynth_core.lamp import Lamp
from napari_medsynth import strokes
from napari_medsynth.primary_button import Mode
from tests.gui.conftest import Desk
from tests.gui.growing import GrowingClient, Growth
from tests.gui.tumor_hand import place

pytestmark = pytest.mark.gui
Open = Callable[..., Desk]


def test_nothing_asked_means_all_is_drawn_by_the_engine(open_tumor: Open, growth: Growth) -> None:
    desk = open_tumor()
    desk.click_run()
    params = growth.submitted[0].params
    assert params["volume_ml"] == 0
    assert params.get("place", "drawn") == "drawn"
    assert params["extent_x_mm"] == 0
    assert params["steps"] == 8


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


def test_the_client_of_the_script_is_let_go(open_tumor: Open) -> None:
    desk = open_tumor()
    assert isinstance(desk.widget.session._client, GrowingClient)
    assert desk.panel.button.mode is Mode.READY

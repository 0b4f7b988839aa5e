"""The panel in a real viewer, with a service that follows a script."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable

import numpy as np
import pytest
from napari.layers import Labels
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QPushButton

from medsynth_core.errors import OutOfMemoryError, ServiceUnavailableError
from medsynth_core.lamp import Lamp
from medsynth_core.protocol import DeviceInfo, WorkerState
from napari_medsynth import settings, strokes
from napari_medsynth.primary_button import Mode
from tests.gui.conftest import SHAPE, Desk, painted_mask
from tests.scripted import Script, ScriptedClient

pytestmark = pytest.mark.gui
Open = Callable[..., Desk]


def test_painting_and_a_click_give_an_image_under_the_mask(open_desk: Open, script: Script) -> None:
    desk = open_desk(image=np.zeros(SHAPE, np.uint8))
    strokes.click(desk.panel.mask_row.new)
    desk.paint()
    mask = desk.widget.desk.mask
    assert mask is not None
    assert 150 < mask.data.sum() < 1200
    desk.click_synthesize()
    desk.wait_idle()
    (result,) = desk.results()
    assert list(desk.viewer.layers).index(result) < list(desk.viewer.layers).index(mask)
    assert np.array_equal(script.masks[0].array[0, 0], mask.data)
    assert result.data[mask.data > 0].min() == 200
    assert desk.viewer.layers.selection.active.name == mask.name
    assert mask.mode == "paint"


def test_undo_takes_back_the_stroke_and_leaves_the_result(open_desk: Open) -> None:
    desk = open_desk(image=np.zeros(SHAPE, np.uint8))
    strokes.click(desk.panel.mask_row.new)
    desk.paint()
    desk.click_synthesize()
    desk.wait_idle()
    desk.widget.desk.mask.undo()
    assert not desk.widget.desk.mask.data.any()
    assert len(desk.results()) == 1
    desk.wait("the check", lambda: "empty" in desk.panel.button.toolTip())


def test_without_a_mask_the_button_says_why_and_the_chip_makes_one(open_desk: Open) -> None:
    desk = open_desk(image=np.zeros((40, 50), np.uint8))
    desk.wait("the check", lambda: bool(desk.panel.chips.chips))
    assert not desk.panel.button.isEnabled()
    assert "no mask to synthesize from" in desk.panel.button.toolTip()
    fix = next(b for b in desk.panel.chips.findChildren(QPushButton) if b.text() == "New mask")
    strokes.click(fix)
    mask = desk.widget.desk.mask
    assert isinstance(mask, Labels)
    assert mask.data.shape == (40, 50)
    assert mask.mode == "paint"
    desk.wait("the check", lambda: "empty" in desk.panel.button.toolTip())


def test_on_an_empty_viewer_a_new_mask_has_the_size_of_the_model(open_desk: Open) -> None:
    desk = open_desk()
    strokes.click(desk.panel.mask_row.new)
    assert desk.widget.desk.mask.data.shape == (128, 128)


def test_the_models_colors_and_keys_are_on_the_mask(open_desk: Open) -> None:
    desk = open_desk(mask=painted_mask())
    mask = desk.widget.desk.mask
    desk.wait("the palette", lambda: "tumor" in [b.text().split()[0] for b in desk.panel.palette_bar.findChildren(QPushButton)])
    assert np.allclose(mask.get_color(1)[:3], np.array([0xF2, 0x8E, 0x2B]) / 255, atol=0.01)
    mask.selected_label = 5
    desk.viewer.layers.selection.active = mask
    QTest.keyClick(strokes.find_canvas(desk.widget), Qt.Key.Key_1)
    assert mask.selected_label == 1
    assert mask.mode == "paint"


def test_an_unknown_label_is_red_and_its_fix_is_one_undo_step(open_desk: Open) -> None:
    both = painted_mask()
    both[:4, :4] = 9
    desk = open_desk(mask=both.copy())
    desk.wait("the check", lambda: any(chip.text == "Unknown label" for chip in desk.panel.chips.chips))
    assert not desk.panel.button.isEnabled()
    strokes.click(next(b for b in desk.panel.chips.findChildren(QPushButton) if b.text() == "Map labels"))
    desk.wait("an enabled button", desk.panel.button.isEnabled)
    assert set(np.unique(desk.widget.desk.mask.data)) == {0, 1}
    desk.widget.desk.mask.undo()
    assert np.array_equal(desk.widget.desk.mask.data, both)


def test_escape_cancels_and_the_button_comes_back(open_desk: Open, script: Script) -> None:
    script.job_seconds = 30
    desk = open_desk(mask=painted_mask())
    desk.click_synthesize()
    desk.wait("a running job", lambda: desk.panel.button.mode is Mode.RUNNING and bool(script.submitted))
    desk.focus()
    QTest.keyClick(strokes.find_canvas(desk.widget), Qt.Key.Key_Escape)
    assert desk.panel.button.mode is Mode.CANCELLING
    assert not desk.panel.button.isEnabled()
    desk.wait("the button", lambda: desk.panel.button.mode is Mode.READY, seconds=1)
    assert not desk.results()
    assert "Cancelled" in desk.panel.message.text
    desk.wait("an enabled button", desk.panel.button.isEnabled)


def test_progress_is_true_and_says_the_time_left(open_desk: Open, script: Script) -> None:
    script.job_seconds = 1.2
    desk = open_desk(mask=painted_mask())
    desk.click_synthesize()
    desk.wait("half of the work", lambda: desk.panel.progress.bar.value() == 500)
    assert "0.6 s left" in desk.panel.progress.line.text()
    desk.wait_idle()
    assert desk.panel.progress.isHidden()


def test_four_variations_have_four_seeds_and_one_is_shown(open_desk: Open, script: Script) -> None:
    desk = open_desk(mask=painted_mask())
    desk.panel.seed_row.restore(40, locked=True, count=4)
    desk.click_synthesize()
    desk.wait_idle()
    assert [request.seed for request in script.submitted] == [40, 41, 42, 43]
    assert [layer.name for layer in desk.results()] == [f"[Synthetic] brain-slice · seed {s}" for s in (40, 41, 42, 43)]
    assert [layer.visible for layer in desk.results()] == [False, False, False, True]
    strokes.click(desk.panel.variations.findChildren(QPushButton)[1])
    assert [layer.visible for layer in desk.results()] == [False, True, False, False]


def test_a_locked_seed_stays_and_an_open_one_rolls(open_desk: Open, script: Script) -> None:
    desk = open_desk(mask=painted_mask())
    desk.panel.seed_row.restore(40, locked=True, count=1)
    for _ in range(2):
        desk.click_synthesize()
        desk.wait_idle()
    strokes.click(desk.panel.seed_row.lock)
    desk.click_synthesize()
    desk.wait_idle()
    seeds = [request.seed for request in script.submitted]
    assert seeds[:2] == [40, 40]
    assert seeds[2] != 40 or desk.panel.seed_row.seed.value() != 40


def test_a_color_model_gives_an_rgb_layer(open_desk: Open) -> None:
    desk = open_desk(mask=painted_mask())
    desk.panel.model.setCurrentIndex(1)
    desk.click_synthesize()
    desk.wait_idle()
    (result,) = desk.results()
    assert result.rgb
    assert result.data.shape == (*SHAPE, 3)
    assert result.metadata["medsynth"]["synthetic"] is True


def test_a_failed_job_teaches_in_the_panel_and_leaves_the_layers(open_desk: Open, script: Script) -> None:
    script.fails_with = OutOfMemoryError.code
    desk = open_desk(mask=painted_mask())
    desk.click_synthesize()
    desk.wait("the message", lambda: bool(desk.panel.message.text))
    assert desk.panel.message.text == "The script failed: try again."
    assert desk.panel.message.fix.text() == "Free memory"
    strokes.click(desk.panel.message.copy)
    assert "out_of_memory" in QApplication.clipboard().text()
    assert [layer.name for layer in desk.viewer.layers] == ["lesion"]
    assert desk.panel.button.mode is Mode.READY


def test_a_dying_worker_turns_the_pill_red_and_it_recovers(open_desk: Open, script: Script) -> None:
    desk = open_desk(mask=painted_mask())
    desk.wait("green", lambda: desk.panel.pill.view.lamp is Lamp.GREEN)
    script.worker = WorkerState.RESTARTING
    desk.wait("red", lambda: desk.panel.pill.view.lamp is Lamp.RED, seconds=3)
    assert "resume by themselves" in desk.panel.pill.toolTip()
    script.worker = WorkerState.READY
    desk.wait("green again", lambda: desk.panel.pill.view.lamp is Lamp.GREEN, seconds=5)


def test_a_service_that_is_away_is_told_and_does_not_stop_painting(open_desk: Open, script: Script) -> None:
    desk = open_desk(mask=painted_mask())
    script.raises = ServiceUnavailableError("the service does not run")
    desk.wait("red", lambda: desk.panel.pill.view.lamp is Lamp.RED, seconds=3)
    desk.click_synthesize()
    desk.wait("the message", lambda: "does not run" in desk.panel.message.text)
    assert desk.panel.message.fix.text() == "Start engine"


def test_the_shown_slice_of_a_stack_is_sent_and_the_result_lies_on_it(open_desk: Open, script: Script) -> None:
    stack = np.zeros((5, 48, 64), np.uint8)
    stack[3, 10:20, 30:50] = 1
    desk = open_desk(mask=stack, scale=(4, 2, 0.5), translate=(10, 20, 30))
    desk.viewer.dims.set_point(0, 10 + 3 * 4)
    desk.wait("an enabled button", desk.panel.button.isEnabled)
    desk.click_synthesize()
    desk.wait_idle()
    assert np.array_equal(script.masks[0].array[0, 0], stack[3])
    (result,) = desk.results()
    assert result.data.shape == (1, 48, 64)
    assert np.allclose(result.data_to_world((0, 5, 6)), desk.widget.desk.mask.data_to_world((3, 5, 6)))
    desk.viewer.dims.set_point(0, 10)
    desk.wait("the check of an empty slice", lambda: "empty" in desk.panel.button.toolTip())


def test_removing_the_mask_in_mid_job_is_silent(open_desk: Open, script: Script) -> None:
    script.job_seconds = 0.8
    desk = open_desk(mask=painted_mask())
    desk.click_synthesize()
    desk.wait("a running job", lambda: bool(script.submitted))
    desk.viewer.layers.clear()
    desk.wait_idle()
    assert desk.panel.message.text == ""
    assert len(desk.results()) == 1


def test_closing_the_viewer_in_mid_job_is_silent_and_ends_all_threads(open_desk: Open, script: Script) -> None:
    script.job_seconds = 1.0
    desk = open_desk(mask=painted_mask())
    desk.click_synthesize()
    desk.wait("a running job", lambda: bool(script.submitted))
    desk.viewer.close()


def test_removing_the_dock_ends_the_session_and_the_widget(open_desk: Open, script: Script) -> None:
    desk = open_desk(mask=painted_mask())
    gone = weakref.ref(desk.widget)
    desk.viewer.window.remove_dock_widget(desk.dock)
    client = desk.widget.session._client
    assert client is None
    viewer = desk.viewer
    del desk
    strokes.wait_until("the end of the widget", lambda: gc.collect() >= 0 and gone() is None, 5)
    viewer.layers["lesion"].data = painted_mask(value=0)  # nobody listens any more


def test_the_panel_fits_its_dock(open_desk: Open) -> None:
    desk = open_desk(mask=painted_mask())
    assert desk.panel.sizeHint().width() <= 340
    assert desk.widget.width() <= 340
    for part in (desk.panel.button, desk.panel.mask_row.new, desk.panel.seed_row.lock):
        right = part.mapTo(desk.widget, part.rect().topRight()).x()
        assert right <= desk.widget.width(), f"{part} is cut off"


def test_settings_are_remembered(open_desk: Open, script: Script) -> None:
    desk = open_desk(mask=painted_mask())
    desk.panel.model.setCurrentIndex(1)
    desk.panel.restore_params({"steps": 1})
    desk.panel.seed_row.restore(77, locked=True, count=1)
    desk.click_synthesize()
    desk.wait_idle()
    again = open_desk(mask=painted_mask())
    assert again.widget.model_id == "polyp"
    assert again.panel.param_values()["steps"] == 1
    assert again.panel.seed_row.seeds == (77,)
    assert again.panel.seed_row.lock.isChecked()


def test_what_the_user_set_survives_a_refresh_of_the_engine(open_desk: Open, script: Script) -> None:
    desk = open_desk(mask=painted_mask())
    desk.panel.restore_params({"steps": 1, "tumor": "pituitary"})
    desk.widget.capabilities_changed(ScriptedClient(script).capabilities())
    script.device = DeviceInfo("CPU, 4 cores", "cpu", 16 * 2**30, 2**30)
    desk.widget.capabilities_changed(ScriptedClient(script).capabilities())
    assert desk.panel.param_values()["steps"] == 1
    assert desk.panel.param_values()["tumor"] == "pituitary"


def test_only_a_run_with_the_model_in_memory_tells_the_next_ones_time(open_desk: Open, script: Script) -> None:
    script.loaded, script.job_seconds = (), 0.2
    desk = open_desk(mask=painted_mask())
    for loaded, chips in (((), 3), (("brain-slice",), 4)):
        script.loaded = loaded
        desk.wait("the status", lambda: desk.widget.session.status.loaded_models == script.loaded)
        desk.click_synthesize()
        desk.wait_idle()
        desk.widget.check_now()
        assert len(desk.panel.chips.chips) == chips
    assert desk.panel.chips.chips[-1].text.startswith("≈ 0.")


def test_a_full_disk_does_not_lose_the_image(open_desk: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(settings, "save", refuse)
    desk = open_desk(mask=painted_mask())
    desk.click_synthesize()
    desk.wait_idle()
    assert len(desk.results()) == 1
    assert "No space left" in desk.panel.message.text

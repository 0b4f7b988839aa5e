"""Live mode under a real mouse: a draft after each stroke, all steps after a pause, newest wins, nothing under the hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QPushButton

from medsynth_core.live import SETTLE_S
from napari_medsynth import strokes
from napari_medsynth.preview_layer import NAME
from napari_medsynth.primary_button import Mode
from tests.gui.conftest import SHAPE, Desk, painted_mask
from tests.scripted import Script

pytestmark = pytest.mark.gui
Open = Callable[..., Desk]


@pytest.fixture
def live(open_refine: Open) -> Callable[..., Desk]:
    """Open Refine with the brush in the hand and live mode switched on."""

    def make(mask: np.ndarray | None = None, **options: Any) -> Desk:
        desk = open_refine(mask=np.zeros(SHAPE, np.uint8) if mask is None else mask, **options)
        lesion = desk.viewer.layers["lesion"]
        desk.viewer.layers.selection.active = lesion
        lesion.mode, lesion.brush_size = "paint", 4
        desk.panel.live.switch.click()
        return desk

    return make


def listen(desk: Desk) -> list[str]:
    """Return what the row says from now on, also what it says for an instant alone.

    A draft that took longer than the pause before the full quality is followed by "settling…" at once.
    """
    said: list[str] = []
    tell = desk.panel.live.tell

    def noted(text: str, detail: str = "") -> None:
        said.append(text)
        tell(text, detail)

    desk.panel.live.tell = noted
    return said


def has_drafted(said: list[str]) -> bool:
    return any(text.startswith("draft ·") for text in said)


def steps(script: Script) -> list[int]:
    return [int(request.params["steps"]) for request in script.submitted]


def test_a_stroke_brings_a_draft_at_once_and_the_full_quality_after_a_pause(live: Callable[..., Desk], script: Script) -> None:
    desk = live()
    assert desk.panel.live.text == "waiting"
    said = listen(desk)
    desk.paint(points=16)
    desk.wait("the full quality", lambda: desk.panel.live.text.startswith("final ·"))
    assert [text.split(" ·")[0] for text in said] == ["drafting…", "draft", "settling…", "final"]
    assert "s" in said[1].split("·")[1]
    assert steps(script) == [1, 6]
    layer = desk.viewer.layers[NAME]
    mask = desk.viewer.layers["lesion"]
    assert np.array_equal(np.nonzero(layer.data), np.nonzero(np.roll(mask.data, 2, axis=1) != mask.data))
    assert desk.viewer.layers.selection.active.name == "lesion"
    assert mask.mode == "paint"
    QTest.qWait(900)
    assert steps(script) == [1, 6]


def test_a_newer_stroke_cancels_what_runs_and_nothing_queues(live: Callable[..., Desk], script: Script) -> None:
    script.job_seconds = 30
    desk = live()
    for count, center in enumerate(((15, 15), (40, 40), (20, 45)), start=1):
        desk.paint(center=center, radii=(4, 4), points=16)
        desk.wait("its draft", lambda count=count: len(script.submitted) == count, 2)
    desk.wait("the end of the outdated", lambda: script.cancelled == ["job1", "job2"], 2)
    script.job_seconds = 0.0
    said = listen(desk)
    desk.paint(center=(50, 15), radii=(4, 4), points=16)
    desk.wait("the draft of the newest", lambda: has_drafted(said))
    assert np.array_equal(script.masks[-1].array[0, 0], desk.viewer.layers["lesion"].data)
    assert desk.widget.preview.counts.added > 0
    assert "job4" not in script.cancelled


def test_a_draft_slower_than_the_pause_is_shown_before_the_full_quality(live: Callable[..., Desk], script: Script) -> None:
    script.job_seconds = SETTLE_S + 0.2
    desk = live()
    said = listen(desk)
    shown: list[bool] = []
    desk.viewer.layers.events.inserted.connect(lambda event: shown.append(has_drafted(said)))
    desk.paint(points=16)
    desk.wait("the full quality", lambda: desk.panel.live.text.startswith("final ·"))
    assert [text.split(" ·")[0] for text in said] == ["drafting…", "draft", "settling…", "final"]
    assert shown == [False]  # the layer came with the draft, just before its words
    assert steps(script) == [1, 6]


def test_nothing_happens_while_the_mouse_is_down(live: Callable[..., Desk], script: Script) -> None:
    script.job_seconds = 0.3
    desk = live()
    desk.paint(center=(15, 15), radii=(4, 4), points=16)
    desk.wait("a draft under way", lambda: len(script.submitted) == 1, 2)
    canvas, point = desk.place((40, 40))
    QTest.mousePress(canvas, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, point)
    QTest.qWait(1200)
    assert NAME not in desk.viewer.layers
    assert len(script.submitted) == 1
    QTest.mouseRelease(canvas, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, point)
    desk.wait("the draft of both strokes", lambda: NAME in desk.viewer.layers, 3)
    assert np.array_equal(script.masks[1].array[0, 0], desk.viewer.layers["lesion"].data)


def test_undo_is_an_edit_and_our_own_write_is_none(live: Callable[..., Desk], script: Script) -> None:
    desk = live(painted_mask())
    desk.wait("the full quality", lambda: desk.panel.live.text.startswith("final"), 4)
    count = len(script.submitted)
    strokes.click(desk.panel.review.accept_all)
    QTest.qWait(900)
    assert len(script.submitted) == count
    desk.viewer.layers["lesion"].undo()
    desk.wait("another draft", lambda: len(script.submitted) > count, 2)
    assert np.array_equal(script.masks[-1].array[0, 0], painted_mask())


def test_another_slice_is_no_edit_but_a_stroke_on_it_is(live: Callable[..., Desk], script: Script) -> None:
    stack = np.zeros((4, *SHAPE), np.uint8)
    stack[:, 20:30, 20:30] = 1
    desk = live(stack)
    desk.wait("the full quality", lambda: desk.panel.live.text.startswith("final"), 4)
    count = len(script.submitted)
    desk.viewer.dims.set_point(0, 3)
    QTest.qWait(900)
    assert len(script.submitted) == count
    desk.paint(center=(45, 45), radii=(4, 4), points=16)
    desk.wait("a draft of that slice", lambda: len(script.submitted) > count, 2)
    assert np.array_equal(script.masks[-1].array[0, -1], desk.viewer.layers["lesion"].data[3])


def test_strokes_on_the_lock_layer_count_as_well(live: Callable[..., Desk], script: Script) -> None:
    desk = live(painted_mask())
    strokes.click(desk.panel.locked.new)
    desk.wait("the full quality", lambda: desk.panel.live.text.startswith("final"), 4)
    count = len(script.submitted)
    desk.paint(center=(30, 30), radii=(4, 4), points=16)
    desk.wait("another draft", lambda: len(script.submitted) > count, 2)
    assert script.inputs[-1]["locked"].array.any()


def test_another_strength_counts_as_well(live: Callable[..., Desk], script: Script) -> None:
    desk = live(painted_mask())
    desk.wait("the full quality", lambda: desk.panel.live.text.startswith("final"), 4)
    strokes.click(desk.panel.strength.findChildren(QPushButton)[0])
    desk.wait("another draft", lambda: script.submitted[-1].params["strength"] == "touch-up", 2)


def test_switching_off_cancels_and_stays_off(live: Callable[..., Desk], script: Script) -> None:
    script.job_seconds = 30
    desk = live(painted_mask())
    desk.wait("a draft under way", lambda: len(script.submitted) == 1, 2)
    desk.panel.live.switch.click()
    desk.wait("the cancel", lambda: script.cancelled == ["job1"], 2)
    desk.paint(points=16)
    QTest.qWait(300)
    assert len(script.submitted) == 1
    assert desk.panel.live.text == ""


def test_a_failure_is_told_once_and_the_next_stroke_tries_again(live: Callable[..., Desk], script: Script) -> None:
    script.fails_with = "refused"
    desk = live(painted_mask())
    desk.wait("the message", lambda: "script failed" in desk.panel.message.text, 3)
    QTest.qWait(900)
    assert len(script.submitted) == 1
    script.fails_with = ""
    said = listen(desk)
    desk.paint(points=16)
    desk.wait("a draft", lambda: has_drafted(said))


def test_the_button_takes_over_from_live_mode(live: Callable[..., Desk], script: Script) -> None:
    script.job_seconds = 0.4
    desk = live(painted_mask())
    desk.wait("a draft under way", lambda: len(script.submitted) == 1, 2)
    desk.click_synthesize()
    assert desk.panel.button.mode is Mode.RUNNING
    desk.wait_idle()
    assert script.cancelled == ["job1"]
    assert steps(script) == [1, 6]
    assert NAME in desk.viewer.layers


def test_removing_the_mask_in_live_mode_is_silent(live: Callable[..., Desk], script: Script) -> None:
    script.job_seconds = 0.3
    desk = live(painted_mask())
    desk.wait("a draft under way", lambda: len(script.submitted) == 1, 2)
    desk.viewer.layers.remove("lesion")
    QTest.qWait(900)
    assert [layer.name for layer in desk.viewer.layers] == ["picture"]
    assert desk.panel.message.text == ""


def test_closing_the_viewer_in_live_mode_is_silent(live: Callable[..., Desk], script: Script) -> None:
    script.job_seconds = 1.0
    desk = live(painted_mask())
    desk.wait("a draft under way", lambda: len(script.submitted) == 1, 2)
    desk.viewer.close()

"""Refine as a person uses it: a real viewer, a real mouse, and a service that follows a script."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QPushButton

from medsynth_core.errors import RefusedError
from medsynth_core.lamp import Lamp
from napari_medsynth import settings, strokes
from napari_medsynth.preview_layer import NAME
from napari_medsynth.primary_button import Mode
from napari_medsynth.uncertainty_tour import NAME as UNCERTAINTY
from tests.gui.conftest import SHAPE, Desk, painted_mask
from tests.gui.refine_hand import lesion, preview
from tests.scripted import Script

pytestmark = pytest.mark.gui
Open = Callable[..., Desk]


def test_the_uncertainty_is_a_layer_on_demand_with_fixed_limits(refining: Callable[..., Desk]) -> None:
    desk = refining()
    assert UNCERTAINTY not in desk.viewer.layers
    desk.panel.review.uncertainty.click()
    layer = desk.viewer.layers[UNCERTAINTY]
    assert layer.colormap.name == "magma"
    assert layer.blending == "additive"
    assert tuple(layer.contrast_limits) == (0, 255)
    assert desk.viewer.layers.selection.active.name == NAME
    desk.click_run()
    assert [name.name for name in desk.viewer.layers].count(UNCERTAINTY) == 1
    desk.viewer.layers.remove(UNCERTAINTY)
    assert not desk.panel.review.uncertainty.isChecked()
    desk.panel.review.uncertainty.click()
    assert UNCERTAINTY in desk.viewer.layers
    desk.panel.review.uncertainty.click()
    assert UNCERTAINTY not in desk.viewer.layers


def test_next_uncertain_place_moves_the_camera_and_counts(refining: Callable[..., Desk]) -> None:
    desk = refining()
    zoom = desk.viewer.camera.zoom
    seen = []
    for _ in range(3):
        strokes.click(desk.panel.review.next_place)
        seen.append((desk.panel.review.place.text(), tuple(np.round(desk.viewer.camera.center[-2:]))))
    total = int(seen[0][0].split(" of ")[1])
    assert total >= 3
    assert [text for text, _ in seen] == [f"{i} of {total}" for i in (1, 2, 3)]
    assert len({center for _, center in seen}) == 3
    assert desk.viewer.camera.zoom >= zoom


def test_a_result_without_a_change_says_so(open_refine: Open, script: Script) -> None:
    script.refines = lambda mask: mask
    desk = open_refine(mask=painted_mask())
    desk.click_run()
    assert "Nothing to change" in desk.panel.message.text
    assert preview(desk) is None
    assert not desk.panel.review.next_place.isEnabled()


def test_the_button_morphs_and_escape_cancels(open_refine: Open, script: Script) -> None:
    script.job_seconds = 30
    desk = open_refine(mask=painted_mask())
    assert desk.panel.button.text() == "Refine"
    desk.click_synthesize()
    desk.wait("a running job", lambda: desk.panel.button.text() == "Cancel" and bool(script.submitted))
    desk.focus()
    desk.key(Qt.Key.Key_Escape)
    desk.wait("the button", lambda: desk.panel.button.mode is Mode.READY, seconds=1)
    assert desk.panel.button.text() == "Refine"
    assert "Cancelled" in desk.panel.message.text
    assert preview(desk) is None


def test_a_refusal_is_told_and_its_fix_is_a_gentler_strength(open_refine: Open, script: Script) -> None:
    script.fails_with = RefusedError.code
    desk = open_refine(mask=painted_mask())
    for strength in ("redraw", "correct"):
        assert desk.panel.strength.value == strength
        if strength == "redraw":
            desk.click_run()
        assert desk.panel.message.text == "The script failed: try again."
        assert desk.panel.message.fix.text() == "Use a gentler strength"
        strokes.click(desk.panel.message.fix)
        desk.wait_idle()
    assert [request.params["strength"] for request in script.submitted] == ["redraw", "correct", "touch-up"]
    assert desk.panel.message.fix.isHidden()


def test_what_was_kept_is_told(open_refine: Open, script: Script) -> None:
    script.notes = {"kept z 0": "label 2", "reach_px": "9"}
    desk = open_refine(mask=painted_mask())
    desk.click_run()
    assert "label 2 would have left its input" in desk.panel.message.text
    assert preview(desk) is not None


def test_removing_the_mask_in_mid_job_is_silent(open_refine: Open, script: Script) -> None:
    script.job_seconds = 0.6
    desk = open_refine(mask=painted_mask())
    desk.click_synthesize()
    desk.wait("a running job", lambda: bool(script.submitted))
    desk.viewer.layers.remove("lesion")
    desk.wait_idle()
    assert desk.panel.message.text == ""
    assert [layer.name for layer in desk.viewer.layers] == ["picture"]


def test_an_image_of_another_size_blocks_with_both_sizes(open_refine: Open) -> None:
    desk = open_refine(mask=painted_mask(), image=np.zeros((40, 50), np.uint8))
    desk.wait("the check", lambda: not desk.panel.button.isEnabled())
    assert "50 × 40" in desk.panel.button.toolTip()
    assert "64 × 64" in desk.panel.button.toolTip()
    desk.viewer.add_image(np.zeros(SHAPE, np.uint8), name="fitting")
    desk.wait("an enabled button", desk.panel.button.isEnabled)


def test_a_mask_at_another_place_blocks_and_can_be_aligned(open_refine: Open) -> None:
    desk = open_refine(mask=painted_mask(), scale=(2, 0.5), translate=(3, 4))
    lesion(desk).translate = (50, 4)
    desk.wait("the check", lambda: "lie at different places" in desk.panel.button.toolTip())
    strokes.click(next(b for b in desk.panel.chips.findChildren(QPushButton) if b.text() == "Align mask"))
    desk.wait("an enabled button", desk.panel.button.isEnabled)
    assert np.allclose(lesion(desk).data_to_world((1, 2)), desk.viewer.layers["picture"].data_to_world((1, 2)))


def test_an_empty_mask_and_no_image_block_with_the_reason(open_refine: Open) -> None:
    desk = open_refine(mask=np.zeros(SHAPE, np.uint8))
    desk.wait("the check", lambda: "Nothing is painted in this slice" in desk.panel.button.toolTip())
    desk.viewer.layers.remove("picture")
    desk.wait("the check", lambda: "no image layer" in desk.panel.button.toolTip())


def test_an_empty_mask_on_a_color_image_can_be_drawn_by_the_coarse_network(open_refine: Open, script: Script) -> None:
    frame = np.random.default_rng(0).integers(0, 255, (*SHAPE, 3), np.uint8)
    desk = open_refine(mask=np.zeros(SHAPE, np.uint8), image=frame)
    desk.wait("the check", lambda: "let one be drawn" in desk.panel.button.toolTip())
    strokes.click(next(b for b in desk.panel.chips.findChildren(QPushButton) if b.text() == "Draw one"))
    desk.wait("the preview", lambda: preview(desk) is not None)
    assert script.submitted[0].params["coarse"] == "polyp-coarse"
    assert set(script.submitted[0].inputs) == {"image"}
    assert not lesion(desk).data.any()
    strokes.click(desk.panel.review.accept_all)
    assert lesion(desk).data.sum() == painted_mask().sum()
    lesion(desk).undo()
    assert not lesion(desk).data.any()


def test_strengths_are_words_with_the_reach_on_the_shown_mask(open_refine: Open) -> None:
    desk = open_refine(mask=painted_mask())
    desk.wait("the check", desk.panel.button.isEnabled)
    texts = [button.text() for button in desk.panel.strength.findChildren(QPushButton)]
    assert [text.splitlines()[0] for text in texts] == ["Touch up", "Correct", "Redraw"]
    assert all(text.splitlines()[1].startswith("±") and text.endswith(" px") for text in texts)


def test_strength_and_parameters_are_remembered_apart_from_those_of_synthesize(
    refining: Callable[..., Desk], open_refine: Open
) -> None:
    settings.save("synthesize", settings.Settings(model="polyp"))
    desk = refining()
    desk.panel.strength.set_value("correct")
    desk.panel.restore_params({"steps": 3, "smooth": 1.5})
    desk.click_run()
    again = open_refine(mask=painted_mask())
    assert again.panel.strength.value == "correct"
    assert again.panel.param_values() == {"steps": 3, "samples": 1, "smooth": 1.5}
    assert settings.load("synthesize").model == "polyp"


def test_only_refiners_are_offered_and_no_part_of_ours_is_taken_for_a_mask(refining: Callable[..., Desk]) -> None:
    desk = refining()
    assert [desk.panel.model.itemText(i) for i in range(desk.panel.model.count())] == ["Refiner"]
    strokes.click(desk.panel.locked.new)
    desk.panel.review.uncertainty.click()
    assert [desk.panel.mask_row.box.itemText(i) for i in range(desk.panel.mask_row.box.count())] == ["lesion"]
    assert [desk.panel.image.itemText(i) for i in range(desk.panel.image.count())] == ["picture"]
    boxes = [desk.panel.locked.box.itemText(i) for i in range(desk.panel.locked.box.count())]
    assert boxes == ["nothing", "Locked", "lesion"]


def test_it_works_while_napari_slices_in_the_background(refining: Callable[..., Desk], script: Script) -> None:
    from napari.settings import get_settings

    get_settings().experimental.async_ = True
    try:
        desk = refining()
        QTest.qWait(100)
        desk.click_at((5, 5))
        assert lesion(desk).data[5, 5] == 1
        lesion(desk).undo()
        assert np.array_equal(lesion(desk).data, painted_mask())
        QTest.qWait(100)
    finally:
        get_settings().experimental.async_ = False


def test_removing_the_dock_leaves_no_layer_and_no_listener(refining: Callable[..., Desk]) -> None:
    desk = refining()
    before = list(desk.viewer.mouse_drag_callbacks)
    desk.panel.live.switch.click()
    assert len(desk.viewer.mouse_drag_callbacks) == len(before) + 1
    gone = weakref.ref(desk.widget)
    desk.viewer.window.remove_dock_widget(desk.dock)
    viewer = desk.viewer
    del desk
    assert [layer.name for layer in viewer.layers] == ["picture", "lesion"]
    strokes.wait_until("the end of the widget", lambda: gc.collect() >= 0 and gone() is None, 5)
    assert list(viewer.mouse_drag_callbacks) == before
    viewer.layers["lesion"].data = painted_mask(value=0)


def test_the_panel_fits_its_dock(refining: Callable[..., Desk]) -> None:
    desk = refining()
    desk.panel.review.uncertainty.click()
    strokes.click(desk.panel.review.next_place)
    strokes.settle(50)
    assert desk.widget.width() <= 340
    desk.panel.live.tell("final · 10.5 s")
    desk.panel._fold.expand(animate=False)  # now the scroll bar takes room, too
    strokes.settle(50)
    review, parts = desk.panel.review, desk.panel.strength.findChildren(QPushButton)
    for part in (
        *parts,
        desk.panel.live._status,
        desk.panel.locked.new,
        review.reject,
        review.discard,
        review.next_place,
        review.place,
    ):
        right = part.mapTo(desk.panel._scroll, part.rect().topRight()).x()
        assert right <= desk.panel._scroll.viewport().width(), f"{part.text()} is cut off"
        assert part.width() >= part.sizeHint().width() - 1, f"the text of {part.text()} is cut"


@pytest.mark.parametrize("name", ["dark", "light"])
def test_the_panel_follows_the_theme(refining: Callable[..., Desk], name: str, tmp_path: Any) -> None:
    desk = refining()
    desk.viewer.theme = name
    strokes.settle(200)
    assert desk.widget.grab().save(str(tmp_path / f"refine-{name}.png"))
    assert desk.panel.chips.chips[0].lamp is Lamp.GREEN

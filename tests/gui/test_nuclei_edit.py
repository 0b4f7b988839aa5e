"""Nuclei in the hand: a real viewer, a real mouse on its canvas."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt
from qtpy.QtWidgets import QApplication, QWidget

from medsynth_core import nuclei_edits
from medsynth_core.errors import ParameterError
from napari_medsynth import strokes
from napari_medsynth.nuclei_edit import NucleusEditor
from napari_medsynth.nuclei_tool_outline import NAME
from tests.gui.conftest import Desk

pytestmark = pytest.mark.gui
Place = tuple[float, float]
A, B, OUT = (20.0, 20.0), (20.0, 44.0), (50.0, 50.0)
"""Where the middle of nucleus 1 is, that of nucleus 2, and background."""


def field(shape: tuple[int, int] = (64, 64)) -> np.ndarray:
    """Return two round nuclei, number 1 at A and 2 at B."""
    ys, xs = np.indices(shape)
    disks = [(ys - y) ** 2 + (xs - x) ** 2 <= 36 for y, x in (A, B)]
    return (1 * disks[0] + 2 * disks[1]).astype(np.uint16)


class Hand(Desk):
    """A viewer with nuclei, the editor, and what it told."""

    def __init__(self, viewer: Any, labels: np.ndarray, **options: Any) -> None:
        widget: Any = QWidget()
        widget.panel = None
        super().__init__(viewer, widget, viewer.window.add_dock_widget(widget, name="Nuclei", area="right"))
        self.labels = viewer.add_labels(labels, name="nuclei", **options)
        self.editor = NucleusEditor(viewer)
        self.edits: list[tuple[Any, ...]] = []
        self.refusals: list[str] = []
        self.editor.edited.connect(lambda *told: self.edits.append(told))
        self.editor.refused.connect(self.refusals.append)

    def drag(self, *places: Place) -> None:
        """Press at the first place, move through the others with a step between each, release at the last."""
        path = [np.array(places[0])]
        for place in places[1:]:
            path += [path[-1] + (np.array(place) - path[-1]) * share for share in (0.5, 1.0)]
        strokes.drag(self.viewer, strokes.find_canvas(self.widget), [(float(y), float(x)) for y, x in path])

    def press(self, at: Place, *then: Place) -> None:
        """Press, and move without letting go."""
        canvas, point = self.place(at)
        strokes.QTest.mouseMove(canvas, point)
        strokes.QTest.mousePress(canvas, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, point)
        for place in then:
            strokes.QTest.mouseMove(canvas, self.place(place)[1])
            strokes.QTest.qWait(1)

    def release(self, at: Place) -> None:
        canvas, point = self.place(at)
        strokes.QTest.mouseRelease(canvas, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, point)
        QApplication.processEvents()

    def over(self, at: Place) -> None:
        """Move the mouse to a place, no button pressed; again where the canvas has just found another size."""
        self.viewer.cursor.position = (-1.0,) * self.viewer.dims.ndim
        self.wait("the mouse there", lambda: self._moved(at))

    def _moved(self, at: Place) -> bool:
        canvas, point = self.place(at)
        strokes.QTest.mouseMove(canvas, point + QPoint(1, 0))
        strokes.QTest.mouseMove(canvas, point)
        QApplication.processEvents()
        return np.allclose(self.viewer.cursor.position[-2:], at, atol=0.3)

    def undo(self) -> None:
        self.focus()
        self.key(Qt.Key.Key_Z, control=True)

    @property
    def outline(self) -> Any:
        """The outline that is seen, None for none."""
        return next((layer for layer in self.viewer.layers if layer.name == NAME and layer.visible), None)

    def outlined(self) -> np.ndarray:
        """Return the middle (y, x) of the outline, in pixels."""
        return self.outline.data[:, 0, -2:].mean(axis=0)


@pytest.fixture
def open_hand(make_napari_viewer_proxy: Callable[..., Any]) -> Callable[..., Hand]:
    """Open a viewer with nuclei."""

    def make(labels: np.ndarray | None = None, **options: Any) -> Hand:
        viewer = make_napari_viewer_proxy(show=True)
        viewer.window.resize(1200, 800)
        hand = Hand(viewer, field() if labels is None else labels, **options)
        hand.focus()
        strokes.settle(100)  # until the window has its final size: places on the canvas hold from then on
        viewer.reset_view()
        return hand

    return make


Open = Callable[..., Hand]


def test_a_drag_moves_a_nucleus_and_tells_where_to_paint(open_hand: Open) -> None:
    hand = open_hand()
    hand.editor.set_tool("move")
    hand.drag(A, (40, 30))
    expected = nuclei_edits.moved(field(), 1, 20, 10)
    assert np.array_equal(hand.labels.data, expected.instances)
    ((layer, before, region, z),) = hand.edits
    assert layer == hand.labels
    assert np.array_equal(before, field())
    assert np.array_equal(region, expected.region)
    assert z == 0
    assert not hand.refusals


def test_a_drag_duplicates_a_nucleus_with_a_number_of_its_own(open_hand: Open) -> None:
    hand = open_hand()
    hand.editor.set_tool("duplicate")
    hand.drag(A, (44, 20))
    assert np.array_equal(hand.labels.data, nuclei_edits.duplicated(field(), 1, 24, 0).instances)
    assert np.array_equal(np.unique(hand.labels.data), [0, 1, 2, 3])
    assert len(hand.edits) == 1


def test_a_click_deletes_a_nucleus(open_hand: Open) -> None:
    hand = open_hand()
    hand.editor.set_tool("delete")
    hand.click_at(B)
    assert np.array_equal(hand.labels.data, np.where(field() == 2, 0, field()))
    assert np.array_equal(hand.edits[0][2], nuclei_edits.grown(field() == 2))
    assert hand.outline is None


def test_the_delete_key_deletes_what_the_mouse_is_over(open_hand: Open) -> None:
    hand = open_hand()
    hand.editor.set_tool("move")
    hand.focus()
    hand.over(A)
    hand.key(Qt.Key.Key_Delete)
    assert set(np.unique(hand.labels.data)) == {0, 2}
    hand.key(Qt.Key.Key_Delete)  # what it was over is gone
    hand.over(OUT)
    hand.key(Qt.Key.Key_Delete)
    assert set(np.unique(hand.labels.data)) == {0, 2}
    assert len(hand.edits) == 1


def test_each_edit_is_one_step_of_undo_and_the_undo_is_exact(open_hand: Open) -> None:
    hand = open_hand()
    hand.editor.set_tool("move")
    hand.drag(A, (40, 30))
    moved = hand.labels.data.copy()
    hand.editor.set_tool("delete")
    hand.click_at(B)
    hand.undo()
    assert np.array_equal(hand.labels.data, moved)
    hand.undo()
    assert np.array_equal(hand.labels.data, field())
    hand.labels.redo()
    assert np.array_equal(hand.labels.data, moved)
    assert len(hand.edits) == 2


def test_the_outline_follows_the_hand_and_the_labels_wait_for_the_release(open_hand: Open) -> None:
    hand = open_hand()
    drawn: list[Any] = []
    hand.editor.set_tool("move")
    hand.over(A)
    assert hand.outlined() == pytest.approx(A, abs=0.3)
    for event in (hand.labels.events.set_data, hand.labels.events.labels_update, hand.labels.events.paint):
        event.connect(drawn.append)
    hand.press(A, (30, 25), (40, 30))
    assert hand.outlined() == pytest.approx((40, 30), abs=0.3)
    assert np.array_equal(hand.labels.data, field())
    assert not drawn
    hand.release((40, 30))
    assert hand.labels.data[40, 30] == 1
    assert hand.outline is None


def test_escape_puts_the_nucleus_back(open_hand: Open) -> None:
    hand = open_hand()
    hand.editor.set_tool("move")
    hand.focus()
    hand.press(A, (30, 25), (40, 30))
    hand.key(Qt.Key.Key_Escape)
    assert hand.outline is None
    camera = hand.viewer.camera.center
    hand.release((45, 35))
    assert np.array_equal(hand.labels.data, field())
    assert hand.viewer.camera.center == camera
    assert not hand.edits
    hand.drag(OUT, (40, 40))  # the camera is the mouse's again
    assert hand.viewer.camera.center != camera


def test_the_background_is_the_cameras_and_a_nucleus_is_not(open_hand: Open) -> None:
    hand = open_hand()
    hand.editor.set_tool("move")
    before = hand.viewer.camera.center
    hand.drag(A, (30, 30))
    assert hand.viewer.camera.center == before
    hand.drag(OUT, (40, 45))
    assert hand.viewer.camera.center != before
    assert len(hand.edits) == 1


def test_a_click_on_the_background_does_nothing_with_any_tool(open_hand: Open) -> None:
    hand = open_hand()
    for tool in ("move", "duplicate", "delete"):
        hand.editor.set_tool(tool)
        hand.click_at(OUT)
        hand.click_at((-5, 20))
    hand.editor.set_tool("move")
    hand.click_at(A)  # taken and put down where it was
    assert np.array_equal(hand.labels.data, field())
    assert not hand.edits + hand.refusals


def test_a_drag_with_delete_deletes_nothing(open_hand: Open) -> None:
    hand = open_hand()
    hand.editor.set_tool("delete")
    hand.drag(A, (40, 30))
    assert np.array_equal(hand.labels.data, field())


def test_a_drag_in_a_busy_viewer_is_a_drag(open_hand: Open) -> None:
    hand = open_hand()
    hand.editor.set_tool("delete")
    hand.drag_unseen(A, (40, 30))
    assert np.array_equal(hand.labels.data, field())
    hand.editor.set_tool("move")
    hand.drag_unseen(A, (40, 30))
    assert np.array_equal(hand.labels.data, nuclei_edits.moved(field(), 1, 20, 10).instances)


@pytest.mark.parametrize(
    ("tool", "to", "why"), [("move", (20.0, -20.0), "leave the field"), ("duplicate", B, "others lie there")]
)
def test_an_edit_that_cannot_be_made_says_why_and_changes_nothing(open_hand: Open, tool: str, to: Place, why: str) -> None:
    hand = open_hand(
        np.where(field() == 2, 0, field()) + 2 * (np.hypot(*(np.indices((64, 64)) - 20 - np.array([[[0]], [[24]]]))) <= 9)
    )
    before = hand.labels.data.copy()
    hand.viewer.camera.zoom /= 4  # room on the canvas beside the field
    strokes.settle(100)
    hand.editor.set_tool(tool)
    hand.drag(A, to)
    assert np.array_equal(hand.labels.data, before)
    assert why in hand.refusals[0]
    assert not hand.edits
    assert hand.outline is None


def test_off_is_off_and_leaves_no_trace(open_hand: Open) -> None:
    hand = open_hand()
    callbacks = list(hand.viewer.mouse_drag_callbacks), list(hand.viewer.mouse_move_callbacks), dict(hand.labels.keymap)
    hand.labels.mode = "fill"
    hand.editor.set_tool("move")
    assert hand.labels.mode == "pan_zoom"
    hand.over(A)
    hand.editor.set_tool(None)
    hand.editor.set_tool(None)
    assert hand.labels.mode == "fill"
    assert (list(hand.viewer.mouse_drag_callbacks), list(hand.viewer.mouse_move_callbacks), dict(hand.labels.keymap)) == callbacks
    assert [layer.name for layer in hand.viewer.layers] == ["nuclei"]
    hand.labels.mode = "pan_zoom"
    hand.drag(A, (40, 30))
    assert np.array_equal(hand.labels.data, field())
    hand.editor.close()


def test_who_takes_the_brush_puts_the_tool_away(open_hand: Open) -> None:
    hand = open_hand()
    told: list[Any] = []
    hand.editor.tool_changed.connect(told.append)
    hand.editor.set_tool("duplicate")
    hand.labels.mode, hand.labels.selected_label = "paint", 5
    assert told == ["duplicate", None]
    assert hand.labels.mode == "paint"
    hand.drag(OUT, (52, 55))
    assert (hand.labels.data == 5).any()
    assert hand.labels.mode == "paint"
    assert not hand.edits


def test_a_tool_set_while_the_brush_is_in_hand_does_not_paint(open_hand: Open) -> None:
    hand = open_hand()
    hand.labels.mode, hand.labels.selected_label = "paint", 5
    hand.editor.set_tool("move")
    hand.drag(A, (40, 30))
    assert not (hand.labels.data == 5).any()
    assert hand.labels.data[40, 30] == 1


def test_the_tool_works_on_the_active_layer_alone(open_hand: Open) -> None:
    hand = open_hand()
    other = hand.viewer.add_labels(np.rot90(field()).copy(), name="other")
    other.mode = "paint"
    hand.editor.set_tool("move")
    assert (other.mode, hand.labels.mode) == ("pan_zoom", "pan_zoom")
    hand.viewer.layers.selection.active = hand.labels
    assert other.mode == "paint"
    hand.drag(A, (40, 30))
    assert hand.edits[0][0] == hand.labels
    assert np.array_equal(other.data, np.rot90(field()))
    image = hand.viewer.add_image(np.zeros((64, 64)))
    hand.drag((40, 30), (30, 30))
    assert len(hand.edits) == 1
    hand.viewer.layers.selection.active = other
    hand.viewer.layers.remove(image)
    hand.drag((43, 20), (50, 30))
    assert hand.edits[1][0] == other


def test_a_layer_removed_with_a_nucleus_in_the_hand_is_no_crash(open_hand: Open) -> None:
    hand = open_hand()
    hand.editor.set_tool("move")
    hand.press(A, (30, 25))
    hand.viewer.layers.remove(hand.labels)
    hand.release((40, 30))
    assert not hand.edits
    assert hand.outline is None
    labels = hand.viewer.add_labels(field(), name="next")
    hand.drag(A, (40, 30))
    assert labels.data[40, 30] == 1


def test_an_outline_that_the_user_removed_comes_back(open_hand: Open) -> None:
    hand = open_hand()
    hand.editor.set_tool("move")
    hand.over(A)
    hand.viewer.layers.remove(hand.outline)
    hand.viewer.layers.selection.active = hand.labels
    hand.over(OUT)
    hand.over(A)
    assert hand.outline is not None
    assert hand.viewer.layers.selection.active == hand.labels


def test_labels_that_changed_under_the_hand_are_not_written_over(open_hand: Open) -> None:
    hand = open_hand()
    hand.editor.set_tool("move")
    hand.press(A, (30, 25))
    hand.labels.data_setitem((np.array([0]), np.array([0])), 9)
    hand.release((40, 30))
    assert "changed while nucleus 1 was in the hand" in hand.refusals[0]
    assert hand.labels.data[20, 20] == 1


def test_other_labels_put_into_the_layer_end_the_drag(open_hand: Open) -> None:
    hand = open_hand()
    hand.editor.set_tool("move")
    hand.press(A, (30, 25))
    hand.labels.data = np.zeros((8, 8), np.uint8)
    hand.release((40, 30))
    assert not hand.edits + hand.refusals


def test_a_locked_layer_says_so(open_hand: Open) -> None:
    hand = open_hand()
    hand.labels.editable = False
    hand.editor.set_tool("move")
    hand.drag(A, (40, 30))
    assert "nuclei is locked" in hand.refusals[0]
    assert np.array_equal(hand.labels.data, field())


def test_only_the_shown_slice_of_a_stack_is_edited(open_hand: Open) -> None:
    stack = np.stack([field()] * 3)
    hand = open_hand(stack.copy(), scale=(4, 0.5, 0.5))
    hand.viewer.dims.set_point(0, 8.0)
    hand.editor.set_tool("move")
    hand.over((10, 10))
    assert set(hand.outline.data[:, 0, 0]) == {2}
    hand.drag((10, 10), (20, 15))
    assert np.array_equal(hand.labels.data[:2], stack[:2])
    assert np.array_equal(hand.labels.data[2], nuclei_edits.moved(field(), 1, 20, 10).instances)
    assert hand.edits[0][3] == 2
    hand.undo()
    assert np.array_equal(hand.labels.data, stack)


def test_moving_on_to_another_slice_ends_the_drag(open_hand: Open) -> None:
    hand = open_hand(np.stack([field()] * 3))
    hand.editor.set_tool("move")
    hand.press(A, (30, 25))
    hand.viewer.dims.set_current_step(0, 0)
    hand.release((40, 30))
    assert not hand.edits
    assert hand.outline is None


def test_a_stack_seen_from_the_side_says_what_to_do(open_hand: Open) -> None:
    hand = open_hand(np.stack([field()] * 64))
    hand.viewer.dims.order = (1, 0, 2)
    hand.viewer.dims.set_point(1, 20)
    hand.editor.set_tool("delete")
    hand.click_at(A)
    assert "roll the axes" in hand.refusals[0]
    assert not hand.edits


def test_a_turned_scaled_and_shifted_layer_is_edited_where_it_is_seen(open_hand: Open) -> None:
    hand = open_hand(scale=(0.5, 0.5), translate=(100, -30), rotate=30)
    hand.editor.set_tool("move")
    start, end = (tuple(hand.labels.data_to_world(at)) for at in (A, (40, 30)))
    hand.press(start, end)
    assert hand.outline.data_to_world(hand.outlined()) == pytest.approx(end, abs=0.3)
    hand.release(end)
    assert np.array_equal(hand.labels.data, nuclei_edits.moved(field(), 1, 20, 10).instances)


def test_a_view_with_its_axes_swapped_is_edited_where_it_is_seen(open_hand: Open) -> None:
    hand = open_hand(field((64, 80)))
    hand.viewer.dims.order = (1, 0)
    hand.viewer.reset_view()
    hand.editor.set_tool("move")
    hand.drag(A, (30, 40))  # on the screen (y, x): in the field 20 down, 10 right
    expected = nuclei_edits.moved(field((64, 80)), 1, 20, 10)
    assert np.array_equal(hand.labels.data, expected.instances)
    assert np.array_equal(hand.edits[0][2], expected.region)


def test_in_a_3d_view_the_mouse_is_the_cameras(open_hand: Open) -> None:
    hand = open_hand(np.stack([field()] * 3))
    hand.editor.set_tool("delete")
    hand.viewer.dims.ndisplay = 3
    hand.click_at(A)
    assert hand.labels.data.all(axis=0).sum() == (field() > 0).sum()
    hand.viewer.dims.ndisplay = 2
    hand.viewer.reset_view()
    hand.click_at(A)
    assert len(hand.edits) == 1


def test_a_press_whose_release_never_came_does_not_hold_the_camera(open_hand: Open) -> None:
    hand = open_hand()
    hand.editor.set_tool("move")
    hand.press(A, (30, 25))
    hand.drag(B, (44, 44))
    assert np.array_equal(hand.labels.data, nuclei_edits.moved(field(), 2, 24, 0).instances)
    gc.collect()
    assert hand.labels.mouse_pan
    assert hand.viewer.camera.mouse_pan


def test_an_unknown_tool_is_named(open_hand: Open) -> None:
    hand = open_hand()
    with pytest.raises(ParameterError, match="tool is 'paint': it is one of move, duplicate, delete"):
        hand.editor.set_tool("paint")


def test_an_editor_that_was_closed_is_gone(open_hand: Open) -> None:
    hand = open_hand()
    hand.editor.set_tool("move")
    hand.over(A)
    hand.editor.close()
    gone = weakref.ref(hand.editor)
    del hand.editor
    gc.collect()
    assert gone() is None

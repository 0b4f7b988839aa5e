"""Nuclei in the hand: those of the active Labels layer are moved, doubled and deleted with the mouse, in the slice that is shown.

The nucleus under the mouse is outlined. A press takes it, the outline follows, the release writes the edit as one step of the
layer's own undo; Esc puts it back. A click with *delete*, or the Delete key over a nucleus with any tool, deletes it. A press on
the background moves the camera, as ever; so does any press in a 3-D view. What an edit does is `medsynth_core.nuclei_edits`.

While a tool is on, the layer is in napari's pan/zoom mode; it gets its own mode back. Who takes one of napari's tools meanwhile
(the brush, say) puts ours away.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import napari
import numpy as np
from napari.layers import Labels
from qtpy.QtCore import QObject, Signal

from medsynth_core import nuclei_edits
from medsynth_core.errors import InputError, MedSynthError, ParameterError
from medsynth_core.nuclei_edits import Edit
from napari_medsynth import layers
from napari_medsynth.connections import Connections
from napari_medsynth.nuclei_tool import IDLE, Held, Spot, Tool, place_in, require_editable, shown_slice, spot_at
from napari_medsynth.nuclei_tool_outline import Outline
from napari_medsynth.press import Press


@dataclass(eq=False)
class Grip:
    """A nucleus that is outlined, or in the hand: where, and what the labels (y, x) of its slice were when it was found.

    `offset` is how far it has been carried, in pixels (y, x); `dragged` says whether it was moved at all.
    """

    spot: Spot
    field: np.ndarray
    offset: tuple[int, int] = (0, 0)
    dragged: bool = False


class NucleusEditor(QObject):
    """The three tools of one viewer, off at first.

    `edited(layer, before, region, z)` comes after each edit: the layer; its former labels (y, x) of that slice; where (y, x),
    bool, the image is to be made anew; the slice, 0 for a 2-D layer. `refused(text)` says why an edit was not made.
    `tool_changed(tool)` tells of every change of the tool, the user's own among them; None is off. An undo is the layer's own and
    is not told: who follows it compares the labels at the layer's `set_data` with `before`.
    """

    edited = Signal(object, object, object, int)
    refused = Signal(str)
    tool_changed = Signal(object)

    def __init__(self, viewer: napari.Viewer, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._viewer = viewer
        self._outline = Outline(viewer)
        self._tool: Tool | None = None
        self._viewer_events, self._held = Connections(), Held()
        self.destroyed.connect(self._viewer_events.close)  # no method of this object: those are not called any more then
        self._grip: Grip | None = None
        self._hovered: Grip | None = None

    @property
    def tool(self) -> Tool | None:
        """The tool in the hand, None for none."""
        return self._tool

    def set_tool(self, tool: str | None) -> None:
        """Take a tool ("move", "duplicate", "delete"), or put it away (None). Raises ParameterError for another word."""
        if tool is not None and tool not in list(Tool):
            raise ParameterError(f"tool is {tool!r}: it is one of {', '.join(Tool)}, or None")
        chosen = None if tool is None else Tool(tool)
        if chosen is self._tool:
            return
        self._put_back()
        began, self._tool = self._tool is None, chosen
        if began:
            self._begin()
        elif chosen is None:
            self._end()
        self.tool_changed.emit(chosen)

    def close(self) -> None:
        """Leave the viewer as it was; may be called twice, and after the viewer is closed."""
        self.set_tool(None)

    def _begin(self) -> None:
        self._viewer.mouse_drag_callbacks.append(self._press)
        self._viewer.mouse_move_callbacks.append(self._hover)
        self._viewer_events.add(self._viewer.layers.selection.events.active, self._hold_active)
        for event in (self._viewer.dims.events.point, self._viewer.dims.events.order, self._viewer.dims.events.ndisplay):
            self._viewer_events.add(event, self._view_changed)
        self._hold_active()

    def _end(self) -> None:
        self._viewer_events.close()
        for callbacks, own in (
            (self._viewer.mouse_drag_callbacks, self._press),
            (self._viewer.mouse_move_callbacks, self._hover),
        ):
            if own in callbacks:
                callbacks.remove(own)
        self._held.release()
        self._outline.close()

    def _hold_active(self, *_: Any) -> None:
        """Work on the layer that is active now, if it is one of labels. Our own outline is active only while it is added."""
        active = self._viewer.layers.selection.active
        if active == self._held.layer or (active is not None and active == self._outline.layer):
            return
        self._put_back()
        self._held.release()
        if isinstance(active, Labels):
            keys = {"Escape": self._put_back, "Delete": self._delete_hovered, "Backspace": self._delete_hovered}
            self._held.take(active, keys, self._labels_changed, self._put_back, lambda: self.set_tool(None))

    def _spot(self, event: Any) -> Spot | None:
        """Return what nucleus of the held layer is under the mouse. Raises InputError."""
        layer = self._held.layer
        if layer is None or not layer.visible or len(event.dims_displayed) != 2:
            return None
        return spot_at(layer, self._viewer.dims, event.position)

    def _hover(self, _: Any, event: Any) -> None:
        """Outline the nucleus under the mouse."""
        try:
            spot = self._spot(event)
        except MedSynthError:
            spot = None  # a press says why
        if spot is None:
            self._put_back()
        elif self._hovered is None or not spot.same_nucleus(self._hovered.spot):
            self._hovered = self._outlined(spot)

    def _press(self, _: Any, event: Any) -> Iterator[None]:
        self._put_back()  # one whose release never came
        grip = self._taken(event) if event.button == 1 and not event.modifiers else None
        if grip is None:
            return
        self._grip, layer, press = grip, grip.spot.layer, Press(event)
        layer.mouse_pan = False  # else the picture would follow the hand, too
        try:
            yield
            while event.type == "mouse_move":
                self._carry(grip, press, event)
                yield
            self._carry(grip, press, event)
            if self._grip is grip:
                self._let_go(grip)
        finally:
            if self._grip in (grip, None):
                self._put_back()
                layer.mouse_pan = layer.mode == IDLE

    def _taken(self, event: Any) -> Grip | None:
        """Return the nucleus that is pressed on, outlined, None on the background; say why one cannot be edited."""
        try:
            spot = self._spot(event)
            if spot is None:
                return None
            require_editable(spot.layer)
        except MedSynthError as problem:
            self.refused.emit(str(problem))
            return None
        return self._outlined(spot)

    def _outlined(self, spot: Spot) -> Grip:
        field = spot.field()
        self._outline.show(spot.layer, spot.cut, field == spot.number)
        return Grip(spot, field)

    def _carry(self, grip: Grip, press: Press, event: Any) -> None:
        grip.dragged = press.follow(event)
        if self._grip is not grip or not grip.dragged or self._tool is Tool.DELETE:
            return
        dy, dx = (int(d) for d in np.rint(place_in(grip.spot.layer, event.position) - grip.spot.place))
        if grip.offset != (dy, dx):
            grip.offset = (dy, dx)
            self._outline.shift(dy, dx)

    def _let_go(self, grip: Grip) -> None:
        """Do what the tool does. A nucleus that was carried nowhere stays, and one that is to be deleted wants a click."""
        self._grip, number = None, grip.spot.number
        if self._tool is Tool.DELETE and not grip.dragged:
            self._commit(grip, lambda field: nuclei_edits.deleted(field, number))
        elif self._tool is Tool.MOVE and grip.offset != (0, 0):
            self._commit(grip, lambda field: nuclei_edits.moved(field, number, *grip.offset))
        elif self._tool is Tool.DUPLICATE and grip.offset != (0, 0):
            self._commit(grip, lambda field: nuclei_edits.duplicated(field, number, *grip.offset))

    def _delete_hovered(self) -> None:
        """Delete the nucleus that is outlined, unless one is in the hand."""
        hovered = self._hovered
        if self._grip is None and hovered is not None:
            self._commit(hovered, lambda field: nuclei_edits.deleted(field, hovered.spot.number))

    def _commit(self, grip: Grip, edit: Callable[[np.ndarray], Edit]) -> None:
        """Write an edit as one step of undo and tell of it, or say why not."""
        self._put_back()
        layer, cut = grip.spot.layer, grip.spot.cut
        try:
            require_editable(layer)
            if not np.array_equal(grip.spot.field(), grip.field):
                raise InputError(f"{layer.name} changed while nucleus {grip.spot.number} was in the hand: take it again")
            made = edit(grip.field)
        except MedSynthError as problem:
            self.refused.emit(str(problem))
            return
        changed = np.nonzero(made.instances != grip.field)
        with layer.block_history():
            layer.data_setitem(layers.layer_index(cut, changed), made.instances[changed])
        self.edited.emit(layer, grip.field, made.region, cut.index[0] or 0)

    def _labels_changed(self, *_: Any) -> None:
        """What is outlined may have gone; what is in the hand is looked at when it is let go."""
        if self._grip is None:
            self._put_back()

    def _view_changed(self, *_: Any) -> None:
        """Another slice ends what is done in one. An outline carried over the edge changes napari's extent, not the slice."""
        grip = self._grip or self._hovered
        if grip is None:
            return
        try:
            here = shown_slice(grip.spot.layer, self._viewer.dims).index
        except MedSynthError:
            here = ()
        if here != grip.spot.cut.index or self._viewer.dims.ndisplay != 2:
            self._put_back()

    def _put_back(self, *_: Any) -> None:
        """Let go of what is in the hand, and outline nothing."""
        self._grip = self._hovered = None
        self._outline.hide()

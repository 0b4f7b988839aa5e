"""The preview of a refinement in the viewer: added and removed pixels over the mask, taken or left one by one or all at once.

What is taken goes into the user's Labels layer as one step of napari's undo. The preview follows the mask: an undo brings the
proposals back, and where the user paints they go.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import napari
import numpy as np
from napari.layers import Labels
from qtpy.QtCore import QTimer

from napari_medsynth import camera, layers
from napari_medsynth.connections import Connections
from napari_medsynth.diff import Counts, Diff
from napari_medsynth.layers import Cut
from napari_medsynth.press import Press
from napari_medsynth.preview_layer import codes, preview_layer


class Preview:
    """Shows one Diff at a time. It calls `changed` when the counts or the region looked at are others or all is gone, and
    `written` after it wrote into the mask.
    """

    def __init__(self, viewer: napari.Viewer, changed: Callable[[], None], written: Callable[[], None]) -> None:
        self._viewer, self._changed, self._written = viewer, changed, written
        self._events, self._viewer_events = Connections(), Connections()
        self._viewer_events.add(viewer.layers.events.removed, self._layer_removed)
        self._mask: Labels | None = None
        self._layer: Labels | None = None
        self._diff: Diff | None = None
        self._current: int | None = None
        self._index: tuple[np.ndarray, ...] = ()
        self._standing = np.zeros(0, bool)
        self._recipe: dict[str, Any] = {}

    @property
    def diff(self) -> Diff | None:
        """What is shown, None for nothing."""
        return self._diff

    @property
    def counts(self) -> Counts:
        """How many pixels are still proposed."""
        return self._diff.counts(self._standing) if self._diff else Counts(0, 0)

    @property
    def regions(self) -> list[int]:
        """The regions that are still proposed, in the order of the stepper."""
        return self._diff.regions_of(self._standing) if self._diff else []

    @property
    def in_hand(self) -> bool:
        """Whether the preview is the active layer, so that clicks on the canvas go to it."""
        return self._layer is not None and self._viewer.layers.selection.active == self._layer

    @property
    def current(self) -> int | None:
        """The region that is looked at."""
        return self._current if self._current in self.regions else None

    def show(self, mask: Labels, cut: Cut, diff: Diff, recipe: Mapping[str, Any], focus: bool) -> None:
        """Show a diff of a cut of the mask in place of the last; with `focus`, clicks on the canvas go to the preview."""
        if self._mask != mask:
            self.clear()
        if self._layer is not None:
            self._layer.data[self._index] = 0
        self._diff, self._current, self._recipe = diff, None, dict(recipe)
        self._index = layers.layer_index(cut, diff.places)
        if self._mask is None:
            self._mask = mask
            for event in (mask.events.paint, mask.events.labels_update, mask.events.set_data, mask.events.data):
                self._events.add(event, self._follow)
        self._follow(redraw=True)
        if focus and self._layer is not None:
            self._viewer.layers.selection.active = self._layer

    def clear(self) -> None:
        """Throw the preview away; the mask stays as it is."""
        layer, mask = self._layer, self._mask
        self._events.close()
        self._forget()
        self._remove(layer, mask)
        self._changed()

    def close(self) -> None:
        """Tell nobody anything any more; the panel is going away."""
        self._changed = self._written = _nothing
        self._events.close()
        self._viewer_events.close()

    def accept_all(self) -> None:
        """Write all that is still proposed into the mask."""
        self._write(self._standing)

    def accept(self, region: int) -> None:
        """Write one region into the mask."""
        if self._diff is not None:
            self._write(self._standing & (self._diff.region == region))

    def reject(self, region: int) -> None:
        """Propose one region no longer."""
        if self._diff is not None:
            self._diff.reject(region)
            self._follow(redraw=True)

    def accept_current(self) -> None:
        """Take the region that is looked at and go on to the next."""
        if self.current is not None:
            self.accept(self.current)
            self.step(1)

    def reject_current(self) -> None:
        """Leave the region that is looked at and go on to the next."""
        if self.current is not None:
            self.reject(self.current)
            self.step(1)

    def step(self, direction: int) -> None:
        """Look at the next region (1) or the one before (-1), around the end."""
        regions = self.regions
        if self._diff is None or self._layer is None or not regions:
            return
        if self._current is None:
            self._current = regions[0 if direction > 0 else -1]
        elif direction > 0:
            self._current = next((r for r in regions if r > self._current), regions[0])
        else:
            self._current = next((r for r in reversed(regions) if r < self._current), regions[-1])
        middle, extent = self._diff.middle(self._current)
        camera.look_at(self._viewer, self._layer, tuple(int(axis[middle]) for axis in self._index), extent)
        self._follow(redraw=True)

    def _forget(self) -> None:
        self._mask, self._layer, self._diff, self._current = None, None, None, None
        self._index, self._standing = (), np.zeros(0, bool)

    def _write(self, chosen: np.ndarray) -> None:
        mask = self._mask
        if mask is None or self._diff is None or not chosen.any():
            return
        with mask.block_history():
            mask.data_setitem(tuple(axis[chosen] for axis in self._index), self._diff.after[chosen])
        mask.metadata["medsynth"] = dict(self._recipe)
        self._follow(redraw=True)
        self._written()

    def _follow(self, *_: Any, redraw: bool = False) -> None:
        """Compare the proposals with what the mask holds now, and draw what still stands."""
        mask = self._mask
        if mask is None or self._diff is None:
            return
        if self._layer is not None and self._layer.data.shape != mask.data.shape:
            self.clear()
            return
        standing = self._diff.standing(np.asarray(mask.data[self._index]))
        if redraw or not np.array_equal(standing, self._standing):
            self._standing = standing
            self._draw(mask)
            self._changed()

    def _draw(self, mask: Labels) -> None:
        assert self._diff is not None
        if not self._standing.any():
            layer, self._layer = self._layer, None
            self._remove(layer, mask)
            return
        if self._layer is None:
            self._layer = self._add_layer(mask)
        shown = codes(self._diff.added, self._diff.region == self._current)
        self._layer.data[self._index] = np.where(self._standing, shown, 0)
        self._layer.refresh(extent=False)

    def _add_layer(self, mask: Labels) -> Labels:
        layer = preview_layer(mask, self._recipe)
        layer.mouse_drag_callbacks.append(self._clicked)
        for key, act in self._keys(mask).items():
            layer.bind_key(key, act, overwrite=True)
        listed = self._viewer.layers
        active = listed.selection.active
        listed.insert(listed.index(mask) + 1 if mask in listed else len(listed), layer)
        if active in listed:
            listed.selection.active = active
        return layer

    def _keys(self, mask: Labels) -> dict[Any, Any]:
        """Return what keys do while the preview is the active layer; undo and redo are those of the mask under it."""
        return {
            "N": lambda _: self.step(1),
            "Shift-N": lambda _: self.step(-1),
            "A": lambda _: self.accept_current(),
            "R": lambda _: self.reject_current(),
            **{f"{control}-Z": lambda _: mask.undo() for control in ("Control", "Meta")},  # Meta: Command on macOS
            **{f"{control}-Shift-Z": lambda _: mask.redo() for control in ("Control", "Meta")},
        }

    def _clicked(self, layer: Labels, event: Any) -> Iterator[None]:
        """Take the region under a click, leave it with Shift; a drag moves the camera as ever."""
        press = Press(event)
        yield
        while event.type == "mouse_move":
            press.follow(event)
            yield
        place = np.rint(layer.world_to_data(event.position[-layer.ndim :])).astype(int)
        region = None if press.follow(event) or event.button != 1 else self._region_at(place)
        if region is not None:
            (self.reject if "Shift" in event.modifiers else self.accept)(region)

    def _region_at(self, place: np.ndarray) -> int | None:
        if self._diff is None:
            return None
        near = np.abs(np.stack(self._index) - place[:, None])  # (axis, n)
        distance = np.where(self._standing, near.sum(0), 9)
        # one pixel beside it still counts: small changes are hard to hit
        return int(self._diff.region[distance.argmin()]) if distance.size and distance.min() <= 1 else None

    def _layer_removed(self, event: Any) -> None:
        if self._layer is not None and event.value == self._layer:
            self._layer = None
            self.clear()
        elif self._mask is not None and event.value == self._mask:
            # not from inside napari's own removal, which may be of many layers
            QTimer.singleShot(0, self.clear)

    def _remove(self, layer: Labels | None, mask: Labels | None) -> None:
        """Take the layer away; if it was in the user's hand, the mask is now."""
        listed = self._viewer.layers
        if layer is None or layer not in listed:
            return
        was_active = listed.selection.active == layer  # not "is": napari hands plugins stand-ins of its layers
        listed.remove(layer)
        if was_active and mask in listed:
            listed.selection.active = mask


def _nothing() -> None:
    """Nobody is there to be told."""

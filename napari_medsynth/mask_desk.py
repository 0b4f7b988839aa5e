"""The mask in the user's hand: new masks, the model's palette on the picked one, its labels mapped, its edits noticed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import napari
import numpy as np
from napari.layers import Labels
from qtpy.QtGui import QCursor
from qtpy.QtWidgets import QMenu

from medsynth_core import preflight, vocabulary
from medsynth_core.preflight import Fix
from medsynth_core.protocol import ModelCard
from napari_medsynth import fixes, layers, palette
from napari_medsynth.connections import Connections
from napari_medsynth.desk import Desk
from napari_medsynth.mask_panel import MaskPanel

FALLBACK_SIZE = (256, 256)
"""Size (y, x) of a new mask where neither an image nor a model says one."""


class MaskDesk(Desk):
    """Keeps the picked mask and the model's vocabulary together; `changed` says that the mask may differ from before."""

    def __init__(self, viewer: napari.Viewer, panel: MaskPanel) -> None:
        super().__init__(panel)
        self._viewer, self._row, self._bar, self._panel = viewer, panel.mask_row, panel.palette_bar, panel
        self._card: ModelCard | None = None
        self.mask_events = Connections()
        self._row.box.layer_changed.connect(self._mask_picked)
        self._row.new_wanted.connect(self.new_mask)
        self._bar.label_picked.connect(self._label_picked)
        for event in (viewer.layers.events.inserted, viewer.layers.events.removed, viewer.layers.events.moved):
            self.viewer_events.add(event, self._row.box.relist)
        self.viewer_events.add(viewer.layers.selection.events.active, self._row.box.follow)
        self.viewer_events.add(viewer.dims.events.point, self._note_change)
        self.viewer_events.add(viewer.dims.events.order, self._note_change)

    @property
    def mask(self) -> Labels | None:
        """The picked Labels layer."""
        return self._row.picked

    def set_card(self, card: ModelCard | None) -> None:
        """Use another model's vocabulary."""
        self._card = card
        self._panel.show_labels(card.labels if card else ())
        self._dress()

    def relist(self) -> None:
        """Look at the layers there are."""
        self._row.box.relist()

    def fixes(self) -> dict[str, Callable[[], None]]:
        """Return what can be done about a mask that is missing or says nothing to the model."""
        return {Fix.NEW_MASK: self.new_mask, Fix.MAP_LABELS: self.map_labels}

    def ends(self) -> tuple[Callable[[], None], ...]:
        """Let go of the mask, too."""
        return *super().ends(), self.mask_events.close

    def pixels(self) -> np.ndarray | None:
        """Return the shown plane of the mask (y, x), None without a mask. Raises ShapeError when it is not shown."""
        return None if self.mask is None else layers.take(self.mask, layers.shown_plane(self.mask, self._viewer.dims))

    def new_mask(self) -> None:
        """Add an empty mask that fits the picked image (or the model) and take the brush."""
        layer = layers.new_mask(self._row.reference(), self._card.size if self._card else FALLBACK_SIZE)
        self._viewer.add_layer(layer)
        layer.mode, layer.brush_size, layer.opacity = "paint", layers.brush_size(layer), 0.5
        self._viewer.layers.selection.active = layer

    def map_labels(self) -> None:
        """Turn labels the model does not know into one it does; where it knows several, ask which."""
        mask, card = self.mask, self._card
        if mask is None or card is None:
            return
        unknown, named = preflight.unknown_labels(np.asarray(mask.data), card), vocabulary.foreground(card.labels)
        if len(named) == 1:
            fixes.map_labels(mask, unknown, named[0].value)
            return
        menu = QMenu(self._panel)
        for label in card.labels:
            title = f"{', '.join(map(str, unknown))} → {label.name}"
            menu.addAction(title, lambda value=label.value: fixes.map_labels(mask, unknown, value))
        menu.popup(QCursor.pos())

    def _mask_picked(self) -> None:
        self.mask_events.close()
        if (mask := self.mask) is not None:
            for event in (mask.events.paint, mask.events.set_data, mask.events.data):
                self.mask_events.add(event, self._note_change)
            self.mask_events.add(mask.events.selected_label, self._show_label)
            self.mask_events.add(mask.events.name, self._row.box.relist)
        self._dress()
        self.changed.emit()

    def _dress(self) -> None:
        if self.mask is not None and self._card is not None and self._card.labels:  # none: any label will do
            palette.dress(self.mask, self._card.labels)
            self._show_label()

    def _show_label(self, *_: Any) -> None:
        if self.mask is not None:
            self._bar.mark(self.mask.selected_label)

    def _label_picked(self, value: int) -> None:
        if self.mask is None:
            self.new_mask()
        if self.mask is not None:
            palette.pick(self.mask, value)
            self._viewer.layers.selection.active = self.mask

    def _note_change(self, *_: Any) -> None:
        self.changed.emit()

"""A box that lists the layers of one kind and keeps the picked one through all that happens to the list."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import napari
from napari.layers import Layer
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QWidget

from napari_medsynth.elided_box import ElidedBox


class LayerBox(ElidedBox):
    """Lists the layers that `fits` takes, newest first; `layer_changed` says that another one (or none) is picked.

    `none` is what it says without a layer. An `optional` box offers it as a choice, and starts with it.
    """

    layer_changed = Signal()

    def __init__(
        self,
        viewer: napari.Viewer,
        fits: Callable[[Layer], bool],
        none: str,
        parent: QWidget | None = None,
        optional: bool = False,
    ) -> None:
        super().__init__(parent)
        self._viewer, self._fits, self._none, self._optional = viewer, fits, none, optional
        self._listed: list[Layer] = []
        self.picked: Any = None
        self.activated.connect(self._activated)

    @property
    def listed(self) -> list[Layer]:
        """The layers that can be picked, newest first."""
        return list(self._listed)

    def relist(self, *_: Any) -> None:
        """Show the layers there are now; keep the picked one if it is still there."""
        self._listed = [layer for layer in reversed(self._viewer.layers) if self._fits(layer)]
        self.clear()
        first = [self._none] if self._optional or not self._listed else []
        self.addItems([*first, *(layer.name for layer in self._listed)])
        self.setEnabled(bool(self._listed))
        first_choice = None if self._optional else next(iter(self._listed), None)
        self.choose(self.picked if self.picked in self._listed else first_choice)

    def follow(self, *_: Any) -> None:
        """Pick the layer that is active in the viewer, if it is listed."""
        active = self._viewer.layers.selection.active
        if active in self._listed:
            self.choose(active)

    def choose(self, layer: Layer | None) -> None:
        """Pick a listed layer, None for none."""
        if layer is not None:
            self.setCurrentIndex(self._listed.index(layer) + int(self._optional))
        elif self._optional:
            self.setCurrentIndex(0)
        if layer != self.picked:  # not "is": napari hands plugins stand-ins of its layers, another one each time
            self.picked = layer
            self.layer_changed.emit()

    def _activated(self, index: int) -> None:
        place = index - int(self._optional)
        self.choose(self._listed[place] if 0 <= place < len(self._listed) else None)

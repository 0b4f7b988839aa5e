"""One growth at a time in the viewer: its layers, the ruler under the button, and a view that may follow."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import napari
import numpy as np
from qtpy.QtWidgets import QWidget

from medsynth_core.growth_words import kept_text, stopped_text, unfinished
from medsynth_core.lamp import Lamp
from medsynth_core.protocol import OutputInfo
from napari_medsynth import grow_report
from napari_medsynth.grow_bar import GrowBar
from napari_medsynth.grow_layers import GrowingLayers
from napari_medsynth.grow_redraw import Redraw


class GrowView:
    """Passes on what comes, in the order it comes."""

    def __init__(self, viewer: napari.Viewer, bar: GrowBar, parent: QWidget) -> None:
        self._viewer, self._bar = viewer, bar
        self.redraw = Redraw(viewer, parent)
        self.growing: GrowingLayers | None = None
        self._first: int | None = None
        self.redraw.left.connect(lambda: bar.follow.setChecked(False))
        self.redraw.shown.connect(self._point)
        bar.follow_wanted.connect(self._follow)
        bar.ruler.picked.connect(self._look_at)

    @property
    def begun(self) -> bool:
        """Whether something has grown."""
        return self.growing is not None and bool(self.growing.order)

    @property
    def whole(self) -> bool:
        """Whether all slices of all outputs are there."""
        return self.growing is not None and self.growing.finished == self.growing.depth > 0

    def begin(self, growing: GrowingLayers) -> None:
        """Show another growth from now on; the layers of the last one stay."""
        self.growing, self._first = growing, None
        self._bar.clear()
        self._bar.follow.setChecked(True)
        self.redraw.busy = True

    def announce(self, output: OutputInfo) -> None:
        """Add the layer of an output."""
        if self.growing is not None:
            self.growing.announce(output)
            self._bar.show_growth(self.growing.depth, self.growing.order)
            self._point()

    def grew(self, output: str, z: int, pixels: np.ndarray) -> None:
        """Put a slice in its place."""
        if self.growing is not None:
            self.growing.drop(output, z, pixels)
            self._first = z if self._first is None else self._first
            self._bar.show_growth(self.growing.depth, self.growing.order)

    def note(self, facts: Mapping[str, Any]) -> None:
        """Write facts into the recipe of the layers."""
        if self.growing is not None:
            self.growing.note(facts)

    def done(self, recipe: Mapping[str, Any]) -> None:
        """Say what came beside what was asked; a view that still follows goes back to where the growth began."""
        self.note(recipe)
        self._bar.show_result(*grow_report.report(recipe))
        if self.growing is not None and self.growing.present and self._bar.follow.isChecked() and self._first is not None:
            self.redraw.flush()
            self.redraw.go_to(self.growing.present[0], self._first)

    def rest(self) -> None:
        """Draw what still waits, thumbnails too: nothing comes any more, for now."""
        self.redraw.busy = False
        self.redraw.flush()
        for layer in self.growing.present if self.growing else []:
            layer.refresh(extent=False)

    def offer_choice(self) -> None:
        """Let the user decide about a volume that was stopped half-way."""
        if self.growing is not None:
            self._bar.show_result(Lamp.AMBER, stopped_text(len(self.growing.order), self.growing.depth))
            self._bar.offer_choice(True)

    def go_on(self) -> None:
        """Show that the volume grows again."""
        self.redraw.busy = True
        self._close_choice()

    def keep(self, recipe: Mapping[str, Any], job: str) -> None:
        """Leave the volume as it is, with its recipe as far as it is known."""
        self._close_choice()
        if self.growing is not None:
            self.note(unfinished(recipe, job, self.growing.order))
            self._bar.show_result(Lamp.AMBER, kept_text(len(self.growing.order), self.growing.depth))

    def discard(self) -> None:
        """Take the volume out of the viewer."""
        if self.growing is not None:
            self.growing.remove()
        self.growing = None
        self._bar.clear()

    def _close_choice(self) -> None:
        self._bar.offer_choice(False)
        self._bar.show_result(Lamp.OFF, "")

    def _follow(self, wanted: bool) -> None:
        self.redraw.follow = wanted

    def _look_at(self, z: int) -> None:
        if self.growing is not None and self.growing.present:
            self._bar.follow.setChecked(False)
            self.redraw.go_to(self.growing.present[0], z)

    def _point(self) -> None:
        layers = self.growing.present if self.growing is not None else []
        self._bar.ruler.show_slice(self.redraw.slice_of(layers[0]) if layers else None)

"""The request in the user's hand: the fields, the background, the outline in the view, and the click that places it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import napari
import numpy as np
from napari.layers import Image, Layer

from medsynth_core.preflight import Fix
from medsynth_core.protocol import ModelCard
from medsynth_core.tumor_request import Ellipsoid, Trained, Triple, TumorRequest, head_of
from medsynth_core.volume import Volume
from napari_medsynth import layers
from napari_medsynth.desk import Desk
from napari_medsynth.layers import Cut
from napari_medsynth.tumor_guide import Guide, Step
from napari_medsynth.tumor_panel import TumorPanel
from napari_medsynth.tumor_placing import Placing
from napari_medsynth.tumor_upright import Upright


class TumorDesk(Desk):
    """Keeps fields and view together: what is edited is drawn, what is clicked is written into the fields."""

    def __init__(self, viewer: napari.Viewer, panel: TumorPanel) -> None:
        super().__init__(panel)
        self._viewer, self._panel = viewer, panel
        self.trained = Trained()
        self.guide = Guide(viewer)
        self.upright = Upright(viewer)
        self.placing = Placing(viewer, lambda: self.guide.tumor, self.place)
        self._measured: tuple[Any, Ellipsoid | None] = (None, None)
        self._clicks_went_to: Any = None
        for event in (viewer.layers.events.inserted, viewer.layers.events.removed, viewer.layers.events.moved):
            self.viewer_events.add(event, panel.background.relist)
        panel.background.layer_changed.connect(self._edited)
        for row in (panel.center, panel.volume, panel.extent, panel.sphericity):
            row.edited.connect(self._edited)
        panel.place_row.place.toggled.connect(self._placing_wanted)
        panel.place_row.upright.toggled.connect(self.upright.set)

    @property
    def background(self) -> Image | None:
        """The volume to grow into, None for a new head."""
        image: Image | None = self._panel.background.picked
        return image

    @property
    def request(self) -> TumorRequest:
        """What the fields ask for."""
        x, y, z = self._panel.center.numbers
        width, depth, height = (number or 0.0 for number in self._panel.extent.numbers)
        return TumorRequest(
            self._panel.volume.numbers[0] or 0.0,
            None if x is None or y is None or z is None else (x, y, z),
            (width, depth, height),
            self._panel.sphericity.numbers[0] or 0.0,
        )

    @property
    def head(self) -> Ellipsoid | None:
        """Where the head lies: that of the background, else the typical one; None if neither is known."""
        image = self.background
        if image is None:
            return self.trained.head
        if self._measured[0] is not image.data:
            volume, _ = self.volume(image)
            self._measured = (image.data, head_of(volume.array[0], volume.affine))
        return self._measured[1]

    def volume(self, image: Image) -> tuple[Volume, Cut]:
        """Return the background as it would be sent, and the cut it was taken from. Raises ShapeError."""
        cut = layers.whole_volume(image, self._viewer.dims)
        return Volume(np.asarray(layers.take(image, cut))[None], layers.volume_affine(cut)), cut

    def set_card(self, card: ModelCard | None) -> None:
        """Let the sliders run over what the model was trained on."""
        self.trained = Trained.of(card)
        self._panel.volume.set_range(self.trained.volume_ml, self.trained.typical_ml)
        self._panel.sphericity.set_range(self.trained.sphericity, None)
        for field, typical in zip(self._panel.extent.fields, self.trained.extent_mm or (), strict=False):
            field.start = typical
        for field in self._panel.center.fields:
            field.start = 0.0
        self.redraw()

    def relist(self) -> None:
        """Look at the layers there are."""
        self._panel.background.relist()

    def fixes(self) -> dict[str, Callable[[], None]]:
        """A place that cannot be can be left to the engine."""
        return {Fix.DRAW_PLACE: lambda: self.show(replace(self.request, center_mm=None))}

    def ends(self) -> tuple[Callable[[], None], ...]:
        """Let go of the canvas, too."""
        return *super().ends(), self.guide.viewer_events.close, self.placing.stop

    def show(self, request: TumorRequest) -> None:
        """Show a request in the fields and in the view."""
        self._panel.center.show_numbers(request.center_mm or (None, None, None))
        self._panel.volume.show_numbers([request.volume_ml or None])
        self._panel.extent.show_numbers([number or None for number in request.extent_mm])
        self._panel.sphericity.show_numbers([request.sphericity or None])
        self._edited()

    def place(self, center: Triple) -> None:
        """Ask for a center in world mm."""
        x, y, z = (round(value, 1) for value in center)
        self._panel.center.show_numbers((x, y, z))
        self._edited()

    def leave(self) -> None:
        """Take the outlines out of the viewer and turn it back."""
        self.placing.stop()
        self.guide.clear()
        self.upright.set(False)

    @property
    def alone(self) -> bool:
        """Whether nothing but our outlines is in the viewer."""
        return all(layer in self.guide.layers for layer in self._viewer.layers)

    def turn_if_alone(self) -> None:
        """Turn the view upright if nothing but our outlines is in it."""
        if self.alone:
            self._panel.place_row.upright.setChecked(True)

    def redraw(self) -> None:
        """Draw the outlines among the layers there are now, if they are wanted."""
        if self._panel.place_row.place.isChecked():
            head = self.trained.head if self.background is None and not self._others() else None
            self.guide.show(self.request.outline(self.trained), head, self._step())

    def _edited(self) -> None:
        self.redraw()
        self.changed.emit()

    def _placing_wanted(self, wanted: bool) -> None:
        if wanted:
            self._begin_placing()
        else:
            self.placing.stop()
            self.guide.clear()
            if self._clicks_went_to in self._viewer.layers:
                self._viewer.layers.selection.active = self._clicks_went_to

    def _begin_placing(self) -> None:
        alone = self.alone
        self.turn_if_alone()
        self._viewer.dims.ndisplay = 2
        self._clicks_went_to = self._viewer.layers.selection.active
        self._viewer.layers.selection.active = None  # else a click would paint, too
        self.placing.start()
        self.redraw()
        if alone and self.guide.layers:
            self._viewer.reset_view()

    def _others(self) -> list[Layer]:
        """Return the volumes in the viewer: they show where things are, so that no typical head is needed."""
        return [layer for layer in self._viewer.layers if layer.ndim >= 3 and layer not in self.guide.layers]

    def _step(self) -> Step:
        """Return how far the sliders should move at once, (z, y, x) in mm: as the volumes there are let them."""
        steps = [np.array(layer.extent.step)[-3:] for layer in self._others()]
        z, y, x = np.min(steps, axis=0) if steps else (self.trained.slice_mm or 1.0, 1.0, 1.0)
        return float(z), float(y), float(x)

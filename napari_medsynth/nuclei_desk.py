"""Nuclei in the user's hand: the watched layer, its numbers and its census, the stain, and the image that edits change."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import napari
import numpy as np
from napari.layers import Image, Labels
from qtpy.QtCore import QTimer

from medsynth_core.errors import InputError, ShapeError
from medsynth_core.preflight import Fix
from medsynth_core.protocol import ModelCard
from medsynth_core.volume import Volume
from napari_medsynth import layers, nuclei_brush, nuclei_look
from napari_medsynth.layers import Cut
from napari_medsynth.mask_desk import FALLBACK_SIZE, MaskDesk
from napari_medsynth.nuclei_blobs import Census, census, separated
from napari_medsynth.nuclei_numbers import Numbers
from napari_medsynth.nuclei_panel import NucleiPanel
from napari_medsynth.nuclei_request import Reference, Source

COUNT_MS = 120
"""How often the nuclei are counted while the user paints, at most; counting takes no more than a tenth of this thread's time."""
TYPICAL_AREA_PX = 300.0


class NucleiDesk(MaskDesk):
    """A MaskDesk whose mask is a field of nuclei; it is counted while it is painted."""

    def __init__(self, viewer: napari.Viewer, panel: NucleiPanel) -> None:
        super().__init__(viewer, panel)
        self._parts = panel
        self.reference = Reference()
        self.counted = Census()
        self.numbers = Numbers(viewer)
        self._counting = QTimer(self)
        self._counting.setSingleShot(True)
        self._counting.timeout.connect(self.recount)
        self._count_ms = COUNT_MS
        for event in (viewer.layers.events.inserted, viewer.layers.events.removed, viewer.layers.events.moved):
            for box in (panel.stain, panel.hand.image):
                self.viewer_events.add(event, box.relist)
        panel.mask_row.box.layer_changed.connect(self._nuclei_picked)
        panel.source.picked.connect(self._source_picked)
        panel.brush.wanted.connect(self._brush_wanted)
        for row in (panel.density, panel.area, panel.grid):
            row.edited.connect(self.changed.emit)
        panel.stain.layer_changed.connect(self.changed.emit)
        self.changed.connect(self._count_soon)

    def give_numbers(self) -> None:
        """Give each blob of the shown plane a number of its own, as one step of the layer's undo. Raises InputError."""
        mask = self.mask
        if mask is None or not self.counted.shared:
            return
        cut = self.cut()
        old = layers.take(mask, cut)
        new = separated(old)
        if new.max() > np.iinfo(old.dtype).max:
            raise InputError(
                f"{mask.name} is {old.dtype}, too small for {self.counted.count} nuclei: convert it to uint16 in its menu"
            )
        changed = np.nonzero(new != old)
        with mask.block_history():
            mask.data_setitem(layers.layer_index(cut, changed), new[changed])

    @property
    def image(self) -> Image | None:
        """The image that edits change."""
        image: Image | None = self._parts.hand.image.picked
        return image

    def set_card(self, card: ModelCard | None) -> None:
        """Use what another model learned from."""
        super().set_card(card)
        if (reference := Reference.of(card)) != self.reference:
            self.reference = reference
            self._parts.show_reference(reference)

    def relist(self) -> None:
        """Look at the layers there are."""
        super().relist()
        for box in (self._parts.stain, self._parts.hand.image):
            box.relist()

    def fixes(self) -> dict[str, Callable[[], None]]:
        """A layer for nuclei can be made."""
        return {Fix.NEW_MASK: self.new_mask}

    def ends(self) -> tuple[Callable[[], None], ...]:
        """Let go of the painted layer, too."""
        return *super().ends(), self.numbers.close, self._parts.brush.close_events

    def new_mask(self) -> None:
        """Add an empty layer with room for many nuclei, take the brush, and mean to use what is painted."""
        size, asked = self._card.size if self._card else FALLBACK_SIZE, self._parts.request
        layer = layers.new_mask(self._row.reference(), (asked.height or size[0], asked.width or size[1]))
        layer.data = layer.data.astype(np.uint16)
        layer.name = layer.name.replace("mask", "nuclei")
        self._viewer.add_layer(layer)
        layer.brush_size = max(3, round(0.7 * math.sqrt(self.reference.typical_area_px or TYPICAL_AREA_PX)))
        layer.opacity = 0.5
        nuclei_look.dress(layer)
        nuclei_brush.take(layer, nuclei_brush.PAINT)
        self._viewer.layers.selection.active = layer
        if self._parts.request.source is Source.NEW:
            self._parts.source.set_value(Source.COMPLETE.value)
            self._source_picked()

    def cut(self) -> Cut:
        """Return the shown plane of the nuclei. Raises InputError without one."""
        if self.mask is None:
            raise InputError("there are no nuclei: make a layer and paint some")
        return layers.shown_plane(self.mask, self._viewer.dims)

    def nuclei(self, cut: Cut) -> Volume:
        """Return a plane of the nuclei as it is sent: each blob with a number of its own."""
        assert self.mask is not None
        return layers.as_volume(separated(layers.take(self.mask, cut)), cut)

    def stain(self) -> Volume | None:
        """Return the image whose stain is wanted, None to let one be drawn. Raises ShapeError when it is not shown."""
        image = self._parts.stain.picked
        if image is None:
            return None
        cut = layers.shown_plane(image, self._viewer.dims)
        return layers.as_volume(layers.take(image, cut), cut)

    def recount(self) -> None:
        """Count the nuclei of the shown plane and show it."""
        begun = time.thread_time()
        try:
            pixels = self.pixels() if self.mask is not None and not self.mask.multiscale else None
        except ShapeError:  # the viewer shows none of it
            pixels = None
        self.counted = Census() if pixels is None else census(pixels)
        self._parts.count.show_census(None if pixels is None else self.counted)
        self._count_ms = max(COUNT_MS, round(10_000 * (time.thread_time() - begun)))

    def _count_soon(self, *_: Any) -> None:
        if not self._counting.isActive():  # not restarted: a long stroke is counted while it lasts
            self._counting.start(self._count_ms)

    def _nuclei_picked(self) -> None:
        self.numbers.watch(self.mask)
        self._parts.brush.watch(self.mask)
        self._parts.hand.follow(self.mask)
        if self.mask is not None:
            self.mask_events.add(self.mask.events.labels_update, self._count_soon)
            self._choose_partner(self.mask)
        self.recount()

    def _choose_partner(self, mask: Labels) -> None:
        """Let edits change the image that was made together with these nuclei, if it is there."""
        job = mask.metadata.get("medsynth", {}).get("job")
        for layer in reversed(self._viewer.layers):
            if job and layer != mask and layer.metadata.get("medsynth", {}).get("job") == job:
                self.edit_in(layer)
                return

    def pick(self, mask: Labels) -> None:
        """Watch these nuclei."""
        box = self._row.box
        box.relist()
        if mask in box.listed:
            box.choose(mask)

    def edit_in(self, image: Image) -> None:
        """Let edits change this image, if it has the size of the nuclei."""
        box = self._parts.hand.image
        box.relist()
        if image in box.listed:
            box.choose(image)

    def _source_picked(self, *_: Any) -> None:
        self._parts.show_source()
        self.changed.emit()

    def _brush_wanted(self, mode: str) -> None:
        if self.mask is None:
            self.new_mask()
        if self.mask is not None:
            nuclei_brush.take(self.mask, mode)
            self._viewer.layers.selection.active = self.mask
            self._parts.brush.show_mode(mode)

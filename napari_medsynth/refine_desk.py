"""Image, mask and locks in the user's hand: what is picked, what would be sent, and by what an edit is noticed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import napari
import numpy as np
from napari.layers import Image, Labels

from medsynth_core.errors import InputError
from medsynth_core.preflight import Fix
from medsynth_core.volume import Volume
from napari_medsynth import layers
from napari_medsynth.connections import Connections
from napari_medsynth.layers import Cut
from napari_medsynth.locked_row import new_lock
from napari_medsynth.mask_desk import MaskDesk
from napari_medsynth.placement import align, same_size, spatial_shape
from napari_medsynth.refine_panel import STACK, RefinePanel

AXES = "zyx"


@dataclass(frozen=True, eq=False)
class Subject:
    """What is sent, taken at once: the inputs, the cut that is meant, the mask's pixels there, the layer and its size.

    One slice of a grey stack goes with the slices beside it, which the network looks at, too; `slab` tells which one is meant.
    """

    inputs: dict[str, Volume]
    cut: Cut
    slab: int | None
    before: np.ndarray
    mask: Labels
    shape: tuple[int, ...]

    @property
    def axis(self) -> str:
        """The volume's axis that the engine slices along: the one the viewer's slider moves on."""
        return AXES[self.cut.along]

    def answer(self, volume: Volume) -> Volume:
        """Return the part of an output that is meant."""
        if self.slab is None:
            return volume
        return Volume(volume.array[:, self.slab : self.slab + 1], layers.volume_affine(self.cut))


class RefineDesk(MaskDesk):
    """A MaskDesk with an image under the mask and locks on it."""

    def __init__(self, viewer: napari.Viewer, panel: RefinePanel) -> None:
        super().__init__(viewer, panel)
        self._parts = panel
        self.lock_events = Connections()
        for event in (viewer.layers.events.inserted, viewer.layers.events.removed, viewer.layers.events.moved):
            for box in (panel.image, panel.locked.box):
                self.viewer_events.add(event, box.relist)
        self.viewer_events.add(viewer.layers.selection.events.active, panel.image.follow)
        panel.image.layer_changed.connect(self.changed.emit)
        panel.locked.box.layer_changed.connect(self._lock_picked)
        panel.locked.new_wanted.connect(self.make_lock)
        for choice in (panel.scope, panel.strength):
            choice.picked.connect(lambda _: self.changed.emit())
        self.changed.connect(self._show_scope)

    @property
    def image(self) -> Image | None:
        """The picked image."""
        image: Image | None = self._parts.image.picked
        return image

    @property
    def locked(self) -> Labels | None:
        """The layer whose strokes stay as they are, None for no locks."""
        locked: Labels | None = self._parts.locked.box.picked
        return locked

    @property
    def whole(self) -> bool:
        """Whether the whole stack is meant, not the shown slice alone."""
        return self._parts.scope.value == STACK and self.mask is not None and self.mask.ndim > 2

    def relist(self) -> None:
        """Look at the layers there are."""
        super().relist()
        for box in (self._parts.image, self._parts.locked.box):
            box.relist()

    def fixes(self) -> dict[str, Callable[[], None]]:
        """The mask can be put where the image is, too."""
        return super().fixes() | {Fix.ALIGN_MASK: self.align_mask}

    def ends(self) -> tuple[Callable[[], None], ...]:
        """Let go of the locks, too."""
        return *super().ends(), self.lock_events.close

    def cut(self, whole: bool) -> Cut:
        """Return the part of the mask that is meant. Raises InputError."""
        if self.mask is None:
            raise InputError("there is no mask: make one and paint")
        cut = layers.shown_stack if whole else layers.shown_plane
        return cut(self.mask, self._viewer.dims)

    def subject(self, whole: bool) -> Subject:
        """Return what would be sent now, copied. Raises InputError."""
        cut = self.cut(whole)
        if self.mask is None or self.image is None:
            raise InputError("there is no image to refine on: open one")
        planes = [cut] if whole or self.image.rgb else layers.beside(self.mask, cut)
        slab = next(i for i, plane in enumerate(planes) if plane.index == cut.index) if len(planes) > 1 else None
        named = {"image": self.image, "mask": self.mask, "locked": self.locked}
        pixels = {name: [layers.take(layer, plane) for plane in planes] for name, layer in named.items() if layer is not None}
        before = pixels["mask"][slab or 0]
        for i in range(len(planes)):
            if i != (slab or 0):
                pixels["mask"][i] = np.zeros_like(before)  # looked at, not refined
        if "locked" in pixels:
            pixels["locked"] = [(locked != 0).astype(np.uint8) for locked in pixels["locked"]]
        inputs = {name: _volume(taken, planes) for name, taken in pixels.items()}
        return Subject(inputs, cut, slab, before, self.mask, spatial_shape(self.mask))

    def fingerprint(self) -> tuple[tuple[int | None, ...], str]:
        """Return which slice is shown, and what its refinement depends on: mask, locks, image, strength. Raises InputError."""
        cut = self.cut(whole=False)
        digest = hashlib.blake2b(digest_size=16)
        for layer in (self.mask, self.locked):
            if layer is not None and self.mask is not None and same_size(layer, self.mask):
                digest.update(np.ascontiguousarray(layers.take(layer, cut)).data)
        return cut.index, f"{hash(self.mask)} {hash(self.image)} {self._parts.strength.value} {digest.hexdigest()}"

    def make_lock(self) -> None:
        """Add an empty lock layer over the mask and take the brush."""
        if self.mask is None:
            return
        layer, listed = new_lock(self.mask), self._viewer.layers
        listed.insert(listed.index(self.mask) + 1, layer)
        listed.selection.active = layer
        self._parts.locked.box.choose(layer)

    def align_mask(self) -> None:
        """Put the mask where the image is."""
        if self.mask is not None and self.image is not None and same_size(self.mask, self.image):
            align(self.mask, self.image)
            self.changed.emit()

    def _lock_picked(self) -> None:
        self.lock_events.close()
        if self.locked is not None:
            for event in (self.locked.events.paint, self.locked.events.set_data, self.locked.events.data):
                self.lock_events.add(event, self._note_change)
        self.changed.emit()

    def _show_scope(self) -> None:
        self._parts.show_row(self._parts.scope, self.mask is not None and self.mask.ndim > 2)


def _volume(taken: list[np.ndarray], planes: list[Cut]) -> Volume:
    """Return pixels as a volume, those of several grey planes one behind the other."""
    if len(planes) == 1:
        return layers.as_volume(taken[0], planes[0])
    return Volume(np.stack(taken)[None], layers.volume_affine(planes[0]))

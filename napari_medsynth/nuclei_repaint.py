"""The image follows the nuclei: where one was moved, doubled or deleted it is made anew, and an undo takes that back, too.

An edit waits until the engine is free; edits that wait are made as one. Nothing but the region is written, bit for bit. Image
layers have no undo of their own in napari: what was there before is kept here, and is put back as soon as the nuclei are what
they were before, by *Undo edit* or by the layer's own undo; a redo brings it again.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import napari
import numpy as np
from napari.layers import Image, Labels

from medsynth_core.errors import InputError
from medsynth_core.volume import Volume
from napari_medsynth import layers
from napari_medsynth.layers import RESULT_PREFIX, Cut
from napari_medsynth.nuclei_blobs import separated
from napari_medsynth.placement import transforms

MOST_STEPS = 50
Box = tuple[int | slice, ...]


@dataclass(frozen=True, eq=False)
class Edit:
    """What an image does not show yet: a plane of `mask` was edited, and `region` (y, x) of `image` is to be made anew.

    `before` and `after` are digests of the nuclei; `steps` of the layer's undo take the edit back.
    """

    mask: Labels
    image: Image
    cut: Cut
    region: np.ndarray
    before: bytes
    after: bytes
    steps: int = 1

    @property
    def now(self) -> bytes:
        """The digest of the nuclei as they are."""
        return digest(layers.take(self.mask, self.cut))

    def belongs(self, later: Edit) -> bool:
        """Return whether a later edit goes on from this one, so that both can be made as one."""
        same = self.mask == later.mask and self.image == later.image and self.cut.index == later.cut.index
        return same and self.after == later.before

    def joined(self, later: Edit) -> Edit:
        """Return both as one."""
        region = self.region | later.region
        return dataclasses.replace(self, region=region, after=later.after, steps=self.steps + later.steps)

    def take_back(self) -> None:
        """Undo it in the nuclei."""
        for _ in range(self.steps):
            self.mask.undo()

    def inputs(self) -> dict[str, Volume]:
        """Return what the engine needs to make the region anew."""
        return {
            "mask": layers.as_volume(separated(layers.take(self.mask, self.cut)), self.cut),
            "region": layers.as_volume(self.region.astype(np.uint8), self.cut),
            "image": layers.as_volume(layers.take(self.image, self.cut), self.cut),
        }


@dataclass(frozen=True, eq=False)
class Step:
    """An edit that its image shows: what the pixels of a box of `image` were and are."""

    edit: Edit
    image: Image
    box: Box
    old: np.ndarray
    new: np.ndarray
    recipe: Mapping[str, Any]


class Repaints:
    """What was made anew, the last one last; those beyond `_done` were taken back and may come again."""

    def __init__(self, viewer: napari.Viewer) -> None:
        self._viewer = viewer
        self._steps: list[Step] = []
        self._done = 0

    @property
    def count(self) -> int:
        """How many can be taken back: those whose layers are still there."""
        return sum(self._alive(step) for step in self._steps[: self._done])

    def write(self, edit: Edit, made: Volume, recipe: Mapping[str, Any]) -> Image:
        """Put what was made into the image, in its region alone, and return it: a real one stays, its copy is changed."""
        target = edit.image if is_synthetic(edit.image) else self._copy(edit.image)
        rows, columns = (np.flatnonzero(edit.region.any(axis=axis)) for axis in (1, 0))
        spans = slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)
        box: Box = (*(i for i in edit.cut.index if i is not None), *spans)
        old = np.array(target.data[box])
        new, here = old.copy(), edit.region[spans]
        new[here, :3] = layers.as_pixels(made, edit.cut)[spans][here]
        self._steps = [*self._steps[: self._done], Step(edit, target, box, old, new, recipe)][-MOST_STEPS:]
        self._done = len(self._steps)
        _put(self._steps[-1], back=False)
        return target

    def undo(self) -> None:
        """Take the last edit back in nuclei and image. Raises InputError where the nuclei were changed since."""
        while self._done and not self._alive(self._steps[self._done - 1]):
            self._done -= 1
        if self._done:
            require_unchanged(self._steps[self._done - 1].edit)
            self._steps[self._done - 1].edit.take_back()
            self.follow()

    def follow(self) -> None:
        """Let images be what they were when the nuclei were what they are now."""
        while self._done and self._fits(step := self._steps[self._done - 1], step.edit.before):
            _put(step, back=True)
            self._done -= 1
        while self._done < len(self._steps) and self._fits(step := self._steps[self._done], step.edit.after):
            _put(step, back=False)
            self._done += 1

    def went_back(self, mask: Labels, before: bytes) -> bool:
        """Return whether the nuclei, which were `before`, are by hand what they were before the step that was taken back last."""
        if self._done == len(self._steps):
            return False
        edit = self._steps[self._done].edit
        return edit.mask == mask and edit.after == before and edit.now == edit.before

    def _fits(self, step: Step, nuclei: bytes) -> bool:
        return self._alive(step) and step.edit.now == nuclei

    def _alive(self, step: Step) -> bool:
        listed = self._viewer.layers
        return step.image in listed and step.edit.mask in listed

    def _copy(self, image: Image) -> Image:
        """Add a copy of a real image over it: what is made is synthetic, and the real one stays as it is."""
        recipe = {"synthetic": True, "composite": True, "output": "image"}
        name = f"{RESULT_PREFIX} {image.name}, edited"
        copy = Image(np.array(image.data), rgb=True, name=name, metadata={"medsynth": recipe}, **transforms(image))
        listed = self._viewer.layers
        active = listed.selection.active
        listed.insert(listed.index(image) + 1, copy)
        if active in listed:
            listed.selection.active = active
        return copy


def plane_of(layer: Labels, z: int) -> Cut:
    """Return the plane (y, x) of a layer, slice z of a stack."""
    index: tuple[int | None, ...] = (None, None) if layer.ndim == 2 else (z, None, None)
    return Cut(index, (layer.ndim - 2, layer.ndim - 1), transforms(layer), layers.to_world(layer))


def require_unchanged(edit: Edit) -> None:
    """Raise InputError where the nuclei are no longer what they were right after an edit."""
    if edit.now != edit.after:
        raise InputError("the nuclei were changed after that edit: take the later changes back first (Ctrl+Z)")


def is_synthetic(layer: Image) -> bool:
    """Return whether a layer was made by us."""
    return bool(layer.metadata.get("medsynth", {}).get("synthetic", False))


def _put(step: Step, back: bool) -> None:
    """Write the pixels before or after into the image, and what they came from into its recipe."""
    step.image.data[step.box] = step.old if back else step.new
    step.image.refresh(extent=False)
    recipe = step.image.metadata["medsynth"]
    edits = [*recipe.get("edits", [])]
    edits = [one for one in edits if one != step.recipe] if back else [*edits, dict(step.recipe)]
    step.image.metadata["medsynth"] = {**recipe, "edits": edits}


def digest(plane: np.ndarray) -> bytes:
    """Return what tells one plane of nuclei from another."""
    return hashlib.blake2b(np.ascontiguousarray(plane).data, digest_size=16).digest()

"""The image follows the nuclei: where one was moved, doubled or deleted it is made anew, and an undo takes that back, too.

An edit waits until the engine is free; edits that wait are made as one. Nothing but the region is written, bit for bit. Image
layers have no undo of their own in napari: what was there before is kept here, and is put back as soon as the nuclei are what
they were before, by *Undo edit* or by the layer's own undo; a redo brings it again.
"""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
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
        """Undo it in the nuclei. Raises InputError, and changes nothing, where they were changed since."""
        if self.now == self.after:
            for _ in range(self.steps):
                self.mask.undo()
            if self.now == self.before:
                return
            for _ in range(self.steps):  # the last steps were made in another slice
                self.mask.redo()
        raise InputError("the nuclei were changed after that edit: take the later changes back first (Ctrl+Z)")

    def inputs(self) -> dict[str, Volume]:
        """Return what the engine needs to make the region anew."""
        return {
            "mask": layers.as_volume(separated(layers.take(self.mask, self.cut)), self.cut),
            "region": layers.as_volume(self.region.astype(np.uint8), self.cut),
            "image": layers.as_volume(layers.take(self.image, self.cut), self.cut),
        }


@dataclass(frozen=True, eq=False)
class Step:
    """An edit that its image shows: what the pixels of a box of `image` were and are. `order` counts the steps of a viewer."""

    order: int
    edit: Edit
    image: Image
    box: Box
    old: np.ndarray
    new: np.ndarray
    recipe: Mapping[str, Any]

    def goes_on(self, last: Step) -> bool:
        """Return whether this step is of the same plane of the same nuclei and image as another."""
        same_plane = self.edit.cut.index == last.edit.cut.index
        return same_plane and self.edit.mask == last.edit.mask and self.image == last.image


class Chain:
    """The steps of one plane of nuclei and one image; those beyond `done` were taken back and may come again."""

    def __init__(self, first: Step) -> None:
        self.steps = [first]
        self.done = 1

    @property
    def last(self) -> Step:
        """The last step that holds, or the first that ever did."""
        return self.steps[max(0, self.done - 1)]

    def add(self, step: Step) -> None:
        """Let a step follow those that hold."""
        self.steps = [*self.steps[: self.done], step][-MOST_STEPS:]
        self.done = len(self.steps)

    def follow(self) -> None:
        """Let the image be what it was when the nuclei were what they are now."""
        while self.done and self.steps[self.done - 1].edit.now == self.steps[self.done - 1].edit.before:
            self.done -= 1
            _put(self.steps[self.done], back=True)
        while self.done < len(self.steps) and self.steps[self.done].edit.now == self.steps[self.done].edit.after:
            _put(self.steps[self.done], back=False)
            self.done += 1

    def went_back(self, mask: Labels, before: bytes) -> bool:
        """Return whether nuclei that were `before` are by hand what they were before the step that was taken back last."""
        if self.done == len(self.steps):
            return False
        edit = self.steps[self.done].edit
        return edit.mask == mask and edit.after == before and edit.now == edit.before


class Repaints:
    """All that was made anew in a viewer."""

    def __init__(self, viewer: napari.Viewer) -> None:
        self._viewer = viewer
        self._chains: list[Chain] = []
        self._orders = itertools.count()

    @property
    def count(self) -> int:
        """How many can be taken back."""
        return sum(chain.done for chain in self._alive())

    def write(self, edit: Edit, made: Volume, recipe: Mapping[str, Any]) -> Image:
        """Put what was made into the image, in its region alone, and return it: a real one stays, its copy is changed."""
        target = edit.image if is_synthetic(edit.image) else self._copy(edit.image)
        rows, columns = (np.flatnonzero(edit.region.any(axis=axis)) for axis in (1, 0))
        spans = slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)
        box: Box = (*(i for i in edit.cut.index if i is not None), *spans)
        old = np.array(target.data[box])
        new, here = old.copy(), edit.region[spans]
        new[here, :3] = layers.as_pixels(made, edit.cut)[spans][here]
        step = Step(next(self._orders), edit, target, box, old, new, recipe)
        chain = next((chain for chain in self._alive() if step.goes_on(chain.last)), None)
        if chain is None:
            self._chains = [*self._alive(), Chain(step)]
        else:
            chain.add(step)
        _put(step, back=False)
        return target

    def undo(self) -> None:
        """Take the last edit back in nuclei and image. Raises InputError where the nuclei were changed since."""
        held = [chain for chain in self._alive() if chain.done]
        if held:
            max(held, key=lambda chain: chain.last.order).last.edit.take_back()
            self.follow()

    def follow(self) -> None:
        """Let images be what they were when the nuclei were what they are now."""
        for chain in self._alive():
            chain.follow()

    def went_back(self, mask: Labels, before: bytes) -> bool:
        """Return whether nuclei were brought back by hand to what they were before an edit; then their image was, too."""
        return any(chain.went_back(mask, before) for chain in self._alive())

    def _alive(self) -> list[Chain]:
        listed = self._viewer.layers
        return [chain for chain in self._chains if chain.last.image in listed and chain.last.edit.mask in listed]

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

"""The layers that a volume grows in: full size and black at once, then slices drop in, each where it belongs.

A layer is made when its output is announced and its contrast never moves. What the user removed meanwhile takes no more slices;
the job's result is in the history all the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import napari
import numpy as np
from napari.layers import Image, Labels, Layer

from medsynth_core.protocol import LabelInfo, OutputInfo
from napari_medsynth import layers, palette
from napari_medsynth.grow_redraw import Redraw
from napari_medsynth.layers import RESULT_PREFIX, Cut

Limits = tuple[float, float]
LABELS = "labels"


class GrowingLayers:
    """One growth. `cut` is the part of a layer that the background was taken from, with its contrast `limits`."""

    def __init__(
        self,
        viewer: napari.Viewer,
        title: str,
        redraw: Redraw,
        labels: tuple[LabelInfo, ...] = (),
        cut: Cut | None = None,
        limits: Limits | None = None,
    ) -> None:
        self._viewer, self._title, self._redraw, self._labels = viewer, title, redraw, labels
        self._cut, self._limits = cut, limits
        self._made: dict[str, Layer] = {}
        self._grown: dict[str, dict[int, None]] = {}
        self._depth = 0

    @property
    def depth(self) -> int:
        """How many slices the volume has, 0 while that is not known."""
        return self._depth

    @property
    def order(self) -> tuple[int, ...]:
        """The slices whose image has come, first come first; one that was replaced counts when it came last."""
        return tuple(self._grown.get(next(iter(self._grown), ""), ()))

    @property
    def finished(self) -> int:
        """How many slices are there in all outputs."""
        return min((len(slices) for slices in self._grown.values()), default=0)

    @property
    def present(self) -> list[Layer]:
        """The layers that are still in the viewer, the first announced first."""
        return [layer for layer in self._made.values() if layer in self._viewer.layers]

    def announce(self, output: OutputInfo) -> None:
        """Add the layer of an output, full size; a second time says nothing new."""
        if output.name in self._made:
            return
        layer = self._layer(output)
        self._made[output.name], self._grown[output.name], self._depth = layer, {}, output.shape[1]
        active = self._viewer.layers.selection.active
        self._viewer.layers.insert(self._place(), layer)
        if active in self._viewer.layers:
            self._viewer.layers.selection.active = active

    def drop(self, output: str, z: int, pixels: np.ndarray) -> None:
        """Put slice z (channel, y, x) of an output in its place."""
        layer = self._made.get(output)
        if layer is None:
            return
        self._grown[output].pop(z, None)
        self._grown[output][z] = None
        if layer in self._viewer.layers:
            layer.data[(*(0,) * (layer.ndim - 3), z)] = pixels[0]
            self._redraw.changed(layer, z)

    def note(self, facts: Mapping[str, Any]) -> None:
        """Write facts into the recipe of the layers."""
        for layer in self.present:
            layer.metadata["medsynth"] |= facts

    def remove(self) -> None:
        """Take the layers out of the viewer."""
        for layer in self.present:
            self._viewer.layers.remove(layer)

    def _place(self) -> int:
        """Return where a layer goes: on top, but under the outlines."""
        listed = list(self._viewer.layers)
        while listed and layers.has_part(listed[-1]):
            listed.pop()
        return len(listed)

    def _layer(self, output: OutputInfo) -> Layer:
        affine = np.array(output.affine)
        place = layers.in_world(affine) if self._cut is None else layers.on_cut(self._cut)
        around = 0 if self._cut is None else len(self._cut.index) - 3
        empty = np.zeros((*(1,) * around, *output.shape[1:]), output.dtype)
        recipe: dict[str, Any] = {"medsynth": {"synthetic": True, "output": output.name}}
        name = f"{RESULT_PREFIX} {self._title} {output.name}"
        if output.kind == LABELS:
            mask = Labels(empty, name=name, metadata=recipe, opacity=0.5, **place)
            if self._labels:
                palette.dress(mask, self._labels)
            return mask
        return Image(empty, name=name, metadata=recipe, contrast_limits=self._limits or _limits(empty.dtype), **place)


def load_ahead() -> None:
    """Let napari load what comes with the first layers of a session, half a second of imports, before a slice waits for it."""
    for kind in (Image, Labels):
        kind(np.zeros((1, 1, 1), np.uint8), units=("mm",) * 3)


def _limits(dtype: np.dtype[Any]) -> Limits:
    """Return the range of a type of whole numbers; of others 0 to 1."""
    if dtype.kind in "iu":
        return float(max(0, np.iinfo(dtype).min)), float(np.iinfo(dtype).max)
    return 0.0, 1.0

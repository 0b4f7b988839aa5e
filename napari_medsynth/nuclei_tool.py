"""What the nuclei tools share: the nucleus under the mouse, and a Labels layer that is held for as long as a tool is on."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from napari.components import Dims
from napari.layers import Labels

from medsynth_core.errors import InputError
from napari_medsynth import layers
from napari_medsynth.connections import Connections
from napari_medsynth.layers import Cut
from napari_medsynth.placement import spatial_shape

IDLE = "pan_zoom"
"""napari's mode in which it leaves the layer alone."""


class Tool(StrEnum):
    """What the mouse does to a nucleus."""

    MOVE = "move"
    DUPLICATE = "duplicate"
    DELETE = "delete"


@dataclass(frozen=True, eq=False)
class Spot:
    """A nucleus under the mouse: its layer, the slice (y, x) it lies on, its number, and the mouse's place (y, x) in pixels."""

    layer: Labels
    cut: Cut
    number: int
    place: np.ndarray

    def same_nucleus(self, other: Spot | None) -> bool:
        """Return whether another spot lies on the same nucleus of the same slice."""
        if other is None:
            return False
        return (self.layer, self.cut.index, self.number) == (other.layer, other.cut.index, other.number)

    def field(self) -> np.ndarray:
        """Return the labels (y, x) of its slice, a copy."""
        return layers.take(self.layer, self.cut)


def spot_at(layer: Labels, dims: Dims, position: Any) -> Spot | None:
    """Return the nucleus at a place of the viewer's world, None for background or outside.

    Raises InputError when what is shown there is no slice (y, x) of the layer.
    """
    cut = shown_slice(layer, dims)
    place = place_in(layer, position)
    y, x = np.rint(place).astype(int)
    height, width = spatial_shape(layer)[-2:]
    if not (0 <= y < height and 0 <= x < width):
        return None
    number = int(np.asarray(layer.data[(*cut.index[:-2], y, x)]))
    return Spot(layer, cut, number, place) if number > 0 else None


def place_in(layer: Labels, position: Any) -> np.ndarray:
    """Return a place of the viewer's world as (y, x) in pixels of the layer, not rounded."""
    return np.array(layer.world_to_data(position[-layer.ndim :]))[-2:]


def require_editable(layer: Labels) -> None:
    """Raise InputError for a layer that nobody may write to."""
    if not layer.editable or layer.multiscale:
        raise InputError(f"{layer.name} is locked: make it editable, or edit a copy of it")


def shown_slice(layer: Labels, dims: Dims) -> Cut:
    """Return the slice (y, x) that is shown, whichever way its two axes are turned. Raises InputError."""
    if layer.multiscale or layer.ndim > 3:
        raise InputError(f"{layer.name} has {layer.ndim} axes or scales: nuclei are edited in a plane or in a stack of planes")
    cut = layers.shown_plane(layer, dims)
    if set(cut.axes) != {layer.ndim - 2, layer.ndim - 1}:
        raise InputError(f"{layer.name} is shown from the side: roll the axes of the viewer back to edit nuclei in their slice")
    return dataclasses.replace(cut, axes=(layer.ndim - 2, layer.ndim - 1))


class Held:
    """At most one Labels layer, put into pan/zoom mode and given keys; `release` gives it its own mode and keys back."""

    def __init__(self) -> None:
        self.layer: Labels | None = None
        self._events = Connections()
        self._mode = IDLE
        self._keys: dict[str, Any] = {}

    def take(
        self,
        layer: Labels,
        keys: Mapping[str, Callable[[], None]],
        changed: Callable[..., None],
        replaced: Callable[..., None],
        mode_taken: Callable[[], None],
    ) -> None:
        """Hold a layer. Tells when its labels changed, when it got other ones, and when the user took a tool of napari."""
        self.release()
        self.layer, self._mode = layer, str(layer.mode)
        layer.mode = IDLE
        self._keys = {key: layer.bind_key(key, _calls(act), overwrite=True) for key, act in keys.items()}
        for event in (layer.events.paint, layer.events.set_data):
            self._events.add(event, changed)
        self._events.add(layer.events.data, replaced)
        self._mode_taken = mode_taken
        self._events.add(layer.events.mode, self._look_at_mode)

    def release(self) -> None:
        """Let the layer go, if there is one. A mode that the user took meanwhile stays."""
        layer, self.layer = self.layer, None
        self._events.close()
        if layer is None:
            return
        for key, act in self._keys.items():
            layer.bind_key(key, act, overwrite=True)  # None: no key of its own before
        layer.mouse_pan = layer.mode == IDLE
        if layer.mode == IDLE and layer.editable:
            layer.mode = self._mode

    def _look_at_mode(self, *_: Any) -> None:
        if self.layer is not None and self.layer.mode != IDLE:
            self._mode_taken()


def _calls(act: Callable[[], None]) -> Callable[[Labels], None]:
    return lambda _: act()

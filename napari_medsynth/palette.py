"""The semantic brush: a model's label vocabulary put on a Labels layer as names, colors and the keys 1 to 9."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from napari.layers import Labels
from napari.utils.colormaps import DirectLabelColormap
from napari.utils.colormaps.colormap_utils import label_colormap

from medsynth_core import vocabulary
from medsynth_core.protocol import LabelInfo

KEYS = "123456789"


def dress(layer: Labels, labels: tuple[LabelInfo, ...]) -> None:
    """Give the layer the vocabulary's colors and keys and pick its first foreground label if none of it is picked.

    A value the model does not know keeps the color napari gives it, so that it is seen.
    """
    layer.colormap = _colormap(layer, labels)
    bind_keys(layer, labels)
    named = vocabulary.foreground(labels)
    if named and layer.selected_label not in {label.value for label in labels}:
        layer.selected_label = named[0].value


def bind_keys(layer: Labels, labels: tuple[LabelInfo, ...]) -> None:
    """Let the keys 1 to 9 pick the foreground labels on this layer, in the vocabulary's order."""
    for key, label in zip(KEYS, vocabulary.foreground(labels), strict=False):
        layer.bind_key(key, _picker(label.value), overwrite=True)


def pick(layer: Labels, value: int) -> None:
    """Make the brush paint `value`; 0 is the eraser."""
    layer.selected_label = value
    if layer.mode not in ("paint", "fill", "polygon"):
        layer.mode = "paint"


def _picker(value: int) -> Callable[[Labels], None]:
    def pick_label(layer: Labels) -> None:
        pick(layer, value)

    return pick_label


def _colormap(layer: Labels, labels: tuple[LabelInfo, ...]) -> DirectLabelColormap:
    known: dict[int | None, Any] = {label.value: label.color for label in vocabulary.foreground(labels)}
    cyclic = label_colormap()
    others: dict[int | None, Any] = {value: cyclic.map(value) for value in range(1, 256) if value not in known}
    colors: dict[int | None, Any] = {None: cyclic.map(1), 0: "transparent", **others, **known}
    return DirectLabelColormap(color_dict=colors, name="MedSynth labels")

"""What can be said before a refinement: is there an image, does the mask lie on it, is something painted. No Qt."""

from __future__ import annotations

import numpy as np
from napari.layers import Image, Labels

from medsynth_core.lamp import Lamp
from medsynth_core.protocol import ModelCard
from napari_medsynth.placement import same_place, same_size, spatial_shape
from napari_medsynth.preflight import Chip, Fix, check_labels, distinct

MANY_LABELS = 20


def check_layers(image: Image | None, mask: Labels | None, locked: Labels | None) -> tuple[Chip, ...]:
    """Return the chips about the layers themselves; one of them is red if image, mask and locks do not belong together."""
    if image is None:
        return (
            Chip(Lamp.RED, "No image", "There is no image layer to refine on: open an image, or a sample from the File menu."),
        )
    if mask is None:
        return (Chip(Lamp.RED, "No mask", "There is no Labels layer to refine: make one and paint roughly.", Fix.NEW_MASK),)
    if mask.multiscale:
        return (Chip(Lamp.RED, "Multiscale mask", f"{mask.name} is a pyramid, which cannot be edited: use its largest level."),)
    if not same_size(image, mask):
        return (
            Chip(Lamp.RED, "Other size", f"{_sizes(image, mask)}: pick the mask that belongs to it, or make one.", Fix.NEW_MASK),
        )
    if not same_place(image, mask):
        detail = (
            f"{mask.name} and {image.name} lie at different places: align the mask, or pick the one that belongs to the image."
        )
        return (Chip(Lamp.RED, "Not aligned", detail, Fix.ALIGN_MASK),)
    if locked is not None and not same_size(locked, mask):
        return (Chip(Lamp.RED, "Other locks", f"{_sizes(mask, locked)}: make a new lock layer, or choose nothing."),)
    return (Chip(Lamp.GREEN, "Image and mask", f"{mask.name} lies on {image.name}, pixel on pixel."),)


def check_mask(mask: np.ndarray, whole: bool, card: ModelCard | None, drawable: bool = False) -> tuple[Chip, ...]:
    """Return the chips about what is painted in a mask, (y, x) or with `whole` a stack; `drawable`: a network can draw one."""
    values = [int(value) for value in distinct(mask) if value != 0]
    where = "stack" if whole else "slice"
    if not values:
        detail = f"Nothing is painted in this {where}: paint roughly what you mean{', or let one be drawn' if drawable else ''}."
        return (Chip(Lamp.RED, "Mask is empty", detail, Fix.DRAW_MASK if drawable else Fix.NONE),)
    size = Chip(Lamp.GREEN, _times(mask.shape), "Refined in windows along the boundary: any size will do.")
    if card is not None and card.labels:
        return check_labels(mask, card), size
    if len(values) > MANY_LABELS:
        detail = f"There are {len(values)} labels: each is refined by itself, which takes its time."
        return Chip(Lamp.AMBER, f"{len(values)} labels", detail), size
    names = ", ".join(map(str, values))
    text = "1 label" if len(values) == 1 else f"{len(values)} labels"
    return Chip(Lamp.GREEN, text, f"Painted in this {where}: {names}."), size


def _sizes(first: Image | Labels, second: Labels) -> str:
    return f"{first.name} is {_size(first)} pixels, {second.name} {_size(second)}"


def _size(layer: Image | Labels) -> str:
    return _times(spatial_shape(layer))


def _times(shape: tuple[int, ...]) -> str:
    """Return a size as it is said: width first."""
    return " × ".join(map(str, reversed(shape)))

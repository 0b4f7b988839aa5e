"""What can be said about the layers before a refinement: is there an image, does the mask lie on it. No Qt."""

from __future__ import annotations

from napari.layers import Image, Labels

from medsynth_core.lamp import Lamp
from medsynth_core.preflight import Chip, Fix
from medsynth_core.refine_preflight import times
from napari_medsynth.placement import same_place, same_size, spatial_shape


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


def _sizes(first: Image | Labels, second: Labels) -> str:
    return f"{first.name} is {_size(first)} pixels, {second.name} {_size(second)}"


def _size(layer: Image | Labels) -> str:
    return times(spatial_shape(layer))

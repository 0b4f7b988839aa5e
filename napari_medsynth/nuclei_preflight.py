"""What can be said before nuclei are made: is there something painted, is it like what the model learned from. No Qt."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from napari.layers import Labels

from medsynth_core.lamp import Lamp
from medsynth_core.preflight import Chip, Fix, check_size
from medsynth_core.protocol import ModelCard
from medsynth_core.tumor_request import Range
from napari_medsynth.nuclei_blobs import Census
from napari_medsynth.nuclei_request import NucleiRequest, Reference

MODEL_SIDE = 256
HUGE = 4
"""A blob of so many times a large nucleus of the reference is rather a spilled bucket of paint."""


def check_new(request: NucleiRequest, reference: Reference, card: ModelCard | None) -> tuple[Chip, ...]:
    """Return the chips about a field that is made from nothing."""
    shape = (request.height or MODEL_SIDE, request.width or MODEL_SIDE)
    return check_size(shape, card), *check_numbers(request, reference)


def check_given(mask: Labels | None, numbers: np.ndarray | None, counted: Census, tiles: int) -> tuple[Chip, ...]:
    """Return the chips about the nuclei that are handed in, `numbers` (y, x); one of them is red if they cannot be used."""
    if mask is None or numbers is None:
        detail = "There is no Labels layer with nuclei: make one and paint some, or make a new field."
        return (Chip(Lamp.RED, "No nuclei", detail, Fix.NEW_MASK),)
    if mask.multiscale:
        return (Chip(Lamp.RED, "Multiscale", f"{mask.name} is a pyramid, which cannot be sent: use its largest level."),)
    if not counted.count:
        detail = f"Nothing is painted in this plane of {mask.name}: paint some nuclei, or make a new field."
        return (Chip(Lamp.RED, "Nothing painted", detail),)
    if numbers.min() < 0:
        return (Chip(Lamp.RED, "Negative number", f"{mask.name} holds {numbers.min()}: nuclei have numbers above 0."),)
    if tiles > 1 and mask.ndim > 2:
        detail = f"{mask.name} is a stack already, and only the shown plane is sent: set Tiles to 1."
        return (Chip(Lamp.RED, f"{tiles} tiles of a plane", detail),)
    return tuple(_blobs(counted))


def check_shapes(counted: Census, reference: Reference, size: tuple[int, ...], card: ModelCard | None) -> tuple[Chip, ...]:
    """Return the chips about the size of the plane and of its largest nucleus."""
    chips = [check_size(size, card)]
    if reference.area_px is not None and counted.largest_px > HUGE * reference.area_px.high:
        large = f"{reference.area_px.high:.0f} px is a large one of the reference."
        chips.append(Chip(Lamp.AMBER, "Huge nucleus", f"One has {counted.largest_px} px; {large} Was it filled by accident?"))
    return tuple(chips)


def check_numbers(request: NucleiRequest, reference: Reference) -> tuple[Chip, ...]:
    """Return a chip where density or area are asked for beyond what most tiles of the reference had."""
    asked = (
        ("Density", request.density, "per 256²", reference.density),
        ("Area", request.size_px, "px", reference.area_px),
    )
    return tuple(_unusual(*one) for one in asked if one[1] and one[3] is not None and not _within(one[1], one[3]))


def _within(value: float, there: Range) -> bool:
    return there.low <= value <= there.high


def _unusual(name: str, value: float, unit: str, there: Range | None) -> Chip:
    known = "" if there is None else f"nine of ten of the reference lie from {there.low:.0f} to {there.high:.0f}"
    return Chip(Lamp.AMBER, f"{name} {value:.4g}: unusual", f"{value:.4g} {unit} is asked; {known}. It may come out otherwise.")


def _blobs(counted: Census) -> Iterator[Chip]:
    text = "1 nucleus" if counted.count == 1 else f"{counted.count} nuclei"
    apart = f" {counted.shared} shared a number with another and get their own." if counted.shared else ""
    yield Chip(Lamp.GREEN, text, f"Each connected blob is one nucleus.{apart}")
    if counted.specks:
        detail = f"{counted.specks} are smaller than 12 pixels, which is no nucleus: erase them, or paint them larger."
        yield Chip(Lamp.AMBER, "1 speck" if counted.specks == 1 else f"{counted.specks} specks", detail)

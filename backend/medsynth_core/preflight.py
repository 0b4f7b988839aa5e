"""What can be said before a run: each check is a chip, green, amber or red, that may carry the name of a fix; for every viewer.

Red stops the run, amber warns. The texts are short enough for a chip; `detail` is the tooltip's sentence.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

import numpy as np

from medsynth_core import vocabulary
from medsynth_core.errors import InputError, LabelError
from medsynth_core.lamp import Lamp
from medsynth_core.protocol import Capabilities, DeviceInfo, ModelCard
from medsynth_core.sentences import sentence

LOW_MEMORY = 1 * 2**30
LARGEST_SIDE = 4096
"""Longest side in pixels that one image may have here; more is a whole-slide image, for which this is the wrong tool."""
NEED_A_MODEL = ("synthesize", "refine", "tumor", "nuclei")


class Fix(enum.StrEnum):
    """What a chip offers to do."""

    NONE = ""
    NEW_MASK = "New mask"
    ALIGN_MASK = "Align mask"
    DRAW_MASK = "Draw one"
    DRAW_PLACE = "Let it be drawn"
    MAP_LABELS = "Map labels"
    FREE_MEMORY = "Free memory"


@dataclass(frozen=True)
class Chip:
    """One check's outcome."""

    lamp: Lamp
    text: str
    detail: str
    fix: Fix = Fix.NONE


def check(mask: np.ndarray | None, card: ModelCard | None, device: DeviceInfo | None, seconds: float | None) -> tuple[Chip, ...]:
    """Return the chips for a mask (y, x), None without one.

    `card` is None for an engine without models; `seconds` is what one image took the last time, None if never measured.
    """
    if mask is None:
        return (Chip(Lamp.RED, "No mask", "There is no mask to synthesize from: make one and paint.", Fix.NEW_MASK),)
    return check_labels(mask, card), check_size(mask.shape, card), *check_terms(card), *check_room(device, seconds)


def check_terms(card: ModelCard | None) -> tuple[Chip, ...]:
    """Return a chip where what the model was trained on forbids commercial use."""
    if card is None or card.commercial_use:
        return ()
    return (Chip(Lamp.AMBER, "Research only", f"No commercial use of this model and of what it makes. {card.license}."),)


def check_room(device: DeviceInfo | None, seconds: float | None) -> tuple[Chip, ...]:
    """Return the chips about memory and time, as far as they are known."""
    chips = [check_memory(device)] if device is not None and device.memory_total else []
    if seconds is not None:
        chips.append(Chip(Lamp.GREEN, f"≈ {show_seconds(seconds)}", "What it took the last time, with these settings."))
    return tuple(chips)


def blocking(chips: tuple[Chip, ...]) -> str:
    """Return why the run cannot start, empty if it can."""
    return next((chip.detail for chip in chips if chip.lamp is Lamp.RED), "")


def lacking(capabilities: Capabilities | None, engine: str, model: str) -> str:
    """Return what the service lacks for a run, empty if nothing. `model` is the picked one's id, empty if there is none."""
    if capabilities is None:
        return "The engine is starting: one moment."
    info = next((e for e in capabilities.engines if e.name == engine), None)
    if info is None or info.problem:
        return f"The engine {engine} cannot run here: {info.problem if info else 'it is not installed'}."
    models = [m for m in capabilities.models if m.engine == engine and not (m.card and m.card.role)]
    if models and not model:
        return f"No model can be used: {models[0].problem}."
    if engine in NEED_A_MODEL and not models:
        return "No model is installed: train one with `msynth train`, or add one with `msynth models add`."
    return ""


def check_labels(mask: np.ndarray, card: ModelCard | None) -> Chip:
    """Return whether the mask has something painted and only labels the model knows."""
    return check_values(distinct(mask), np.count_nonzero(mask) / mask.size if mask.size else None, card)


def check_values(values: np.ndarray, share: float | None, card: ModelCard | None) -> Chip:
    """Return whether the distinct values of a mask are ones the model knows; `share` of it is painted, None if not counted."""
    if card is None:
        return Chip(Lamp.GREEN, "Mask", "This engine takes any mask.")
    try:
        vocabulary.understand(values, card.labels)
    except LabelError as problem:
        return Chip(Lamp.RED, "Unknown label", f"{sentence(problem)}.", Fix.MAP_LABELS)
    except InputError as problem:
        return Chip(Lamp.RED, "Not a mask" if values.any() else "Mask is empty", f"{sentence(problem)}.")
    names = ", ".join(label.name for label in vocabulary.foreground(card.labels))
    painted = "" if share is None else f"{share:.1%} of the mask is painted; "
    return Chip(Lamp.GREEN, "Labels", f"{painted}the model knows {names}.")


def check_size(shape: tuple[int, ...], card: ModelCard | None) -> Chip:
    """Return whether a mask of this size (y, x) is near enough to what the model was trained on."""
    y, x = shape
    size = f"{x} × {y}"
    if max(y, x) > LARGEST_SIDE:
        return Chip(Lamp.RED, size, f"The mask is {size} pixels: the longest side may be {LARGEST_SIDE}; crop or bin it.")
    if card is None or card.fit == "tile":
        return Chip(Lamp.GREEN, size, f"The mask is {size} pixels.")
    rows, columns = card.size
    ratio, stretch = max(y / rows, x / columns), (x / y) / (columns / rows)
    trained = f"the model was trained at {columns} × {rows}"
    if min(y / rows, x / columns) < 0.25:
        return Chip(Lamp.AMBER, f"{size}: small", f"The mask is {size}, {trained}: most detail of the image will be lost.")
    if ratio > 4:
        return Chip(Lamp.AMBER, f"{size}: large", f"The mask is {size}, {trained}: the image is enlarged and will look soft.")
    if not 0.5 <= stretch <= 2:
        return Chip(Lamp.AMBER, f"{size}: stretched", f"The mask is {size}, {trained}: its proportions differ much.")
    return Chip(Lamp.GREEN, size, f"The mask is {size}, {trained}; the image has the mask's size.")


def check_memory(device: DeviceInfo) -> Chip:
    """Return whether the device has room for a run."""
    free = device.memory_free / 2**30
    if device.memory_free < LOW_MEMORY:
        detail = f"Only {free:.1f} GiB of memory are free: the run may fail; free memory or close other programs."
        return Chip(Lamp.AMBER, f"{free:.1f} GiB free", detail, Fix.FREE_MEMORY)
    return Chip(Lamp.GREEN, "Memory", f"{free:.1f} GiB of memory are free.")


def unknown_labels(mask: np.ndarray, card: ModelCard) -> tuple[int, ...]:
    """Return the values of the mask that are not in the model's vocabulary."""
    known = {label.value for label in card.labels}
    return tuple(int(value) for value in distinct(mask) if int(value) not in known)


def distinct(mask: np.ndarray) -> np.ndarray:
    """Return the values that occur in the mask, sorted; ten times quicker than np.unique for the labels of a large mask."""
    if mask.dtype.kind in "iu" and mask.size and mask.min() >= 0 and mask.max() < 2**16:
        return np.flatnonzero(np.bincount(mask.ravel().astype(np.intp, copy=False)))
    return np.unique(mask)


def show_seconds(seconds: float) -> str:
    """Return a time as a person says it: 0.4 s, 12 s, 3 min."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"

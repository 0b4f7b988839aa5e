"""What can be said before a run about what is chosen in the scene: the chips of every viewer, for nodes."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from medsynth_core.errors import LabelError, MedSynthError
from medsynth_core.lamp import Lamp
from medsynth_core.preflight import Chip, Fix, check_labels, check_room, check_size, check_terms
from medsynth_core.protocol import DeviceInfo, EngineInfo, ModelCard, Scalar
from medsynth_core.refine_preflight import check_painted
from medsynth_core.sentences import sentence
from medsynth_core.tumor_preflight import check_request
from medsynth_core.tumor_request import Trained, TumorRequest, head_of
from medsynth_core.tumor_words import PLACE
from MedSynthLib import conversion, inputs, segments
from MedSynthLib.settings import Settings

BACKGROUND = "background"
TUMOR = {PLACE, "volume_ml"}
"""Parameters of an engine that can be told where a tumor is to be, and how large."""


def look(
    engine: EngineInfo,
    card: ModelCard | None,
    settings: Settings | None,
    values: Mapping[str, Scalar],
    used: Collection[str],
    chosen: Mapping[str, Any] = inputs.NONE_CHOSEN,
) -> tuple[Chip, ...]:
    """Return the chips about nodes, segments, parameters; what cannot be sent is red. `used`, `chosen`: see `inputs.gather`."""
    missing = inputs.lacking(engine, settings, chosen)
    if missing or settings is None:
        painting = settings is not None and settings.image is not None
        return (Chip(Lamp.RED, "No segments" if painting else "No volume", missing, Fix.NEW_MASK if painting else Fix.NONE),)
    try:
        painted = () if inputs.MAIN_LABELS in chosen else _about_mask(engine, card, settings, used)
        return *painted, *_about_chosen(engine, settings, chosen), *_about_tumor(card, settings, values, used), *check_terms(card)
    except LabelError as problem:
        return (Chip(Lamp.RED, "Unknown label", f"{sentence(problem)}.", Fix.MAP_LABELS),)
    except MedSynthError as problem:
        return (Chip(Lamp.RED, "Cannot be sent", f"{sentence(problem)}."),)


def room(device: DeviceInfo | None, seconds: float | None) -> tuple[Chip, ...]:
    """Return the chips about memory and time."""
    return check_room(device, seconds)


def _about_mask(engine: EngineInfo, card: ModelCard | None, settings: Settings, used: Collection[str]) -> tuple[Chip, ...]:
    info = inputs.segments_input(engine)
    if info is None or settings.mask is None or settings.image is None or not (info.required or info.name in used):
        return ()
    k = inputs.slice_sent(engine, settings)
    if k is not None and engine.synthetic:
        plane = inputs.mask_of(info, card, settings, k).array[0, 0]
        return check_labels(plane, card), check_size(plane.shape, card)
    values, shape = _painted(card, settings, k)
    return check_painted(values, None, shape, "volume" if k is None else "slice", card)


def _about_chosen(engine: EngineInfo, settings: Settings, chosen: Mapping[str, Any]) -> tuple[Chip, ...]:
    """Return a chip for each node that was chosen in a box of its own. Raises what keeps one from being sent."""
    chips = []
    for info in (info for info in engine.inputs if info.name in chosen):
        k = inputs.slice_sent(engine, settings) if settings.image is not None else None
        name, empty = chosen[info.name].GetName(), inputs.is_empty(info, chosen[info.name], settings.image, k)
        what = Chip(Lamp.AMBER, f"{info.label}: empty", f"{name} holds nothing here: it is sent as it is.")
        chips.append(what if empty else Chip(Lamp.GREEN, info.label, f"{name} is sent, too."))
    return tuple(chips)


def _painted(card: ModelCard | None, settings: Settings, k: int | None) -> tuple[np.ndarray, tuple[int, ...]]:
    """Return the labels that are painted, and the size (z, y, x) or (y, x) of what is sent."""
    labels = segments.label_values(settings.mask, card.labels if card else ())
    size = conversion.volume_of(settings.image).size
    if k is None:
        return conversion.painted(settings.mask, labels), size
    return np.unique(conversion.labels_of(settings.mask, settings.image, labels, k).array), size[1:]


def _about_tumor(
    card: ModelCard | None, settings: Settings, values: Mapping[str, Scalar], used: Collection[str]
) -> tuple[Chip, ...]:
    if not set(values) >= TUMOR:
        return ()
    trained, head = Trained.of(card), Trained.of(card).head
    if BACKGROUND in used and settings.image is not None:
        background = conversion.volume_of(settings.image)
        head = head_of(background.array[0], background.affine)
    return check_request(TumorRequest.of(values), trained, head)

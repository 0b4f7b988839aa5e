"""What an engine takes, gathered from the scene: images and segments by the kinds that the engine declares."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from medsynth_core.errors import InputError
from medsynth_core.protocol import EngineInfo, InputInfo, LabelInfo, ModelCard
from medsynth_core.volume import Volume
from MedSynthLib import conversion, segments
from MedSynthLib.review import Sent, sent
from MedSynthLib.settings import Settings

MAIN_LABELS = "mask"
"""The input that the chosen segments are; other label inputs, such as locked strokes, are optional and of their own."""


def lacking(engine: EngineInfo, settings: Settings | None) -> str:
    """Return what must be chosen before a run, empty if nothing."""
    if settings is None:
        return "The scene is being closed."
    for info in engine.inputs:
        if _wants_segments(info) and info.required and settings.mask is None:
            return f"{info.label}: choose a segmentation, or add one and paint."
        if (_wants_segments(info) or info.kind == "image") and info.required and settings.image is None:
            return f"{'Grid' if info.kind == 'labels' else info.label}: choose a volume."
    return ""


def offered(engine: EngineInfo) -> tuple[InputInfo, ...]:
    """Return the optional inputs that the chosen volume or segments can be: a person says whether they are to be used."""
    return tuple(info for info in engine.inputs if not info.required and (info.kind == "image" or _wants_segments(info)))


def gather(engine: EngineInfo, card: ModelCard | None, settings: Settings, used: Collection[str]) -> dict[str, Volume]:
    """Return the engine's inputs by name: those that are required, and the optional ones named in `used`.

    Raises InputError, LabelError saying what is wrong and what to do.
    """
    if missing := lacking(engine, settings):
        raise InputError(missing)
    if settings.image is None:
        return {}
    k = slice_sent(engine, settings)
    given: dict[str, Volume] = {}
    for info in engine.inputs:
        if not info.required and info.name not in used:
            continue
        if info.kind == "image":
            volume = conversion.volume_of(settings.image)
            given[info.name] = volume if k is None else conversion.one_slice(volume, k)
        elif _wants_segments(info) and settings.mask is not None:
            given[info.name] = mask_of(info, card, settings, k)
    return given


def mask_of(info: InputInfo, card: ModelCard | None, settings: Settings, k: int | None) -> Volume:
    """Return the chosen segments as an engine takes them, of slice `k` alone or (None) of all. Raises as `gather` does."""
    values = segments.label_values(settings.mask, card.labels if card else ())
    labels = conversion.labels_of(settings.mask, settings.image, values, k)
    return conversion.instances_of(labels) if info.instances else labels


def slice_sent(engine: EngineInfo, settings: Settings) -> int | None:
    """Return which slice of the volume is sent alone, None if all are. Raises InputError when none of them is shown."""
    if not engine.one_slice and not settings.shown_only:
        return None
    return 0 if conversion.volume_of(settings.image).size[0] == 1 else conversion.shown_slice(settings.image)


def to_be_judged(engine: EngineInfo, card: ModelCard | None, settings: Settings, given: Mapping[str, Volume]) -> Sent | None:
    """Return what was sent of the segments where they come back better, to be applied to them; None for other engines."""
    if engine.synthetic or MAIN_LABELS not in given:
        return None
    values = segments.label_values(settings.mask, card.labels if card else ())
    return sent(settings.mask, values, settings.image, slice_sent(engine, settings))


def segments_input(engine: EngineInfo) -> InputInfo | None:
    """Return the input that the chosen segments are, None for an engine that takes none."""
    return next((info for info in engine.inputs if _wants_segments(info)), None)


def source(engine: EngineInfo, settings: Settings) -> Any:
    """Return the node a result is named after and stands beside: the segments for an image of them, else the volume."""
    if any(_wants_segments(info) for info in engine.inputs) and settings.mask is not None:
        return settings.mask
    return settings.image


def result_labels(engine: EngineInfo, card: ModelCard | None, settings: Settings) -> tuple[LabelInfo, ...]:
    """Return names and colors of the labels that come back: the model's, or those of the segments that were sent."""
    if card is not None and card.labels:
        return card.labels
    if settings.mask is None or not any(_wants_segments(info) for info in engine.inputs):
        return ()
    return segments.labels_like(settings.mask, segments.label_values(settings.mask))


def _wants_segments(info: InputInfo) -> bool:
    return info.kind == "labels" and info.name == MAIN_LABELS

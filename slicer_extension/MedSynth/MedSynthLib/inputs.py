"""What an engine takes, gathered from the scene: images and segments by the kinds that the engine declares."""

from __future__ import annotations

from typing import Any

from medsynth_core.errors import InputError
from medsynth_core.protocol import EngineInfo, InputInfo, LabelInfo, ModelCard
from medsynth_core.volume import Volume
from MedSynthLib import conversion, segments
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


def gather(engine: EngineInfo, card: ModelCard | None, settings: Settings) -> dict[str, Volume]:
    """Return the engine's inputs by name. Raises InputError, LabelError saying what is wrong and what to do."""
    if missing := lacking(engine, settings):
        raise InputError(missing)
    given: dict[str, Volume] = {}
    for info in engine.inputs:
        if info.kind == "image" and settings.image is not None:
            given[info.name] = conversion.volume_of(settings.image)
        elif _wants_segments(info) and settings.mask is not None and settings.image is not None:
            values = segments.label_values(settings.mask, card.labels if card else ())
            given[info.name] = conversion.labels_of(settings.mask, settings.image, values)
    if not settings.shown_only or settings.image is None:
        return given
    k = conversion.shown_slice(settings.image)
    return {name: conversion.one_slice(volume, k) for name, volume in given.items()}


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

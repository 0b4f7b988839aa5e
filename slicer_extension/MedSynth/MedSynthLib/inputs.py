"""What an engine takes, gathered from the scene: images and segments by the kinds that the engine declares."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from medsynth_core.errors import InputError, ShapeError
from medsynth_core.protocol import EngineInfo, InputInfo, LabelInfo, ModelCard
from medsynth_core.volume import Volume
from MedSynthLib import conversion, segments
from MedSynthLib.review import Sent, sent
from MedSynthLib.settings import Settings

MAIN_LABELS = "mask"
"""The input that the chosen segments are; other label inputs, such as locked strokes, have a box of their own."""
SAME_MM = 1e-3
NONE_CHOSEN: Mapping[str, Any] = MappingProxyType({})


def lacking(engine: EngineInfo, settings: Settings | None, chosen: Mapping[str, Any] = NONE_CHOSEN) -> str:
    """Return what must be chosen before a run, empty if nothing."""
    if settings is None:
        return "The scene is being closed."
    for info in engine.inputs:
        if info.name in chosen:
            continue
        if _wants_segments(info) and info.required and settings.mask is None:
            return f"{info.label}: choose a segmentation, or add one and paint."
        if (_wants_segments(info) or info.kind == "image") and info.required and settings.image is None:
            return f"{'Grid' if info.kind == 'labels' else info.label}: choose a volume."
    return ""


def offered(engine: EngineInfo) -> tuple[InputInfo, ...]:
    """Return the optional inputs that the chosen volume or segments can be: a person says whether they are to be used."""
    return tuple(info for info in engine.inputs if not info.required and (info.kind == "image" or _wants_segments(info)))


def picked(engine: EngineInfo) -> tuple[InputInfo, ...]:
    """Return the label inputs with a box of their own: all but the chosen segments, and those that may come numbered."""
    return tuple(info for info in engine.inputs if info.kind == "labels" and (info.instances or not _wants_segments(info)))


def gather(
    engine: EngineInfo,
    card: ModelCard | None,
    settings: Settings,
    used: Collection[str],
    chosen: Mapping[str, Any] = NONE_CHOSEN,
) -> dict[str, Volume]:
    """Return the engine's inputs by name: those that are required, the optional ones named in `used`, and nodes `chosen`.

    Raises InputError, LabelError, ShapeError saying what is wrong and what to do.
    """
    if missing := lacking(engine, settings, chosen):
        raise InputError(missing)
    k = slice_sent(engine, settings) if settings.image is not None else None
    given: dict[str, Volume] = {}
    for info in engine.inputs:
        if (node := chosen.get(info.name)) is not None:
            given[info.name] = labels_in(info, node, settings.image, k)
        elif settings.image is None or not (info.required or info.name in used):
            continue
        elif info.kind == "image":
            volume = conversion.volume_of(settings.image)
            given[info.name] = volume if k is None else conversion.one_slice(volume, k)
        elif _wants_segments(info) and settings.mask is not None:
            given[info.name] = mask_of(info, card, settings, k)
    return given


def labels_in(info: InputInfo, node: Any, grid: Any, k: int | None) -> Volume:
    """Return a chosen node as a label input, on the grid of a volume node (None: its own), of slice `k` alone or all.

    Instances keep their numbers, uint16; of other labels it matters where there are any, uint8. Raises InputError, ShapeError.
    """
    if not node.IsA("vtkMRMLLabelMapVolumeNode"):
        if grid is None:
            raise InputError(f"{info.label}: choose a volume, too: the segments are sent on its grid")
        return conversion.labels_of(node, grid, dict.fromkeys(segments.segment_names(node), 1), k)
    volume = conversion.volume_of(node)
    if grid is not None:
        check_place(info, node, volume, conversion.volume_of(grid))
    volume = volume if k is None else conversion.one_slice(volume, k)
    if not info.instances:
        return volume.with_array((volume.array != 0).astype(np.uint8))
    if volume.array.min() < 0 or volume.array.max() > np.iinfo(np.uint16).max:
        raise InputError(f"{node.GetName()} has numbers beyond 0 to {np.iinfo(np.uint16).max}: number its objects anew")
    return volume.with_array(volume.array.astype(np.uint16))


def is_empty(info: InputInfo, node: Any, grid: Any, k: int | None) -> bool:
    """Whether a chosen node holds nothing where it is sent, found without sending all of it. Raises as `labels_in` does."""
    if k is not None:
        return not labels_in(info, node, grid, k).array.any()
    if not node.IsA("vtkMRMLLabelMapVolumeNode"):
        if grid is None:
            raise InputError(f"{info.label}: choose a volume, too: the segments are sent on its grid")
        return not conversion.painted(node, dict.fromkeys(segments.segment_names(node), 1)).size
    labels = conversion.volume_of(node)
    if grid is not None:
        check_place(info, node, labels, conversion.volume_of(grid))
    return not labels.array.any()


def check_place(info: InputInfo, node: Any, labels: Volume, grid: Volume) -> None:
    """Raise ShapeError unless a label map has the voxels of the volume."""
    if labels.size != grid.size or np.abs(labels.affine - grid.affine).max() > SAME_MM:
        raise ShapeError(
            f"{info.label}: {node.GetName()} lies on other voxels than the volume, {labels.size} and {grid.size}: "
            "bring it onto them (Segmentations module: import, then export with the volume as reference)"
        )


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


def source(engine: EngineInfo, settings: Settings, chosen: Mapping[str, Any] = NONE_CHOSEN) -> Any:
    """Return the node a result is named after and stands beside: the segments for an image of them, else the volume."""
    if MAIN_LABELS in chosen:
        return chosen[MAIN_LABELS]
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

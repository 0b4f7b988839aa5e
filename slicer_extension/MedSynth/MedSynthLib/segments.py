"""Segments and a model's labels: which segment means which label, and segments made from a vocabulary."""

from __future__ import annotations

from typing import Any

import slicer

from medsynth_core.errors import InputError, LabelError
from medsynth_core.protocol import LabelInfo
from medsynth_core.vocabulary import foreground
from MedSynthLib import conversion, terminology

GREY = (0.5, 0.5, 0.5)
"""The color of a segment whose label names none."""


def label_values(segmentation: Any, labels: tuple[LabelInfo, ...] = ()) -> dict[str, int]:
    """Return segment id → label. Segments go by their names; a model that knows one label takes a single segment of any name.

    Without `labels` (a model that takes any) segments are numbered from 1. Raises LabelError naming a segment that no label
    of the model has the name of, InputError when there are no segments.
    """
    names = segment_names(segmentation)
    known = {label.name.casefold(): label.value for label in foreground(labels)}
    legend = ", ".join(label.name for label in foreground(labels))
    if not known:
        return {segment: number for number, segment in enumerate(names, 1)}
    if len(known) == 1 and len(names) == 1:
        return dict.fromkeys(names, next(iter(known.values())))
    for name in names.values():
        if name.casefold() not in known:
            raise LabelError(f"segment {name!r} is no label of the model, which knows {legend}: rename it, or remove it")
    return {segment: known[name.casefold()] for segment, name in names.items()}


def unknown_segments(segmentation: Any, labels: tuple[LabelInfo, ...]) -> tuple[str, ...]:
    """Return the ids of the segments that no label of a model has the name of."""
    known = {label.name.casefold() for label in foreground(labels)}
    return tuple(segment for segment, name in segment_names(segmentation).items() if name.casefold() not in known)


def rename(segmentation: Any, ids: tuple[str, ...], label: LabelInfo) -> None:
    """Give segments the name, the color and the code of a label."""
    for part in (segmentation.GetSegmentation().GetSegment(segment) for segment in ids):
        terminology.dress(part, label)


def segment_names(segmentation: Any) -> dict[str, str]:
    """Return segment id → name, in the order of the segmentation. Raises InputError when it has none."""
    if segmentation is None or not segmentation.GetSegmentation().GetNumberOfSegments():
        raise InputError("there is no segment: add one and paint")
    inside = segmentation.GetSegmentation()
    return {segment: inside.GetSegment(segment).GetName() for segment in inside.GetSegmentIDs()}


def labels_like(segmentation: Any, values: dict[str, int]) -> tuple[LabelInfo, ...]:
    """Return the segments of a segmentation as labels, with their names and colors."""
    inside = segmentation.GetSegmentation()
    parts = [(value, inside.GetSegment(segment)) for segment, value in values.items()]
    return tuple(LabelInfo(value, part.GetName(), _hex(part.GetColor())) for value, part in parts)


def new_segmentation(grid: Any, labels: tuple[LabelInfo, ...], name: str) -> Any:
    """Return an empty segmentation on the grid of a volume node: a segment, as terminology dresses it, for each label."""
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", slicer.mrmlScene.GenerateUniqueName(name))
    node.CreateDefaultDisplayNodes()
    conversion.set_grid(node, grid)
    for label in foreground(labels):
        made = node.GetSegmentation().AddEmptySegment("", label.name, GREY)
        terminology.dress(node.GetSegmentation().GetSegment(made), label)
    return node


def _hex(color: tuple[float, float, float]) -> str:
    return "#" + "".join(f"{round(255 * share):02x}" for share in color)

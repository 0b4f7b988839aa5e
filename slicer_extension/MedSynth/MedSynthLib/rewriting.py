"""Segments written into those of another segmentation: all is made ready beside the scene, bit by bit, then put in place at once.

So a large segmentation holds up no turn of the main loop for long, and nobody ever sees half of it written.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import slicer

from medsynth_core.errors import InputError
from MedSynthLib import conversion, images, layers
from MedSynthLib.conversion import BINARY
from MedSynthLib.layers import Group

Work = Generator[None, None, Callable[[], None]]
"""Yields between bits of work, in which nothing of the scene changes; returns what puts the result in place."""


@dataclass(frozen=True, eq=False)
class _Place:
    """Where is written: the segmentation, and the grid (z, y, x) of it all, of which only slice `k` is new, if not None."""

    target: Any
    affine: np.ndarray
    size: tuple[int, int, int]
    k: int | None

    @property
    def fresh(self) -> tuple[np.ndarray, tuple[int, int, int]]:
        """Matrix and size of what is new."""
        return (self.affine, self.size) if self.k is None else (conversion.slice_affine(self.affine, self.k), (1, *self.size[1:]))


@dataclass(eq=False)
class _Made:
    """Label maps beside the scene: `written` says map of the scene → what it will hold, `own` segment → a map of its own."""

    written: dict[Any, Any] = field(default_factory=dict)
    own: dict[str, Any] = field(default_factory=dict)


def rewriting(
    source: Any, parts: Mapping[str, str], target: Any, affine: np.ndarray, size: tuple[int, int, int], k: int | None
) -> Work:
    """Make ready segments of one segmentation to be those of another, on a grid (z, y, x); with `k` on that slice alone.

    `parts` says target's segment → source's; a part that is gone from the source counts as empty. A segment stays in the label
    map it shares with others unless one of them is in the way, then it gets its own, as Slicer does it. Raises InputError when
    a segment cannot be read or written.
    """
    inside, place, made = target.GetSegmentation(), _Place(target, affine, size, k), _Made()
    if gone := [segment for segment in parts if inside.GetSegment(segment) is None]:
        raise InputError(f"segment {gone[0]!r} of {target.GetName()} cannot be written: it may have been removed")
    if inside.GetSourceRepresentationName() != BINARY:
        return (yield from _by_slicer(source, parts, place))
    for image, segments in _batches(source, parts, inside):
        yield from _write(source, {segment: parts[segment] for segment in segments}, image, place, made)
    return lambda: _put(target, made)


def _write(source: Any, parts: Mapping[str, str], image: Any, place: _Place, made: _Made) -> Generator[None, None, None]:
    """Write segments that lie in one label map, None for those in none, into a copy of it, or else into one of their own."""
    inside = place.target.GetSegmentation()
    numbers = {segment: int(inside.GetSegment(segment).GetLabelValue()) if image is not None else 1 for segment in parts}
    table = bytearray(256)
    for number in numbers.values():
        table[number] = number
    group = Group(tuple(parts), bytes(table))
    wanted = conversion.there(source, {part: numbers[segment] for segment, part in parts.items()})
    fresh = conversion.gathered(source, wanted, *place.fresh)
    yield
    if image is not None:
        if image not in made.written:
            made.written[image] = images.copy(image)
            yield
        alone = not any(inside.GetSegment(s).GetRepresentation(BINARY) is image for s in inside.GetSegmentIDs() if s not in parts)
        to_grid = np.linalg.inv(place.fresh[0]) @ conversion.parent_of(place.target)
        if layers.rewrite(made.written[image], to_grid, group, fresh, place.k is None, alone):
            yield
            return
        yield
        layers.erase(made.written[image], group)
        yield
    own = yield from _own_map(numbers, fresh, place)
    made.own |= dict.fromkeys(parts, own)


def _own_map(numbers: Mapping[str, int], fresh: np.ndarray, place: _Place) -> Generator[None, None, Any]:
    """Return a new label map with these segments alone."""
    if place.k is not None:
        whole = conversion.gathered(place.target, numbers, place.affine, place.size)
        whole[place.k] = fresh[0]
        fresh = whole
        yield
    made = images.cropped(fresh, np.linalg.inv(conversion.parent_of(place.target)) @ place.affine)
    yield
    return made


def _put(target: Any, made: _Made) -> None:
    inside = target.GetSegmentation()
    for image, written in made.written.items():
        image.ShallowCopy(written)
        conversion.tell_changed(target, image)
    for segment, image in made.own.items():
        inside.GetSegment(segment).AddRepresentation(BINARY, image)
    for image in dict.fromkeys(made.own.values()):
        conversion.tell_changed(target, image)


def _batches(source: Any, parts: Mapping[str, str], inside: Any) -> list[tuple[Any, Sequence[str]]]:
    """Return the segments of the target by the label map of bytes they are in, None if in none.

    What is drawn over each other in the source is taken one by one: one array cannot hold both.
    """
    found: dict[Any, list[str]] = {}
    for segment in parts:
        image = inside.GetSegment(segment).GetRepresentation(BINARY)
        usable = image is not None and not images.is_empty(image) and images.voxels(image).dtype == np.uint8
        found.setdefault(image if usable else None, []).append(segment)
    batches: list[tuple[Any, Sequence[str]]] = []
    for image, segments in found.items():
        wanted = conversion.there(source, {parts[segment]: 1 for segment in segments})
        together = image is not None and len(list(layers.layers_of(source.GetSegmentation(), wanted, BINARY))) <= 1
        batches += [(image, segments)] if together else [(image, [segment]) for segment in segments]
    return batches


def _by_slicer(source: Any, parts: Mapping[str, str], place: _Place) -> Work:
    """Leave the writing to Slicer where voxels are not what the segmentation is made of."""
    made = {}
    for segment, part in parts.items():
        fresh = conversion.gathered(source, conversion.there(source, {part: 1}), *place.fresh)
        yield
        made[segment] = yield from _own_map({segment: 1}, fresh, place)

    def put() -> None:
        logic = slicer.vtkSlicerSegmentationsModuleLogic
        for segment, image in made.items():
            if not logic.SetBinaryLabelmapToSegment(image, place.target, segment, logic.MODE_REPLACE, image.GetExtent()):
                raise InputError(f"segment {segment!r} of {place.target.GetName()} cannot be written: it may have been removed")

    return put

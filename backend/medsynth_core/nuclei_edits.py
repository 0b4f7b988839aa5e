"""One nucleus of a field moved, doubled or deleted, and where the image is to be made anew for it. No viewer, no network.

A field is an instance map (y, x): one number a nucleus, 0 = background. Of a stack, each slice is a field of its own: hand in the
slice. What is handed in is never written to.

The other nuclei stand. A nucleus that is put down lies below them and is cut off at the edge of the field, as real ones are at
the edge of a tile. Of what is left the largest piece (4 neighbors) stays, since a nucleus is one piece; if that is less than a
nucleus can be, the edit is refused.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from medsynth_core.errors import InputError, ShapeError

Field = npt.NDArray[np.integer]
Mask = npt.NDArray[np.bool_]

MARGIN_PX = 4
"""So much round a nucleus is made anew, one cell of the image network: its rim is no sharp line in the image, so less
would leave a ghost of it; more would repaint neighbors that nobody touched."""
LEAST_AREA_PX = 12
"""What is smaller the engine takes for a speck. A nucleus that was painted smaller may stay as small as it was."""
MOST = int(np.iinfo(np.uint16).max)
"""The highest number of a nucleus: the engine's fields are 16 bit."""


@dataclass(frozen=True, eq=False)
class Edit:
    """A field after an edit, of the same type and shape (y, x); where (y, x) its image is to be made anew; whose edit it was.

    `number` is that of the nucleus moved or deleted, of the new one after a duplication.
    """

    instances: Field
    region: Mask
    number: int


def moved(instances: Field, number: int, dy: int, dx: int) -> Edit:
    """Return the field with a nucleus moved by (dy, dx) pixels. By (0, 0) nothing changes, and the region is empty.

    Raises ShapeError for what is no plane of integers, InputError when there is no such nucleus, or too little of it would be
    left.
    """
    before = nucleus(instances, number)
    if dy == dx == 0:
        return Edit(instances.copy(), np.zeros(instances.shape, bool), number)
    after = _put_down(before, (instances == 0) | before, dy, dx, number)
    return Edit(_written(instances, before, after, number), grown(before | after), number)


def duplicated(instances: Field, number: int, dy: int, dx: int) -> Edit:
    """Return the field with a copy of a nucleus (dy, dx) pixels from it, below all that is there, with a number of its own.

    Raises ShapeError for what is no plane of integers, InputError when there is no such nucleus, too little of the copy would be
    left, or all numbers are taken.
    """
    before = nucleus(instances, number)
    after = _put_down(before, instances == 0, dy, dx, number)
    new = free_number(instances)
    return Edit(_written(instances, np.zeros_like(before), after, new), grown(after), new)


def deleted(instances: Field, number: int) -> Edit:
    """Return the field with background where a nucleus was.

    Raises ShapeError for what is no plane of integers, InputError when there is no such nucleus.
    """
    before = nucleus(instances, number)
    return Edit(_written(instances, before, np.zeros_like(before), number), grown(before), number)


def nucleus(instances: Field, number: int) -> Mask:
    """Return where (y, x) a nucleus lies. Raises ShapeError, InputError."""
    if instances.ndim != 2 or not np.issubdtype(instances.dtype, np.integer):
        raise ShapeError(
            f"the field is {instances.shape} of {instances.dtype}: nuclei lie in a plane (y, x) of integers; take one slice"
        )
    there = np.asarray(instances == number)
    if number <= 0 or not there.any():
        raise InputError(f"there is no nucleus {number} in the field: its nuclei have the numbers that occur in it, above 0")
    return there


def free_number(instances: Field) -> int:
    """Return one more than the highest number; when that no longer fits the type, the lowest free one. Raises InputError."""
    most = min(MOST, int(np.iinfo(instances.dtype).max))
    highest = int(instances.max(initial=0))
    if highest < most:
        return highest + 1
    free = np.setdiff1d(np.arange(1, min(most, instances.size + 1) + 1), instances)
    if not free.size:
        raise InputError(
            f"all numbers up to {most} of {instances.dtype} are taken: convert the field to uint16 or delete a nucleus"
        )
    return int(free[0])


def grown(where: Mask, margin_px: int = MARGIN_PX) -> Mask:
    """Return where (y, x) a place of `where` lies within `margin_px` pixels, in a circle; it ends at the edge of the field."""
    near = np.zeros_like(where)
    if not where.any():
        return near
    around = tuple(
        slice(max(0, int(there[0]) - margin_px), int(there[-1]) + 1 + margin_px)
        for there in (np.flatnonzero(where.any(axis=1)), np.flatnonzero(where.any(axis=0)))
    )
    small = where[around]  # a nucleus is small, a field may be large
    offsets = range(-margin_px, margin_px + 1)
    near[around] = np.logical_or.reduce(
        [_shifted(small, dy, dx) for dy in offsets for dx in offsets if dy**2 + dx**2 <= margin_px**2]
    )
    return near


def _put_down(shape: Mask, room: Mask, dy: int, dx: int, number: int) -> Mask:
    """Return what of a nucleus' shape (y, x) finds room, as one piece, (dy, dx) further. Raises InputError."""
    there = _shifted(shape, dy, dx)
    if not there.any():
        raise InputError(f"nucleus {number} would leave the field by ({dy}, {dx}) pixels: put it down inside, at least in part")
    piece = largest_piece(there & room)
    left, least = int(piece.sum()), min(LEAST_AREA_PX, int(shape.sum()))
    if left < least:
        raise InputError(
            f"of nucleus {number} {left} pixels would be left, {least} is the least: others lie there, or the edge; give it room"
        )
    return piece


def _written(instances: Field, clear: Mask, fill: Mask, number: int) -> Field:
    after = instances.copy()
    after[clear] = 0
    after[fill] = number
    return after


def _shifted(where: Mask, dy: int, dx: int) -> Mask:
    """Return a mask (y, x) moved by (dy, dx); what leaves is lost."""
    height, width = where.shape
    moved_ = np.zeros_like(where)
    if abs(dy) < height and abs(dx) < width:
        to = (slice(max(0, dy), height + min(0, dy)), slice(max(0, dx), width + min(0, dx)))
        of = (slice(max(0, -dy), height + min(0, -dy)), slice(max(0, -dx), width + min(0, -dx)))
        moved_[to] = where[of]
    return moved_


def largest_piece(where: Mask) -> Mask:
    """Return the largest part (y, x) that hangs together by sides (4 neighbors), of equal ones the first in reading order."""
    left = set(zip(*(axis.tolist() for axis in np.nonzero(where)), strict=True))
    best: list[tuple[int, int]] = []
    for start in sorted(left):
        if start in left and len(best) < len(left):
            piece = _piece_from(start, left)
            best = max(best, piece, key=len)
    largest = np.zeros_like(where)
    if best:
        largest[tuple(np.transpose(best))] = True
    return largest


def _piece_from(start: tuple[int, int], left: set[tuple[int, int]]) -> list[tuple[int, int]]:
    """Take what hangs together with `start` out of `left`, and return it."""
    left.remove(start)
    piece = [start]
    for y, x in piece:  # it grows while it is walked
        for beside in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)):
            if beside in left:
                left.remove(beside)
                piece.append(beside)
    return piece

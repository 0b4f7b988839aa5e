"""Where the network looks: square windows round what is painted, as large as the object asks for, however large the image.

An object's width w (see `strength`) sets the side of its windows, 2.2·w: a small nucleus is looked at closely, a large lesion
with what surrounds it, a vessel a stretch at a time. An object longer than a window gets several along its rim; they overlap
and are blended, so that no seam can form.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from medsynth_core.strength import object_width_px

ZOOM = 2.2
LEAST_SIDE_PX = 64.0
"""Below the network's grid, a closer look shows no more; small objects near each other then share a window."""
INNER = 0.8
"""Share of a window's side that one object may fill without being cut into several windows."""
STRIDE = 0.6
COARSEST = 4.0
"""An object is seen well enough in a window of another up to this many times the side of its own."""


@dataclass(frozen=True)
class Square:
    """A square of the image, which may reach beyond it: top left corner (y, x) and side, in whole pixels."""

    y: int
    x: int
    side: int

    def holds(self, box: tuple[slice, slice]) -> bool:
        """Return whether a box lies in the inner part."""
        rim = self.side * (1 - INNER) / 2
        starts = box[0].start >= self.y + rim and box[1].start >= self.x + rim
        return starts and box[0].stop <= self.y + self.side - rim and box[1].stop <= self.x + self.side - rim


def squares_over(mask: npt.NDArray[np.bool_]) -> list[Square]:
    """Return the windows that show every object of a mask (y, x), largest first; none for an empty mask."""
    labels, _ = ndimage.label(mask, np.ones((3, 3)))
    found: list[Square] = []
    boxes = [(box, labels[box] == i + 1) for i, box in enumerate(ndimage.find_objects(labels))]
    sides = [max(LEAST_SIDE_PX, ZOOM * object_width_px(part)) for _, part in boxes]
    for i in np.argsort(sides)[::-1]:
        box, part = boxes[i]
        side = math.ceil(sides[i])
        if not any(square.side <= COARSEST * side and square.holds(box) for square in found):
            found += _over_object(box, part, side)
    return found


def _over_object(box: tuple[slice, slice], part: npt.NDArray[np.bool_], side: int) -> list[Square]:
    starts = [_starts(edge.start, edge.stop, side) for edge in box]
    squares = [Square(y, x, side) for y, x in itertools.product(*starts)]
    if len(squares) == 1:
        return squares
    rim = np.pad(part, 1) ^ ndimage.binary_erosion(np.pad(part, 1))
    rows, columns = np.nonzero(rim[1:-1, 1:-1])
    y, x = rows + box[0].start, columns + box[1].start
    return [s for s in squares if ((y >= s.y) & (y < s.y + s.side) & (x >= s.x) & (x < s.x + s.side)).any()]


def _starts(low: int, high: int, side: int) -> list[int]:
    """Return where windows begin along one axis: one in the middle if the object fits, else evenly over it."""
    length = high - low
    if length <= INNER * side:
        return [round((low + high - side) / 2)]
    rim = side * (1 - INNER) / 2
    first, last = low - rim, high + rim - side
    count = 1 + max(1, math.ceil((last - first) / (STRIDE * side)))
    return [round(first + i * (last - first) / (count - 1)) for i in range(count)]

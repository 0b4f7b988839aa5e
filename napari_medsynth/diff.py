"""What a refinement would change: every changed pixel, in regions that are taken or left one by one. No Qt, no layers.

A region is what hangs together (8 neighbors) within one slice and changes alike: to the same label, or away from the same one.
Only changed pixels are kept, so all questions cost what the change costs, not what the volume costs.

A proposal stands while the mask still is what was sent and the region was not rejected. So accepting needs no bookkeeping: an
accepted pixel has changed, the undo of it brings the proposal back, and where the user painted meanwhile the paint wins.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from skimage.measure import label as connected_regions

Index = tuple[np.ndarray, ...]


@dataclass(frozen=True)
class Counts:
    """How many pixels would come to a label, and how many would go to the background."""

    added: int
    removed: int


class Diff:
    """The difference of two masks `before` and `after` of the same shape, (y, x) or a stack whose planes lie along `along`.

    `places` holds the changed pixels' index arrays (n,) into that shape, sorted by region; regions are numbered from 0, by slice
    and then from large to small.
    """

    def __init__(self, before: np.ndarray, after: np.ndarray, along: int = 0) -> None:
        code = np.where(after != 0, after.astype(np.int64), -before.astype(np.int64))
        code[before == after] = 0
        self.places, self.region = _regions(code, along)
        self.before, self.after = before[self.places], after[self.places]
        self._rejected = np.zeros(self.count, bool)

    @property
    def count(self) -> int:
        """How many regions there are."""
        return int(self.region[-1]) + 1 if self.region.size else 0

    @property
    def added(self) -> npt.NDArray[np.bool_]:
        """Which pixels (n,) come to a label, from the background or from another one."""
        return np.asarray(self.after != 0)

    def standing(self, now: np.ndarray) -> npt.NDArray[np.bool_]:
        """Return which pixels (n,) are still proposed, where `now` (n,) is what the mask holds at `places`."""
        return np.asarray((now == self.before) & ~self._rejected[self.region])

    def counts(self, standing: npt.NDArray[np.bool_]) -> Counts:
        """Return how many of these pixels (n,) are added and removed."""
        added = int((standing & self.added).sum())
        return Counts(added, int(standing.sum()) - added)

    def regions_of(self, standing: npt.NDArray[np.bool_]) -> list[int]:
        """Return the regions that these pixels (n,) belong to, in their order."""
        return [int(region) for region in np.unique(self.region[standing])]

    def middle(self, region: int) -> tuple[int, int]:
        """Return which of the n pixels is nearest to the middle of a region, and how many pixels the region is across."""
        (members,) = np.nonzero(self.region == region)
        spots = np.stack([axis[members] for axis in self.places], axis=1)
        return int(members[np.abs(spots - spots.mean(0)).sum(1).argmin()]), int(np.ptp(spots, axis=0).max()) + 1

    def reject(self, region: int) -> None:
        """Propose a region no longer."""
        self._rejected[region] = True


def _regions(code: np.ndarray, along: int) -> tuple[Index, np.ndarray]:
    """Return the places where the code is not 0 and the number of the region of each, both sorted by that number."""
    stack = np.moveaxis(code, along, 0) if code.ndim == 3 else code[None]
    found: list[tuple[int, int, np.ndarray, np.ndarray]] = []
    for z in np.flatnonzero(stack.any(axis=(1, 2))):
        plane = connected_regions(stack[z], background=0, connectivity=2)
        ys, xs = np.nonzero(plane)
        order = np.argsort(plane[ys, xs], kind="stable")
        ys, xs = ys[order], xs[order]
        edges = np.flatnonzero(np.diff(plane[ys, xs])) + 1
        found += [(int(z), -len(y), y, x) for y, x in zip(np.split(ys, edges), np.split(xs, edges), strict=True)]
    found.sort(key=lambda part: part[:2])
    if not found:
        return tuple(np.zeros(0, np.intp) for _ in range(code.ndim)), np.zeros(0, np.intp)
    sizes = [-size for _, size, _, _ in found]
    planes = [np.repeat([z for z, *_ in found], sizes)] if code.ndim == 3 else []
    places = [*planes, np.concatenate([y for *_, y, _ in found]), np.concatenate([x for *_, x in found])]
    if code.ndim == 3:  # back from (along, the others) to the order of the axes
        places.insert(along, places.pop(0))
    return tuple(places), np.repeat(np.arange(len(found)), sizes)

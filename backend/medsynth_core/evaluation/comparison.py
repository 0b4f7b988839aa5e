"""What a refinement did to one case: figures, and pictures of the planes that changed most, turned upright."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import nibabel
import numpy as np
import numpy.typing as npt

from medsynth_core.errors import ShapeError
from medsynth_core.evaluation.pictures import Pane, Plane, displayed, panes
from medsynth_core.volume import Volume

AXES = {"z": 1, "y": 2, "x": 3}
MOST_PLANES = 3
Array = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class Pictured:
    """What is to be compared. `before` is None where a network drew the mask; `in_space` says that the affine is true, so that a
    plane can be turned as radiologists look at it; `axis` is the one the volume was cut along: "z", "y" or "x"."""

    name: str
    image: Volume
    before: Volume | None
    after: Volume
    uncertainty: Volume | None
    axis: str = "z"
    in_space: bool = False


@dataclass(frozen=True)
class View:
    """The pictures of one plane."""

    caption: str
    panes: tuple[Pane, ...]


@dataclass(frozen=True)
class Figures:
    """Voxels painted before and after, added, removed, given another label; Dice of before and after, mean over the labels.

    All but `after` are None where there was no mask before."""

    after: int
    before: int | None = None
    added: int | None = None
    removed: int | None = None
    relabeled: int | None = None
    dice: float | None = None

    @property
    def changed(self) -> int | None:
        """How many voxels differ."""
        if self.added is None or self.removed is None or self.relabeled is None:
            return None
        return self.added + self.removed + self.relabeled


def figures(before: Array | None, after: Array) -> Figures:
    """Return the figures of labels of any one shape. Raises ShapeError when the two differ in shape."""
    painted = int((after != 0).sum())
    if before is None:
        return Figures(painted)
    if before.shape != after.shape:
        raise ShapeError(f"the mask was {before.shape} and is {after.shape}: they must match")
    changed = before != after
    added, removed = int((changed & (before == 0)).sum()), int((changed & (after == 0)).sum())
    labels = sorted({*np.unique(before).tolist(), *np.unique(after).tolist()} - {0})
    dices = [2 * ((before == v) & (after == v)).sum() / ((before == v).sum() + (after == v).sum()) for v in labels]
    mean = float(np.mean(dices)) if dices else 1.0
    return Figures(painted, int((before != 0).sum()), added, removed, int(changed.sum()) - added - removed, mean)


def views(case: Pictured) -> tuple[View, ...]:
    """Return pictures of the planes that changed most, in their order; of the largest ones where nothing was there before."""
    axis = AXES[case.axis]
    after = case.after.array
    changed: npt.NDArray[np.bool_] = after != 0 if case.before is None else case.before.array != after
    if not changed.any():
        changed = after != 0
    others = tuple(i for i in range(4) if i != axis)
    counts = changed.sum(axis=others)
    busiest = sorted(np.argsort(-counts, kind="stable")[:MOST_PLANES].tolist())
    chosen = [i for i in busiest if counts[i]] or busiest[:1]
    labels = [after] if case.before is None else [after, case.before.array]
    values = tuple(sorted({int(v) for array in labels for v in np.unique(array)} - {0}))
    return tuple(_view(case, axis, i, values) for i in chosen)


def _view(case: Pictured, axis: int, i: int, values: tuple[int, ...]) -> View:
    turn = _Turn(case.image, axis, case.in_space)
    maps = (case.before, case.after, case.uncertainty)
    before, after, uncertainty = (None if v is None else turn.upright(np.take(v.array[:1], i, axis)[0]) for v in maps)
    pixels = np.moveaxis(np.take(case.image.array, i, axis), 0, -1)  # (rows, columns, channel)
    image = turn.upright(pixels if pixels.shape[-1] == 3 else pixels[..., 0])
    assert after is not None
    shown = uncertainty if uncertainty is None else uncertainty.astype(np.uint8)
    plane = Plane(displayed(image), before, after, shown, turn.spacing, values)
    count = case.after.array.shape[axis]
    return View(f"{case.axis} = {i}, of 0 to {count - 1}" if count > 1 else "", panes(plane))


class _Turn:
    """How a plane is turned: rows toward the feet or the back, columns toward the patient's left or back. Flat files stay as
    they are."""

    def __init__(self, image: Volume, axis: int, in_space: bool) -> None:
        rows, columns = (i for i in (1, 2, 3) if i != axis)
        spacing = dict(zip((1, 2, 3), image.spacing_mm, strict=True))
        self._transposed, self._flips = False, (False, False)
        if in_space:
            toward = nibabel.io_orientation(image.affine)[::-1]  # of the array axes z, y, x: (world axis, +1 if toward R, A, S)
            self._transposed = bool(toward[columns - 1][0] > toward[rows - 1][0])
            if self._transposed:
                rows, columns = columns, rows
            self._flips = bool(toward[rows - 1][1] > 0), bool(toward[columns - 1][1] > 0)
        self.spacing = (spacing[rows], spacing[columns]) if in_space else (1.0, 1.0)

    def upright(self, plane: Array) -> Array:
        """Return a plane (rows, columns, ...) turned."""
        turned = plane.swapaxes(0, 1) if self._transposed else plane
        flipped = tuple(axis for axis, flip in enumerate(self._flips) if flip)
        return np.ascontiguousarray(np.flip(turned, flipped))

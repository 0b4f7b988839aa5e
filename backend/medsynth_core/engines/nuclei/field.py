"""What of a field is kept, and how new nuclei are put between those that stay."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from medsynth_core.errors import InputError
from medsynth_core.imaging.nuclei_maps import LEAST_AREA_PX, renumbered

Instances = npt.NDArray[np.int32]
Mask = npt.NDArray[np.bool_]
MOST = np.iinfo(np.uint16).max


@dataclass(frozen=True, eq=False)
class Keep:
    """The instances (y, x) that stay as they are, and where (y, x) the field is free; elsewhere background stays background."""

    instances: Instances
    free: Mask


def on_canvas(keep: Keep, least: int) -> tuple[Instances, Mask]:
    """Return both at an even size of at least `least`: what is added is free, and cut off again afterwards."""
    y, x = keep.instances.shape
    pads = [(0, max(least, n + n % 2) - n) for n in (y, x)]
    return np.pad(keep.instances, pads), np.pad(keep.free, pads, constant_values=True)


def assembled(keep: Keep, found: Instances) -> Instances:
    """Return the kept instances with the found ones between them, numbered on from the highest that is kept.

    A found one that is mostly a kept one again, or mostly outside of what is free, is left out; the others lose what is not
    theirs. Raises InputError when the numbers no longer fit 16 bit.
    """
    room = keep.free & (keep.instances == 0)
    whole, inside = np.bincount(found.ravel()), np.bincount(found[room].ravel(), minlength=int(found.max()) + 1)
    fits = (2 * inside > whole) & (inside >= LEAST_AREA_PX)
    fits[0] = False
    new = renumbered(np.where(room & fits[found], found, 0), first=int(keep.instances.max()) + 1)
    field = np.where(keep.instances > 0, keep.instances, new)
    if field.max() > MOST:
        raise InputError(f"the field would number its nuclei up to {field.max()}: renumber those given from 1 ({MOST} at most)")
    return field.astype(np.int32)

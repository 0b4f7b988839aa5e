"""From a task to events: tile by tile a field, its structure, its image."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import torch

from medsynth_core.engines._base import EngineEvent, Note, Progress, Slice, Task
from medsynth_core.engines.nuclei.case import Case, prepare
from medsynth_core.engines.nuclei.judge import look_of
from medsynth_core.engines.nuclei.prior import Likeness
from medsynth_core.engines.nuclei.sampling import Manner
from medsynth_core.engines.nuclei.tiles import PIXELS
from medsynth_core.imaging.nuclei_maps import areas_px, maps_of
from medsynth_core.protocol import OutputInfo

IMAGE, INSTANCES, STRUCTURE = "image", "instances", "structure"
OUTPUTS = (INSTANCES, STRUCTURE, IMAGE)
MARGIN_PX = 48
"""So much round a region is seen while it is painted."""


def make(task: Task) -> Iterator[EngineEvent]:
    """Yield outputs, notes, progress and slices. Raises InputError, ShapeError before anything is announced.

    A tile of which all is kept from before a resume is not made again; one with a part missing is made again as a whole.
    """
    case = prepare(task)
    yield from _outputs(case)
    yield Note("device", case.model.device)
    yield from _flags(case)
    total, fields, looks = 2 * case.size[0], [], []
    yield Progress(0, total)
    for z in range(case.size[0]):
        before = [part for name in OUTPUTS if (part := task.finished.get(name, {}).get(z)) is not None]
        if len(before) == len(OUTPUTS):
            field, image = before[0][0], before[2]
        else:
            row = case.model.prior.draw(case.seed + z, case.params.density, case.params.size)
            field = _field(case, z, row)
            yield Progress(2 * z + 1, total, f"nuclei of tile {z + 1}")
            yield Slice(INSTANCES, z, field[None].astype(np.uint16))
            yield Slice(STRUCTURE, z, maps_of(field))
            image = _image(case, z, field, row)
            yield Slice(IMAGE, z, image)
        fields.append(field)
        if task.judge is not None:
            looks.append(look_of(image, field))
        yield Progress(2 * z + 2, total, f"tile {z + 1}")
    yield from _got(fields)
    if task.judge is not None:
        yield task.judge.badge(*looks)


def _field(case: Case, z: int, row: Likeness) -> npt.NDArray[np.int32]:
    keep = case.keep(z)
    if keep is None:
        assert case.given is not None
        return case.given[z]
    return case.model.completed(keep, row, case.seed + z, _manner(case))


def _image(case: Case, z: int, field: npt.NDArray[np.int32], row: Likeness) -> npt.NDArray[np.uint8]:
    """Return (3, y, x); outside of the region the pixels are those of the image given."""
    stain = case.stain or row.stain
    if case.kept is None or case.region is None:
        return _pixels(case.model.paint(field, stain, case.seed + z, _manner(case)))
    kept, free = case.kept[:, z], case.region[z]
    here = round_region(free)
    if here is None:
        return kept
    around = torch.from_numpy(kept[:, *here].astype(np.float32)) / 127.5 - 1
    made = case.model.paint(field[here], stain, case.seed + z, _manner(case), around, free[here])
    image = kept.copy()
    image[:, *here] = np.where(free[here], _pixels(made), kept[:, *here])
    return image


def round_region(free: npt.NDArray[np.bool_]) -> tuple[slice, slice] | None:
    """Return the rectangle that is looked at to paint a region: with a margin, at least a window where the image is that large.

    None for a region without pixels. A change in one place costs one window, however large the image.
    """
    if not free.any():
        return None
    spans = []
    for axis in (1, 0):
        there = np.flatnonzero(free.any(axis=axis))
        least, whole = max(PIXELS, int(np.ptp(there)) + 1 + 2 * MARGIN_PX), free.shape[1 - axis]
        start = max(0, min(int(there[0] + there[-1] + 1 - least) // 2, whole - least))
        spans.append(slice(start, min(start + least, whole)))
    return spans[0], spans[1]


def _manner(case: Case) -> Manner:
    return Manner(case.params.steps, case.params.guidance)


def _pixels(image: torch.Tensor) -> npt.NDArray[np.uint8]:
    return ((image + 1) * 127.5).round().clamp(0, 255).to(torch.uint8).numpy()


def _outputs(case: Case) -> Iterator[OutputInfo]:
    affine = tuple(tuple(float(v) for v in row) for row in case.affine)
    yield OutputInfo(IMAGE, "image", (3, *case.size), "uint8", affine)
    yield OutputInfo(INSTANCES, "labels", (1, *case.size), "uint16", affine)
    yield OutputInfo(STRUCTURE, "state", (3, *case.size), "float32", affine)


def _flags(case: Case) -> Iterator[Note]:
    """Tell where what was asked lies beyond what the training tiles were like."""
    ranges = {
        "density": (case.params.density, [row.density for row in case.model.prior.rows]),
        "size": (case.params.size, [row.size_px for row in case.model.prior.rows]),
    }
    for name, (asked, there) in ranges.items():
        if asked and not min(there) <= asked <= max(there):
            yield Note(f"flag_{name}", f"{name} is {asked:g}, training tiles had {min(there):.0f} to {max(there):.0f}")


def _got(fields: list[npt.NDArray[np.integer]]) -> Iterator[Note]:
    areas = np.concatenate([areas_px(field) for field in fields])
    pixels = sum(field.size for field in fields)
    yield Note("got_nuclei", len(areas))
    yield Note("got_density", round(len(areas) * PIXELS**2 / pixels, 2))
    yield Note("got_size", round(float(areas.mean()), 1) if len(areas) else 0.0)

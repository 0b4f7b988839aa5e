"""From a task to events: inputs checked, a coarse mask drawn if none came, planes refined one after the other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from medsynth_core.engines._base import EngineEvent, Note, Progress, Slice, Task
from medsynth_core.engines.refine.model import Refiner, load_model
from medsynth_core.engines.refine.planes import AXES, LEAST_DICE, Labels, Manner, Result, neighbors, refine_plane
from medsynth_core.errors import InputError, ModelError, ParameterError, RefusedError, ShapeError
from medsynth_core.imaging.postprocess import Postprocessing
from medsynth_core.imaging.preprocess import Preprocessing
from medsynth_core.kept import PREFIX
from medsynth_core.models import registry
from medsynth_core.protocol import OutputInfo
from medsynth_core.strength import reach_px
from medsynth_core.vocabulary import whole_numbers
from medsynth_core.volume import Volume


@dataclass(frozen=True)
class Case:
    """A task made ready: image (C, z, y, x) in [−1, 1]; labels and locked (z, y, x); the array axis that planes are cut along."""

    model: Refiner
    image: npt.NDArray[np.float32]
    labels: Labels
    locked: npt.NDArray[np.bool_]
    axis: int
    manner: Manner
    seed: int

    @property
    def planes(self) -> int:
        """How many planes there are."""
        return self.labels.shape[self.axis]

    def refine(self, i: int) -> Result:
        """Return plane i refined; its chance follows from the seed and i alone."""
        labels, locked = np.take(self.labels, i, axis=self.axis), np.take(self.locked, i, axis=self.axis)
        image = neighbors(self.image, self.axis + 1, i)
        return refine_plane(self.model, image, labels, locked, self.manner, self.seed + 7_919 * i)

    def shown(self) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
        """Return the plane with the most that is painted: image (3, y, x) and where (y, x) something is."""
        rest = tuple(axis for axis in range(3) if axis != self.axis)
        i = int((self.labels != 0).sum(axis=rest).argmax())
        return neighbors(self.image, self.axis + 1, i), np.take(self.labels, i, axis=self.axis) != 0

    def farthest_reach_px(self) -> float:
        """Return how far the boundary may move at most, in any plane."""
        planes = (np.take(self.labels, i, axis=self.axis) for i in range(self.planes))
        reaches = (reach_px(plane == v, self.manner.strength) for plane in planes for v in np.unique(plane) if v)
        return round(max(reaches, default=0.0), 1)


def refine(task: Task) -> Iterator[EngineEvent]:
    """Yield outputs, notes, progress and the slices of mask and uncertainty. Raises InputError, ModelError, RefusedError."""
    case = prepare(task)
    affine = tuple(tuple(row) for row in task.inputs["image"].affine.tolist())
    z, y, x = case.labels.shape
    yield OutputInfo("mask", "labels", (1, z, y, x), str(case.labels.dtype), affine)
    yield OutputInfo("uncertainty", "image", (1, z, y, x), "uint8", affine)
    yield Note("device", case.model.device)
    yield Note("reach_px", case.farthest_reach_px())
    yield Progress(0, case.planes)
    yield from _stream(case, task) if case.axis == 0 else _gather(case, task.params.axis)
    if task.judge is not None:
        yield task.judge.badge(*case.shown())


def _stream(case: Case, task: Task) -> Iterator[EngineEvent]:
    """Refine slice by slice, each given at once; slices kept from before a resume are not made again."""
    before, unsure = (task.finished.get(name, {}) for name in ("mask", "uncertainty"))
    changed, kept = False, False
    for z in range(case.planes):
        if z in before and z in unsure:
            changed |= not np.array_equal(before[z][0], case.labels[z])
        else:
            result = case.refine(z)
            changed, kept = changed or bool(result.refined), kept or bool(result.kept)
            yield from _kept("z", z, result)
            if z == case.planes - 1:
                _check(changed, kept)
            yield from _slices(z, result.labels, result.uncertainty)
        yield Progress(z + 1, case.planes)


def _gather(case: Case, name: str) -> Iterator[EngineEvent]:
    """Refine planes that are not slices, and give the slices when all are there."""
    results = []
    for i in range(case.planes):
        results.append(case.refine(i))
        yield from _kept(name, i, results[-1])
        yield Progress(i + 1, case.planes)
    _check(any(r.refined for r in results), any(r.kept for r in results))
    labels = np.stack([r.labels for r in results], axis=case.axis)
    uncertainty = np.stack([r.uncertainty for r in results], axis=case.axis)
    for z in range(len(labels)):
        yield from _slices(z, labels[z], uncertainty[z])


def _kept(axis: str, i: int, result: Result) -> Iterator[Note]:
    if result.kept:
        yield Note(f"{PREFIX}{axis} {i}", f"label {', '.join(map(str, result.kept))}")


def _check(changed: bool, kept: bool) -> None:
    if kept and not changed:
        raise RefusedError(
            f"the refined mask would overlap its input with a Dice below {LEAST_DICE}: nothing was changed; "
            "choose a gentler strength, or paint closer to the object"
        )


def prepare(task: Task) -> Case:
    """Return the task checked and made ready, its mask drawn by the coarse network where none was given."""
    params = task.params
    manner = Manner(
        params.steps,
        params.samples,
        params.preset,
        params.strength,
        Postprocessing(fill_holes=params.fill_holes, remove_specks=params.remove_specks, smooth=params.smooth),
    )
    image = _normalized(task.inputs["image"], params)
    labels = _labels(task, image)
    return Case(_refiner(task), image, labels, _locked(task, labels), AXES[params.axis], manner, task.seed)


def _refiner(task: Task) -> Refiner:
    if not isinstance(task.model, Refiner):
        name = getattr(getattr(task.model, "card", None), "id", "none")
        raise ModelError(f"model {name} draws coarse masks: choose a refiner, and name this one as the coarse network")
    return task.model


def _normalized(image: Volume, params: Any) -> npt.NDArray[np.float32]:
    if len(image.array) not in (1, 3):
        raise ShapeError(f"image has {len(image.array)} channels: it must have one (grey) or three (RGB)")
    steps = Preprocessing(params.window_center, params.window_width, params.clahe, params.denoise)
    return steps.apply(image.array)


def _labels(task: Task, image: npt.NDArray[np.float32]) -> Labels:
    """Return the labels (z, y, x) to be refined: those that came, or those of the coarse network."""
    if "mask" not in task.inputs:
        return _drawn(task, image)
    labels = _on_grid(task.inputs["mask"], task.inputs["image"], "mask")
    whole = whole_numbers(labels)
    if whole.min() < 0:
        raise InputError(f"mask holds the value {whole.min()}: labels are 0 or more")
    if not whole.any():
        raise InputError("mask is empty: paint roughly where the object is, or name a coarse network to draw it")
    return labels


def _drawn(task: Task, image: npt.NDArray[np.float32]) -> Labels:
    name = task.params.coarse
    if not name:
        raise ParameterError("coarse is empty and no mask was given: give a mask, or name the network that draws one")
    model = load_model(registry.find(name), task.model.device)
    if isinstance(model, Refiner):
        raise ParameterError(f"coarse is {name!r}, a refiner: name a model whose role is coarse")
    axis = AXES[task.params.axis]
    planes = [model.draw(np.take(image, i, axis=axis + 1))[0] for i in range(image.shape[axis + 1])]
    drawn = np.stack(planes, axis=axis)
    if not drawn.any():
        raise RefusedError(f"{name} found nothing in this image: paint roughly where the object is")
    return drawn


def _locked(task: Task, labels: Labels) -> npt.NDArray[np.bool_]:
    if "locked" not in task.inputs:
        return np.zeros(labels.shape, bool)
    return np.asarray(_on_grid(task.inputs["locked"], task.inputs["image"], "locked") != 0)


def _on_grid(labels: Volume, image: Volume, name: str) -> Labels:
    if labels.array.shape[0] != 1:
        raise ShapeError(f"{name} has {labels.array.shape[0]} channels: it must have one, holding label values")
    if labels.size != image.size:
        raise ShapeError(f"{name} is {labels.size}, image {image.size} (z, y, x): they must match; resample the {name} first")
    return labels.array[0]


def _slices(z: int, labels: Labels, uncertainty: npt.NDArray[np.uint8]) -> Iterator[Slice]:
    yield Slice("mask", z, labels[None])
    yield Slice("uncertainty", z, uncertainty[None])

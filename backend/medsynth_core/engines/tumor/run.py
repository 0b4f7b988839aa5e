"""From a task to events: the request checked and completed, then slabs grown, decoded and given, nearest to the anchor first.

A resumed job walks the same plan. Latents that are kept are taken as they are, a slab with one missing is grown again from the
same context and noise, and a batch of slices with one missing is decoded again as a whole: so the bytes are those of a job that
was never disturbed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from medsynth_core.engines._base import EngineEvent, Note, Progress, Slice, Task
from medsynth_core.engines.tumor.background import Plane
from medsynth_core.engines.tumor.case import Case, in_world, prepare
from medsynth_core.engines.tumor.cleanup import cleaned
from medsynth_core.engines.tumor.frame import Frame
from medsynth_core.engines.tumor.growth import Step, beyond, plan, whole_stack_plan
from medsynth_core.engines.tumor.judge import Witness
from medsynth_core.engines.tumor.shape import measure
from medsynth_core.protocol import OutputInfo

IMAGE, MASK, LATENTS, CLEAN = "image", "mask", "latents", "clean_latents"
Finished = Mapping[str, Mapping[int, np.ndarray]]


def grow(task: Task) -> Iterator[EngineEvent]:
    """Yield outputs, notes, progress and slices. Raises ParameterError, InputError before anything is announced."""
    case = prepare(task)
    yield from _outputs(case)
    yield Note("device", case.model.device)
    yield from _notes("asked", in_world(case.shape, case.frame))
    yield from (Note(key, text) for key, text in case.flags.items())
    witness = Witness(case.frame, case.ground) if task.judge is not None else None
    growing = Growing(case, task.finished, witness)
    yield from growing.first_pass()
    if case.params.cleanup:
        yield from growing.second_pass()
    yield from growing.outlet.rest()
    yield from _got(growing.outlet.mask, case.frame)
    if witness is not None:
        yield task.judge.badge(witness.look())


def _outputs(case: Case) -> Iterator[OutputInfo]:
    frame, (channels, y, x) = case.frame, case.model.latent_shape
    place = _rows(frame.affine)
    yield OutputInfo(IMAGE, "image", (1, *frame.size), case.ground.dtype, place)
    yield OutputInfo(MASK, "labels", (1, *frame.size), "uint8", place)
    cell_mm = case.model.field_mm / y
    there = _rows(frame.affine_of((case.slices, y, x), (frame.spacing_mm[0], cell_mm, cell_mm)))
    for name in (LATENTS, CLEAN) if case.params.cleanup else (LATENTS,):
        yield OutputInfo(name, "state", (channels, case.slices, y, x), "float32", there)


def _got(mask: Plane, frame: Frame) -> Iterator[Note]:
    """Tell what the finished mask is like; of a mask without tumor only that its volume is 0."""
    if mask.any():
        yield from _notes("got", in_world(measure(mask, frame.spacing_mm), frame))
    else:
        yield Note("got_volume_ml", 0.0)
        yield Note("flag_empty", "no tumor was made: ask for a larger one, or try another seed")


def _notes(prefix: str, numbers: Mapping[str, float]) -> Iterator[Note]:
    return (Note(f"{prefix}_{name}", value) for name, value in numbers.items())


class Growing:
    """A volume on its way: the latents made so far, and where its slices go."""

    def __init__(self, case: Case, finished: Finished, witness: Witness | None = None) -> None:
        self._case = case
        self._latents, self._clean = (_tensors(finished.get(name, {})) for name in (LATENTS, CLEAN))
        self._kept = {name: frozenset(finished.get(name, {})) for name in (LATENTS, CLEAN)}
        self.outlet = Outlet(case.frame, case.ground.dtype, finished, witness)
        self._done, self._total = len(self.outlet), case.slices * (1 + case.params.cleanup)

    def first_pass(self) -> Iterator[EngineEvent]:
        """Grow slab by slab; what is not grown at all is given after the first of them."""
        case = self._case
        yield Progress(self._done, self._total, "the first slices grow")
        make_plan = whole_stack_plan if case.model.whole_stack else plan
        for number, step in enumerate(make_plan(case.slices, case.anchor, case.ground.grown)):
            yield from self._grow(step)
            for batch in step.given:
                if not all(z in self.outlet for z in batch):
                    yield from self._give(batch, case.decoded(batch, self._latents))
            if number == 0:
                yield from self._rest()

    def second_pass(self) -> Iterator[EngineEvent]:
        """Replace slices by cleaned ones."""
        case = self._case
        for z in beyond(case.slices, case.ground.grown):
            yield from self._keep(CLEAN, z, self._clean, case.ground.known(z))
            yield self._step()
        for step in cleaned(case, self._latents, self._clean):
            yield from (Slice(CLEAN, z, self._clean[z].numpy()) for z in step.new if z not in self._kept[CLEAN])
            for batch in step.given:
                yield from self._give(batch, case.decoded(batch, self._clean), replaces=True)

    def _grow(self, step: Step) -> Iterator[Slice]:
        if all(z in self._latents for z in step.new):
            return
        before = {z: latent for z, latent in self._latents.items() if z not in step.new}
        params = self._case.params
        grown = self._case.model.grow(self._case.slab(step, before), params.steps, params.guidance)
        for i, z in enumerate(step.order):
            if z in step.new:
                yield from self._keep(LATENTS, z, self._latents, grown[i])

    def _rest(self) -> Iterator[EngineEvent]:
        case = self._case
        for z in beyond(case.slices, case.ground.grown):
            yield from self._keep(LATENTS, z, self._latents, case.ground.known(z))
            image = case.ground.untouched(z)
            yield from self._give((z,), [(image, np.zeros(image.shape, np.uint8))])

    def _keep(self, name: str, z: int, kept: dict[int, Tensor], latent: Tensor) -> Iterator[Slice]:
        kept[z] = latent
        if z not in self._kept[name]:
            yield Slice(name, z, latent.numpy())

    def _give(
        self, batch: Sequence[int], decoded: Sequence[tuple[Plane, Plane]], replaces: bool = False
    ) -> Iterator[EngineEvent]:
        """Give a batch, the nearest to the anchor first."""
        for z, (image, mask) in sorted(zip(batch, decoded, strict=True), key=lambda pair: abs(pair[0] - self._case.anchor)):
            counts = replaces or z not in self.outlet
            yield from self.outlet.put(z, image, mask, replaces)
            if counts:
                yield self._step()

    def _step(self) -> Progress:
        self._done += 1
        second, done = divmod(self._done - 1, self._case.slices)
        return Progress(self._done, self._total, f"slice {done + 1} of {self._case.slices}" + ", clean-up" * second)


class Outlet:
    """Where slices of the frame go: at once where the grid streams, else when all are there. `mask` (z, y, x) is the frame's.

    A witness sees every slice, those kept from before a resume, too.
    """

    def __init__(self, frame: Frame, dtype: str, finished: Finished, witness: Witness | None = None) -> None:
        self._frame, self._witness = frame, witness
        self.mask = np.zeros(frame.shape, np.uint8)
        self._image = None if frame.streams else np.zeros(frame.shape, dtype)
        self._given: set[int] = set()
        if frame.streams:
            images, masks = finished.get(IMAGE, {}), finished.get(MASK, {})
            self._given = {frame.slice_at(at) for at in images if at in masks}
            for z in self._given:
                self.mask[z] = frame.canonical_plane(masks[frame.slice_at(z)][0])
                if witness is not None:
                    witness.see(z, frame.canonical_plane(images[frame.slice_at(z)][0]), self.mask[z])

    def __contains__(self, z: int) -> bool:
        return z in self._given

    def __len__(self) -> int:
        return len(self._given)

    def put(self, z: int, image: Plane, mask: Plane, replaces: bool = False) -> Iterator[Slice]:
        """Take slice z of the frame; (y, x) each."""
        again = z in self._given and not replaces
        self._given.add(z)
        self.mask[z] = mask
        if self._witness is not None and not again:
            self._witness.see(z, image, mask)
        if self._image is not None:
            self._image[z] = image
        elif not again:
            at = self._frame.slice_at(z)
            for name, plane in ((IMAGE, image), (MASK, mask)):
                yield Slice(name, at, np.ascontiguousarray(self._frame.native_plane(plane))[None], replaces)

    def rest(self) -> Iterator[Slice]:
        """Give what could not be given at once."""
        if self._image is None:
            return
        image, mask = self._frame.native(self._image), self._frame.native(self.mask)
        for at in range(len(image)):
            yield Slice(IMAGE, at, np.ascontiguousarray(image[at])[None])
            yield Slice(MASK, at, np.ascontiguousarray(mask[at])[None])


def _tensors(slices: Mapping[int, np.ndarray]) -> dict[int, Tensor]:
    return {z: torch.from_numpy(latent) for z, latent in slices.items()}


def _rows(affine: np.ndarray) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(float(v) for v in row) for row in affine)

"""A task made ready: checked, its open numbers drawn, its grid laid out; and the two things done with it again and again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from medsynth_core.engines._base import Task
from medsynth_core.engines.tumor.background import Background, Blank, Ground, Kept, Plane
from medsynth_core.engines.tumor.engine import GIVEN, Params
from medsynth_core.engines.tumor.frame import Frame, new_frame
from medsynth_core.engines.tumor.growth import Step
from medsynth_core.engines.tumor.model import Slab, TumorModel
from medsynth_core.engines.tumor.noise import slice_noise
from medsynth_core.engines.tumor.prior import Prior
from medsynth_core.engines.tumor.request import asked_from, check
from medsynth_core.engines.tumor.shape import Asked, Triple, TumorShape
from medsynth_core.engines.tumor.style import Head, Style
from medsynth_core.errors import ParameterError

Latents = Mapping[int, Tensor]
GRID = ("slices", "height", "width", "slice_mm", "row_mm", "column_mm")
DRAWS = 50
SHOWN = 0.8
"""Of the height of a drawn tumor, or of a stack that is lower, this share must lie within the stack."""


@dataclass(frozen=True, eq=False)
class Case:
    """All that the slices follow from. `anchor` is a slice of the frame; `flags` are remarks for the recipe, by key."""

    model: TumorModel
    frame: Frame
    ground: Ground
    shape: TumorShape
    style: Style
    seed: int
    anchor: int
    params: Params
    flags: Mapping[str, str]

    @property
    def slices(self) -> int:
        """How many slices the volume has."""
        return self.frame.shape[0]

    def slab(self, step: Step, made: Latents, noise_from: int = 0) -> Slab:
        """Return a step's slab: made slices are known but where they are new again; noise of slice z from (seed, z)."""
        shape, z_mm = self.model.latent_shape, self.frame.z_mm
        nothing = torch.zeros(1, *shape[1:])
        return Slab(
            z_mm=torch.from_numpy(z_mm[list(step.order)]),
            known=torch.stack([self.latent(z, made) for z in step.order]),
            free=torch.stack([self.ground.free(z) if z in step.new else nothing for z in step.order]),
            noise=torch.stack([slice_noise(self.seed, noise_from + z, shape) for z in step.order]),
            shape=self.shape,
            style=self.style,
        )

    def latent(self, z: int, made: Latents) -> Tensor:
        """Return the latent of a slice: as made, else as it was; beyond the ends that of the last slice."""
        z = max(0, min(z, self.slices - 1))
        return made[z] if z in made else self.ground.known(z)

    def decoded(self, batch: Sequence[int], made: Latents) -> list[tuple[Plane, Plane]]:
        """Return (image, mask) on the frame's grid, (y, x) each, of neighboring slices from the bottom up."""
        around = torch.stack([self.latent(z, made) for z in range(batch[0] - 1, batch[-1] + 2)])
        images, distances = self.model.decode(around)
        return [self.ground.joined(z, images[i], distances[i]) for i, z in enumerate(batch)]


def prepare(task: Task) -> Case:
    """Return the case of a task. Raises ParameterError, InputError before anything is made."""
    model, params = task.model, task.params
    rng = np.random.default_rng((abs(task.seed), int(task.seed < 0)))
    background = _background(task)
    frame = background.frame if background else _new_frame(params, model.prior)
    style, flags = _seen(background, model.prior) if background else (model.prior.draw_style(rng), {})
    asked = asked_from(params, frame.to_frame)
    concerns = check(asked, model.prior, style.head, _room(frame, model), frame.to_world)
    shape = _completed(asked, model, frame, style.head, rng)
    ground = Kept(background, model, shape, style.head) if background else Blank(frame, model.latent_shape)
    anchor, remarks = _anchor(params.anchor, frame, shape)
    flags |= remarks | {concern.key: concern.text for concern in concerns}
    return Case(model, frame, ground, shape, style, task.seed, anchor, params, flags)


def _background(task: Task) -> Background | None:
    if task.model.whole_stack and (task.params.cleanup or "background" in task.inputs):
        raise ParameterError(f"model {task.model.card.id} makes whole stacks only: it can neither clean up nor keep a background")
    if "background" not in task.inputs:
        return None
    for name in GRID:
        if value := getattr(task.params, name):
            raise ParameterError(f"{name} is {value:g}: with a background the grid is the background's; leave it at 0")
    return Background.read(task.inputs["background"])


def _seen(background: Background, prior: Prior) -> tuple[Style, dict[str, str]]:
    """Return how a background looks; a head that goes on above and below is taken to be of the usual height, with a remark."""
    style = background.style
    if not background.is_cut:
        return style, {}
    (x, y, _), (across, deep, high) = style.head.center_mm, style.head.half_mm
    usual = Style.from_vector(prior.styles.mean).head.half_mm[2]
    taken = replace(style, head=Head((x, y, 0.0), (across, deep, max(high, usual))))
    return taken, {"flag_head": "the background shows a part of a head: it is taken for the middle of one of the usual height"}


def _new_frame(params: Params, prior: Prior) -> Frame:
    grid = {name: getattr(params, name) for name in GRID}
    return new_frame(**grid, stack_mm=prior.stack_mm, thickest_mm=prior.slice_mm.high)


def _completed(asked: Asked, model: TumorModel, frame: Frame, head: Head, rng: np.random.Generator) -> TumorShape:
    """Return the tumor with its open numbers drawn, within the plane of the volume and, where the place is drawn, its height."""
    x, y, _ = _room(frame, model)
    half: Triple = (x, y, float("inf"))
    for _ in range(DRAWS):
        shape = model.prior.complete(asked, head, rng, half)
        if asked.center_mm is not None or _is_shown(shape, frame.half_mm[2]):
            return shape
    raise ParameterError(
        f"no place was found for a tumor {shape.extent_mm[2]:.0f} mm high in a stack of {2 * frame.half_mm[2]:.0f} mm: "
        f"ask for more slices, or set place to {GIVEN!r} and say where"
    )


def _is_shown(shape: TumorShape, half_mm: float) -> bool:
    z, height = shape.center_mm[2], shape.extent_mm[2]
    shown = min(z + height / 2, half_mm) - max(z - height / 2, -half_mm)
    return shown >= SHOWN * min(height, 2 * half_mm)


def _room(frame: Frame, model: TumorModel) -> Triple:
    """Return half of the volume's size (x, y, z) in mm, as far as the model's field reaches."""
    x, y, z = frame.half_mm
    return min(x, model.field_mm / 2), min(y, model.field_mm / 2), z


def _anchor(asked: int, frame: Frame, shape: TumorShape) -> tuple[int, dict[str, str]]:
    """Return the frame's slice to grow from, and a remark where the slice asked for is none of the frame's."""
    count = frame.size[0]
    if asked >= count:
        raise ParameterError(f"anchor is {asked}: the volume has slices 0 to {count - 1}; choose one of them, or -1")
    if asked >= 0 and frame.streams:
        return frame.slice_at(asked), {}
    middle = int(np.argmin(np.abs(frame.z_mm - shape.center_mm[2])))
    remark = f"anchor {asked} left aside: the background's slices are not axial, so they come when all is grown"
    return middle, {"flag_anchor": remark} if asked >= 0 else {}


def in_world(shape: TumorShape, frame: Frame) -> dict[str, float]:
    """Return the numbers of a shape by name, as a user knows them: the center in world (RAS) mm."""
    center = frame.to_world(shape.center_mm)
    numbers = {"volume_ml": shape.volume_ml, "surface_cm2": shape.surface_cm2, "sphericity": shape.sphericity}
    numbers |= {f"center_{axis}_mm": value for axis, value in zip("xyz", center, strict=True)}
    numbers |= {f"extent_{axis}_mm": value for axis, value in zip("xyz", shape.extent_mm, strict=True)}
    return {name: round(value, 3) for name, value in numbers.items()}

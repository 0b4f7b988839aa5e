"""Tumor volumes: asked beside got, the mask beside the image, and how the slices hang together beside real ones.

For each real held-out volume one is grown of a random request, with its number of slices and their distance, so that nothing
differs but who made it.
"""

from __future__ import annotations

import math
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from medsynth_core.engines.tumor.frame import frame_of
from medsynth_core.engines.tumor.growth import plan
from medsynth_core.engines.tumor.prepare import SIGHT, read_stacks
from medsynth_core.engines.tumor.starters import STACK_HEIGHT_MM
from medsynth_core.evaluation import flicker
from medsynth_core.evaluation.asked_got import agreement, summarize
from medsynth_core.evaluation.figure import Figure
from medsynth_core.evaluation.flicker import Stack
from medsynth_core.protocol import Scalar
from medsynth_core.studies.engines import Running
from medsynth_core.studies.questioned import Question
from medsynth_core.training.sides import SIDES, parted
from medsynth_core.training.volumes import survey_folder

FIRST_SEED = 95_000
LEVELS = 255


@dataclass(frozen=True)
class Body:
    """A tumor as an engine's notes say it, in world mm: what was asked, or what came."""

    volume_ml: float
    sphericity: float
    center_mm: tuple[float, float, float]
    extent_mm: tuple[float, float, float]

    @classmethod
    def of(cls, notes: Mapping[str, Scalar], prefix: str) -> Body | None:
        """Return the tumor of the notes that begin with `prefix`; None where none came."""

        def read(name: str) -> float:
            return float(notes[f"{prefix}_{name}"])

        if read("volume_ml") == 0:
            return None
        x, y, z = ((read(f"center_{axis}_mm"), read(f"extent_{axis}_mm")) for axis in "xyz")
        return cls(read("volume_ml"), read("sphericity"), (x[0], y[0], z[0]), (x[1], y[1], z[1]))


@dataclass(frozen=True, eq=False)
class Grown:
    """A volume along its frame's axes, what the engine noted, and between which slices two slabs meet."""

    stack: Stack
    notes: dict[str, Scalar]
    borders: frozenset[int]


def real_stacks(question: Question, side: str, but: Container[str] = ()) -> list[Stack]:
    """Return the volumes of a side in grey levels, 255 for the 1.0 of the model; `but` for the cases of these names."""
    options, order = question.reading.volumes, question.reading
    if order.starter and options.stack_height_mm is None:
        options = options.__class__(**{**options.__dict__, "stack_height_mm": STACK_HEIGHT_MM})
    sides = parted(survey_folder(question.data, options, order.columns, SIGHT).cases, lambda case: case.patient)
    cases = dict(zip(SIDES, (sides.training, sides.tuning, sides.held_out), strict=True))[side]
    read = read_stacks(tuple(case for case in cases if case.name not in but), options)
    return [Stack((np.clip(s.image, 0, 1) * LEVELS).round().astype(np.uint8), s.mask > 0.5, s.spacing_mm) for s in read]


def grow_like(model: Path, real: Sequence[Stack]) -> list[Grown]:
    """Return one volume of a random request for each real one, with its number of slices and their distance."""
    running = Running(model)
    found = []
    for i, stack in enumerate(real):
        slices = len(stack.image)
        values: dict[str, Scalar] = {"slices": slices, "slice_mm": stack.spacing_mm[0], "anchor": slices // 2}
        outputs, notes = running.told({}, values, FIRST_SEED + i)
        frame = frame_of(outputs["image"])
        image, mask = (np.ascontiguousarray(frame.canonical(outputs[name].array[0])) for name in ("image", "mask"))
        made = Stack(image.astype(np.uint8), mask != 0, frame.spacing_mm)
        found.append(Grown(made, notes, borders(slices, slices // 2)))
    return found


def borders(slices: int, anchor: int) -> frozenset[int]:
    """Return the gaps between slabs: gap g lies between slices g and g + 1."""
    slab_of = {z: i for i, step in enumerate(plan(slices, anchor)) for z in step.new}
    return frozenset(z for z in range(slices - 1) if slab_of[z] != slab_of[z + 1])


def asked_figures(grown: Sequence[Grown]) -> list[Figure]:
    """Return how well requests were met."""
    met = []
    for one in grown:
        asked = Body.of(one.notes, "asked")
        assert asked is not None  # a request of no tumor is refused
        met.append(agreement(asked, Body.of(one.notes, "got")))
    s = summarize(met)
    told = f"median of {s.requests} random requests, {s.missing} without a tumor, measured on the mask"
    return [
        Figure("volume_error", "Asked and got: |V − V*| / V*", s.volume_error, told),
        Figure("center_error_mm", "Asked and got: distance of the centers", s.center_error_mm, told, "mm"),
        Figure("extent_iou", "Asked and got: IoU of the boxes", s.extent_iou, told),
        Figure("sphericity_error", "Asked and got: |S − S*|", s.sphericity_error, told),
        Figure(
            "volume_rank", "Asked and got: rank correlation of volumes", s.volume_rank, f"Spearman over {s.requests} requests"
        ),
    ]


def flicker_figures(grown: Sequence[Grown], real: Sequence[Stack]) -> list[Figure]:
    """Return the battery of flicker, two-sided: each figure beside what real volumes have."""
    made = [one.stack for one in grown]
    with_tumor = f"mean of {len(made)} volumes"
    w1 = flicker.wasserstein(flicker.pooled(made), flicker.pooled(real))
    floor = flicker.split_half(real) if len(real) > 1 else None
    where = [one.borders for one in grown]
    rough = "log power of second differences along z over that in the plane, inside the head"
    seams = "gaps at slab borders beside those next to them, in standard deviations of the others"
    return [
        Figure(
            "flicker_w1",
            "Steps between slices, W1 from real",
            w1,
            f"W1 of the histograms of |I[z+1] − I[z]| inside the head, {len(made)} made to {len(real)} real volumes",
            "levels of 255",
            None,
            floor,
            "real half to real half",
        ),
        _beside(
            "roughness",
            "Roughness along z",
            rough,
            flicker.mean_of(flicker.roughness, made),
            flicker.mean_of(flicker.roughness, real),
        ),
        _beside("seam_z", "Seams at slab borders", seams, flicker.seam_z(made, where), flicker.seam_z(real, where)),
        _beside("parts", "Pieces of the mask in 3-D", with_tumor, _parts(made), _parts(real)),
    ]


def _beside(key: str, title: str, recipe: str, value: float, real: float) -> Figure:
    return Figure(key, title, value, recipe, "", None, real if math.isfinite(real) else None, "real volumes")


def _parts(stacks: Sequence[Stack]) -> float:
    return flicker.mean_of(lambda stack: flicker.parts(stack.mask), stacks)

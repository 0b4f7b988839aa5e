"""The rival of row 3: the same model, request and style, but every slice is grown as if no other one existed.

Each slice is the anchor of a volume of its own: a first slab of 4 slices with noise of its own, of which only that slice is
kept, decoded with its neighbors of that slab. A slab of the slice alone would flicker more, but the network was never taught one:
the rival would lose for being asked what it does not know.
"""

from __future__ import annotations

import time

import numpy as np
import torch

from benchmarks.tumor_volumes import Grown, Order
from medsynth_core.engines._base import Task
from medsynth_core.engines.tumor.case import Case, in_world, prepare
from medsynth_core.engines.tumor.engine import ENGINE
from medsynth_core.engines.tumor.growth import ANCHOR
from medsynth_core.engines.tumor.model import Slab, TumorModel
from medsynth_core.engines.tumor.noise import slice_noise
from medsynth_core.engines.tumor.shape import TumorShape
from medsynth_core.engines.tumor.style import Head
from medsynth_core.evaluation.flicker import Stack

APART = 1_000_003
"""Slices of one volume get noise of seeds this far apart, times the slice."""


def case_of(model: TumorModel, order: Order) -> Case:
    """Return what the engine makes of an order before it grows anything."""
    params, options = ENGINE.read_params(dict(order.params), model.card)
    return prepare(Task({}, params, order.seed, model, options))


def requested(model: TumorModel, order: Order) -> TumorShape:
    """Return the tumor of an order, its open numbers drawn as the engine draws them."""
    return case_of(model, order).shape


def drawn_head(model: TumorModel, seed: int) -> Head:
    """Return the head that the engine draws for a seed."""
    return case_of(model, Order.of(seed)).style.head


def grow_apart(model: TumorModel, order: Order) -> Grown:
    """Return the volume of one order, every slice by itself."""
    began = time.perf_counter()
    case = case_of(model, order)
    planes = [_alone(model, case, z) for z in range(case.slices)]
    image, mask = (np.stack([plane[i] for plane in planes]) for i in (0, 1))
    stack = Stack(image.astype(np.uint8), mask > 0, case.frame.spacing_mm)
    notes = {f"asked_{name}": value for name, value in in_world(case.shape, case.frame).items()}
    return Grown(order, stack, dict(notes), 0.0, time.perf_counter() - began)


def _alone(model: TumorModel, case: Case, z: int) -> tuple[np.ndarray, np.ndarray]:
    """Return image and mask (y, x) of slice z of the frame, grown within a slab of its own."""
    start = max(0, min(z - 1, case.slices - ANCHOR))
    slab = range(start, min(start + ANCHOR, case.slices))
    shape = model.latent_shape
    latents = model.grow(
        Slab(
            z_mm=torch.from_numpy(case.frame.z_mm[slab.start : slab.stop]),
            known=torch.zeros(len(slab), *shape),
            free=torch.ones(len(slab), 1, *shape[1:]),
            noise=torch.stack([slice_noise(case.seed + APART * (z + 1), k, shape) for k in slab]),
            shape=case.shape,
            style=case.style,
        ),
        case.params.steps,
        case.params.guidance,
    )
    near = [latents[max(slab.start, min(k, slab.stop - 1)) - slab.start] for k in (z - 1, z, z + 1)]
    image, distance = model.decode(torch.stack(near))
    return case.ground.joined(z, image[0], distance[0])

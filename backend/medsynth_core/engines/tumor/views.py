"""Each training patient seen in several ways: mirrored, a little turned, moved, stretched, brighter or darker.

Drawn once, before training: the latents of all views are kept in memory, so the slab network never waits for the encoder.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from medsynth_core.engines.tumor.shape import TumorShape, measure
from medsynth_core.engines.tumor.stacks import Stack
from medsynth_core.engines.tumor.style import Style, style_of

TURN = 0.12
"""Radians."""
ZOOM, SHIFT, TALLER, GAMMA = 0.12, 0.04, 0.12, 0.15


@dataclass(frozen=True)
class View:
    """One look at one patient: latents (z, 8, h, w) float16, the tumor's share (z, 1, h, w) float16, and what it is told."""

    latents: Tensor
    region: Tensor
    slice_mm: float
    shape: TumorShape
    style: Style


def seen_as(stack: Stack, view: int, seed: int) -> Stack:
    """Return the stack as view number `view` shows it; view 0 is the stack itself, odd ones are mirrored left-right."""
    if view == 0:
        return stack
    rng = np.random.default_rng((seed, view))
    turn, (zoom_y, zoom_x) = rng.uniform(-TURN, TURN), 1 + rng.uniform(-ZOOM, ZOOM) + rng.uniform(-0.03, 0.03, 2)
    move_y, move_x = rng.uniform(-SHIFT, SHIFT, 2) * 2
    mirror = -1.0 if view % 2 else 1.0
    cos, sin = float(np.cos(turn)), float(np.sin(turn))
    theta = torch.tensor([[zoom_x * mirror * cos, -zoom_x * sin, move_x], [zoom_y * mirror * sin, zoom_y * cos, move_y]])
    image = _moved(torch.from_numpy(stack.image), theta.float()).clamp(0, 1).numpy()
    mask = _moved(torch.from_numpy(stack.mask), theta.float()).numpy()
    bright = image ** np.float32(1 + rng.uniform(-GAMMA, GAMMA))
    return dataclasses.replace(stack, image=bright, mask=mask, slice_mm=stack.slice_mm * float(1 + rng.uniform(-TALLER, TALLER)))


def described(stack: Stack, latents: Tensor) -> View:
    """Return a view from a stack and its latents (z, 8, h, w). Raises ShapeError when the tumor was moved out of the field."""
    cell = stack.image.shape[-1] // latents.shape[-1]
    region = functional.avg_pool2d(torch.from_numpy(stack.mask)[:, None], cell)
    shape = measure(stack.mask > 0.5, stack.spacing_mm)
    return View(latents.half(), region.half(), stack.slice_mm, shape, style_of(stack.image, stack.spacing_mm))


def _moved(planes: Tensor, theta: Tensor) -> Tensor:
    shape = [len(planes), 1, *planes.shape[1:]]
    grid = functional.affine_grid(theta.expand(len(planes), 2, 3), shape, align_corners=False)
    return functional.grid_sample(planes[:, None], grid, align_corners=False)[:, 0]

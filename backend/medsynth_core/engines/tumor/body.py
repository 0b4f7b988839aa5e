"""The request as a picture: two ellipsoids on the latent grid, which turn the regression of nine numbers into drawing.

    inner   half axes in the proportion of the extents, volume the one asked for
    outer   half axes extent / 2: touches the box of the tumor

Both are given as an approximate signed distance in mm, over `REACH_MM`, clipped to [−1, 1], positive inside: the scale of the
mask channel itself. Beside them stands where each position lies in the head, in half axes of the head.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from medsynth_core.engines.tumor.shape import Triple, TumorShape
from medsynth_core.engines.tumor.style import Head

REACH_MM = 15.0
MARGIN = 0.35
"""Tumors may reach beyond the enclosing ellipsoid by this much of `REACH_MM`: 5 mm."""
CHANNELS = 5
"""Channels of `hints`: inner, outer, and x, y, z in the head."""


def grid_mm(side: int, field_mm: float) -> Tensor:
    """Return the positions (side,) in frame mm of a square grid's samples along one axis."""
    step = field_mm / side
    return (torch.arange(side, dtype=torch.float32) - (side - 1) / 2) * step


def hints(shape: TumorShape, head: Head, z_mm: Tensor, side: int, field_mm: float) -> Tensor:
    """Return (n, 5, side, side) for slices at z_mm (n,) in frame mm."""
    points = _points(z_mm, grid_mm(side, field_mm))  # (3, n, side, side)
    bodies = [ellipsoid(points, shape.center_mm, half) for half in (inner_half_mm(shape), outer_half_mm(shape))]
    place = [(points[i] - head.center_mm[i]) / head.half_mm[i] for i in range(3)]
    return torch.stack([*bodies, *place], dim=1)


def kept_free(hints: Tensor) -> Tensor:
    """Return 1 where a lesion may grow into a kept background, and 0 elsewhere, (…, 1, y, x), from hints (…, 5, y, x)."""
    return (hints[..., 1:2, :, :] > -MARGIN).float()


def ellipsoid(points: Tensor, center: Triple, half: Triple) -> Tensor:
    """Return the clipped signed distance of `points` (3, …) in mm from an ellipsoid: exact for a ball."""
    away = torch.stack([(points[i] - center[i]) / half[i] for i in range(3)]).square().sum(dim=0).sqrt()
    radius = math.prod(half) ** (1 / 3)
    return ((1 - away) * radius / REACH_MM).clamp(-1, 1)


def inner_half_mm(shape: TumorShape) -> Triple:
    """Return the half axes (x, y, z) of the ellipsoid with the volume asked for."""
    x, y, z = outer_half_mm(shape)
    scale = (shape.volume_ml * 1000 / (4 / 3 * math.pi * x * y * z)) ** (1 / 3)
    return x * scale, y * scale, z * scale


def outer_half_mm(shape: TumorShape) -> Triple:
    """Return half of the extents (x, y, z)."""
    x, y, z = (max(extent / 2, 0.5) for extent in shape.extent_mm)
    return x, y, z


def _points(z_mm: Tensor, axis: Tensor) -> Tensor:
    n, side = len(z_mm), len(axis)
    x = axis.view(1, 1, side).expand(n, side, side)
    y = axis.view(1, side, 1).expand(n, side, side)
    return torch.stack([x, y, z_mm.to(axis).view(n, 1, 1).expand(n, side, side)])

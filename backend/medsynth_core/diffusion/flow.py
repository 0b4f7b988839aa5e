"""The rectified-flow path and its loss, one line an equation.

    x    clean data            x_t = (1 − t)·x + t·ε      (1)  path, t from 0 (data) to 1 (noise)
    ε    standard normal       v   = ε − x                (2)  velocity along the path
    X    predicted x           v̂   = (x_t − X) / t        (3)  velocity of an x-prediction
                               L   = ‖v̂ − v‖²             (4)  = ‖X − x‖² / t²

Sources: Liu et al. 2022 (arXiv 2209.03003) for (1), (2); Li & He 2025 (arXiv 2511.13720) for predicting x with the loss in
velocity space (3), (4); Esser et al. 2024 (arXiv 2403.03206) for logit-normal times.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

T_FLOOR = 0.05
"""Times below this count as this in (3): 1/t² would otherwise let a nearly clean image rule the loss."""


def resolution_shift(images: Tensor) -> float:
    """Return how much noisier times must be than at 64² for images (…, y, x) to be as hard to make out: √(y·x) / 64, at least 1.

    Neighboring pixels repeat each other: at twice the side, the same noise hides half as much. Source: Esser et al. 2024,
    section 5.3.2.
    """
    return max(1.0, math.sqrt(images.shape[-2] * images.shape[-1]) / 64)


def draw_times(count: int, generator: torch.Generator, shift: float = 1.0) -> Tensor:
    """Return (count,) logit-normal times in (0, 1), median shift / (1 + shift)."""
    return torch.sigmoid(math.log(shift) + torch.randn(count, generator=generator))


def as_images(t: Tensor) -> Tensor:
    """Return times (B,) as (B, 1, 1, 1), to multiply images with."""
    return t.view(-1, 1, 1, 1)


def noised(x: Tensor, noise: Tensor, t: Tensor) -> Tensor:
    """Return x_t of (1). x, noise: (B, C, y, x); t: (B,)."""
    return torch.lerp(x, noise, as_images(t))


def velocity(x_t: Tensor, predicted: Tensor, t: Tensor) -> Tensor:
    """Return the velocity of (3) that an x-prediction implies."""
    return (x_t - predicted) / as_images(t.clamp_min(T_FLOOR))


def velocity_loss(predicted: Tensor, target: Tensor, t: Tensor, weight: Tensor | None = None) -> Tensor:
    """Return (4) per image, (B,). `weight` (B, 1, y, x) has mean 1 and says how much each pixel counts."""
    error = ((predicted - target) / as_images(t.clamp_min(T_FLOOR))).square()
    return (error if weight is None else error * weight).mean(dim=(1, 2, 3))


def area_weight(region: Tensor, power: float = 0.5, ceiling: float = 8.0) -> Tensor:
    """Return pixel weights (B, 1, y, x) of mean 1 under which a small lesion is heard beside a large background.

    `region` (B, 1, y, x) is 1 in the foreground. The ratio foreground : background weight is (background area / foreground
    area)^power, at most `ceiling`. Source: the idea of adaptive condition weighting, ADC, arXiv 2507.23652.
    """
    share = region.mean(dim=(1, 2, 3), keepdim=True).clamp(1e-4, 1 - 1e-4)
    ratio = ((1 - share) / share).pow(power).clamp(1.0, ceiling)
    weight = 1 + (ratio - 1) * region
    return weight / weight.mean(dim=(1, 2, 3), keepdim=True)

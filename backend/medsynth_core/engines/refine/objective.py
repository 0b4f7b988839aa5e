"""What the refiner minimizes: cross-entropy that counts the boundary more, and Dice.

    L = Σ w·BCE(p, y) / Σ w + 1 − Dice(p, y),   w = 1 + 4·n

n is 1 on the true boundary and falls to 0 within a few pixels of it. Each example of a batch starts from one of the processes:
the discrete one, most often from the coarse mask itself (t = 1, the one-step refiner), or the Gaussian one.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from medsynth_core.engines.refine.batches import Batch
from medsynth_core.engines.refine.processes import (
    DISCRETE,
    GAUSSIAN,
    SIGMAS,
    START,
    T,
    chance,
    discrete_state,
    gaussian_state,
)

FULL_SHARE = 0.6
"""Share of the discrete examples that start at t = 1."""
BOUNDARY_WEIGHT, BOUNDARY_PX = 4.0, 3.0


@dataclass(frozen=True)
class State:
    """Where the examples stand on their process: x_t (B, 1, y, x), t (B,) in [0, 1], process (B,) long."""

    x_t: Tensor
    t: Tensor
    process: Tensor


def draw_state(batch: Batch, gaussian_share: float, generator: torch.Generator, one_pass: bool = False) -> State:
    """Return the states of a batch. `one_pass` starts all at t = 1: the plain network that diffusion must beat."""
    n = len(batch.fine)
    if one_pass:
        return State(batch.coarse, torch.ones(n).to(batch.fine), torch.zeros(n, dtype=torch.long, device=batch.fine.device))
    gaussian = torch.rand(n, generator=generator) < gaussian_share
    t = torch.where(torch.rand(n, generator=generator) < FULL_SHARE, 1.0, torch.rand(n, generator=generator))
    steps = torch.randint(START + 1, (n,), generator=generator)
    device = batch.fine.device
    sigma = SIGMAS[int(torch.randint(len(SIGMAS), (1,), generator=generator))]
    discrete_x = discrete_state(batch.fine, batch.coarse, t.to(device), chance(batch.fine, sigma, generator))
    gaussian_x = gaussian_state(batch.fine, steps.to(device), generator)
    pick = gaussian.to(device)
    x_t = torch.where(pick.view(-1, 1, 1, 1), gaussian_x, discrete_x)
    return State(x_t, torch.where(gaussian, steps / T, t).to(device), torch.where(pick, GAUSSIAN, DISCRETE))


def refine_loss(encoder: nn.Module, masks: nn.Module, batch: Batch, state: State) -> dict[str, Tensor]:
    """Return the terms of L by name."""
    logits = masks(state.x_t, state.t, batch.distance, encoder(batch.image), state.process)
    return loss_terms(logits, batch.fine)


def loss_terms(logits: Tensor, fine: Tensor) -> dict[str, Tensor]:
    """Return cross-entropy and Dice of logits (B, 1, y, x) against masks of −1 and 1."""
    y = (fine + 1) / 2
    bce = functional.binary_cross_entropy_with_logits(logits, y, reduction="none")
    weight = 1 + BOUNDARY_WEIGHT * near_boundary(y)
    p = logits.sigmoid()
    overlap = (p * y).sum(dim=(1, 2, 3))
    dice = (2 * overlap + 1) / (p.sum(dim=(1, 2, 3)) + y.sum(dim=(1, 2, 3)) + 1)
    return {"cross_entropy": (weight * bce).sum() / weight.sum(), "dice": (1 - dice).mean()}


def near_boundary(y: Tensor) -> Tensor:
    """Return about exp(−(d/3)²) for the distance d to the boundary of masks (B, 1, y, x) of 0 and 1.

    From a blur of the mask, which is quick on a device: 4·b·(1 − b) is 1 on the boundary and falls off on both sides.
    """
    radius = 2 * round(BOUNDARY_PX)
    offsets = torch.arange(-radius, radius + 1, device=y.device, dtype=y.dtype)
    kernel = torch.exp(-((offsets / BOUNDARY_PX) ** 2))
    kernel = kernel / kernel.sum()
    padded = functional.pad(y, (radius,) * 4, mode="replicate")
    b = functional.conv2d(functional.conv2d(padded, kernel.view(1, 1, 1, -1)), kernel.view(1, 1, -1, 1))
    return 4 * b * (1 - b)

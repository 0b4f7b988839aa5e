"""The exponential moving average of the weights, which is what sampling uses."""

from __future__ import annotations

import torch
from torch import nn

GAMMA = 6.94
"""Power of the averaging profile: a relative width of 10 % of the training so far."""


def decay_at(step: int) -> float:
    """Return the decay of a power-function average: it forgets the beginning by itself, whatever the length of the run.

    Source: Karras et al. 2024 (EDM2, arXiv 2312.02696), equation 127: β(step) = (1 − 1/step)^(γ+1).
    """
    return (1 - 1 / max(step, 1)) ** (GAMMA + 1)


@torch.no_grad()
def update(average: nn.Module, network: nn.Module, step: int) -> None:
    """Move `average` towards `network` as step number `step` (from 1) does."""
    beta = decay_at(step)
    for a, p in zip(average.parameters(), network.parameters(), strict=True):
        a.lerp_(p, 1 - beta)

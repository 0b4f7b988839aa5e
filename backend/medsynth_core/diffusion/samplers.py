"""From noise to data in a given number of network evaluations.

Times are worked out beforehand and the update is written out here: a scheduler object that looks its step up on the device
costs a synchronization a step, which a live stroke cannot afford.

    x_r = x_t − (t − r)·v̂(x_t, t)        Euler step of the flow, from t down to r
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import TypeVar

import torch
from torch import Tensor

from medsynth_core.diffusion.flow import velocity

TimeT = TypeVar("TimeT", float, Tensor)
Predictor = Callable[[Tensor, Tensor, Tensor], Tensor]
"""(x_t, t, r) → predicted x. A network that is not a flow map ignores r."""


def time_grid(steps: int, shift: float = 1.0) -> list[float]:
    """Return steps + 1 times from 1 down to 0. A shift above 1 spends more steps on the noisy end (SD3, eq. 23)."""
    return [shifted(1 - i / steps, shift) for i in range(steps + 1)]


def shifted(t: TimeT, shift: float) -> TimeT:
    """Return an even time as it stands on a shifted grid."""
    return shift * t / (1 + (shift - 1) * t)


def sample(predict: Predictor, noise: Tensor, steps: int, shift: float = 1.0) -> Iterator[Tensor]:
    """Yield the predicted x after each of `steps` evaluations; the last one is the sample. noise: (B, C, y, x)."""
    x_t, times = noise, time_grid(steps, shift)
    for t, r in itertools.pairwise(times):
        at, to = x_t.new_full((len(x_t),), t), x_t.new_full((len(x_t),), r)
        predicted = predict(x_t, at, to)
        x_t = x_t - (t - r) * velocity(x_t, predicted, at)
        yield predicted


def noise_for(seed: int, index: int, shape: tuple[int, ...]) -> Tensor:
    """Return standard normal noise that depends on (seed, index) alone: the same on every device, also after a resume."""
    generator = torch.Generator("cpu").manual_seed((seed * 1_000_003 + index) % (2**63 - 1))
    return torch.randn(shape, generator=generator)

"""From noise to a field or an image of any size of at least one window, known positions kept.

around  x_s of what is known, s = KNOWN_TIME     x_t  = free ? x_t : around
X       the windows' predictions, blended         x_r = x_t − (t − r)·(x_t − X)/t      where free
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from medsynth_core.diffusion.flow import T_FLOOR
from medsynth_core.diffusion.samplers import time_grid
from medsynth_core.diffusion.tiles import Window, blended, windows_over
from medsynth_core.engines.nuclei.objective import KNOWN_TIME

WindowPredictor = Callable[[int, Window, Tensor, Tensor], Tensor]
"""(number of the window, window, its part of x_t, its part of the times) → predicted clean part."""


@dataclass(frozen=True)
class Manner:
    """How hard to try: network steps and the scale of guidance (1 is none and half the work)."""

    steps: int = 16
    guidance: float = 1.5


def denoise(predict: WindowPredictor, noise: Tensor, known: Tensor, free: Tensor, side: int, steps: int, shift: float) -> Tensor:
    """Return (1, C, y, x): `known` where `free` (1, 1, y, x) is 0, made where it is 1. Windows have `side`² pixels."""
    windows = windows_over((noise.shape[-2], noise.shape[-1]), (side, side))
    around, new = torch.lerp(known, noise, KNOWN_TIME), free > 0.5
    x_t, made = torch.where(new, noise, around), known
    for t, r in itertools.pairwise(time_grid(steps, shift)):
        times = torch.where(new, t, min(KNOWN_TIME, t))
        made = blended(windows, _of_canvas(predict, x_t, times), x_t)
        x_t = torch.where(new, x_t - (t - r) * (x_t - made) / max(t, T_FLOOR), around)
    return torch.where(new, made, known)


def _of_canvas(predict: WindowPredictor, x_t: Tensor, times: Tensor) -> Callable[[int, Window], Tensor]:
    return lambda i, window: predict(i, window, window.cut(x_t), window.cut(times))

"""From a many-step teacher to an any-step flow map: one, two or four evaluations instead of many.

    u(x_t, t, r)   average velocity from t down to r:  x_r = x_t − (t − r)·u        (1)
    r = t          u equals the teacher's guided velocity v̂_g(x_t, t)               (2)
    r < t          one step equals two half steps, s = (t + r)/2:                   (3)
                   u(x_t, t, r) ← sg[½·u(x_t, t, s) + ½·u(x_s, s, r)]

The network predicts X with u = (x_t − X)/t, as in `flow`; the guidance scale g is an input, so a guided step needs no second
evaluation. Sources: Frans et al. 2024 (shortcut models, arXiv 2410.12557) for (3); Meng et al. 2023 (arXiv 2210.03142) for
distilling guidance.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from medsynth_core.diffusion.flow import as_images, draw_times, noised, resolution_shift, velocity, velocity_loss
from medsynth_core.diffusion.samplers import shifted

FlowMap = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]
"""(x_t, t, r, guidance) → X."""
Teacher = Callable[[Tensor, Tensor, Tensor], Tensor]
"""(x_t, t, guidance) → X."""

STEP_COUNTS = (1, 2, 4, 8)
MAX_GUIDANCE = 3.0


def flow_map_loss(student: FlowMap, teacher: Teacher, x: Tensor, generator: torch.Generator) -> dict[str, Tensor]:
    """Return the loss of (2) on one half of the batch and of (3) on the other. x: (B, C, y, x)."""
    b, half = len(x), len(x) // 2
    noise = torch.randn(x.shape, generator=generator).to(x)
    guidance = (1 + (MAX_GUIDANCE - 1) * torch.rand(b, generator=generator)).to(x)
    shift = resolution_shift(x)
    t_jump, r_jump = draw_jumps(b - half, generator, shift)
    t = torch.cat([draw_times(half, generator, shift), t_jump]).to(x)
    r = torch.cat([t[:half].cpu(), r_jump]).to(x)
    x_t = noised(x, noise, t)
    with torch.no_grad():
        now = teacher(x_t[:half], t[:half], guidance[:half])
        jump = _two_half_steps(student, x_t[half:], t[half:], r[half:], guidance[half:])
    predicted = student(x_t, t, r, guidance)
    return {
        "velocity": velocity_loss(predicted[:half], now, t[:half]).mean() * half / b,
        "shortcut": velocity_loss(predicted[half:], jump, t[half:]).mean() * (b - half) / b,
    }


def draw_jumps(count: int, generator: torch.Generator, shift: float = 1.0) -> tuple[Tensor, Tensor]:
    """Return (t, r), each (count,): neighbors on the shifted time grid of 1, 2, 4 or 8 steps."""
    n = torch.tensor(STEP_COUNTS)[torch.randint(len(STEP_COUNTS), (count,), generator=generator)]
    i = (torch.rand(count, generator=generator) * n).floor()
    return shifted(1 - i / n, shift), shifted(1 - (i + 1) / n, shift)


def _two_half_steps(student: FlowMap, x_t: Tensor, t: Tensor, r: Tensor, guidance: Tensor) -> Tensor:
    s = (t + r) / 2
    u_first = velocity(x_t, student(x_t, t, s, guidance), t)
    x_s = x_t - as_images(t - s) * u_first
    u_second = velocity(x_s, student(x_s, s, r, guidance), s)
    return x_t - as_images(t) * (u_first + u_second) / 2

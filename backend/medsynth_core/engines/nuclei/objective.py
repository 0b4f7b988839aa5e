"""The losses of both networks: rectified flow, x-prediction, loss in velocity space (diffusion.flow, 1 to 4) on free positions.

A position of time s is x_s = (1 − s)·x + s·ε. Free positions share one logit-normal time; known ones have a small time of their
own, drawn up to KNOWN_TIME, so that completing a field and painting a part of an image anew are what the network was taught.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from torch import Tensor, nn

from medsynth_core.diffusion.flow import T_FLOOR, area_weight, as_images, draw_times

TIME_SHIFT = 2.0
"""Of training times and of the grid of the sampler, for both networks. By the rule for large images it would be 4 at 256²: then
one time in a hundred lies below 0.3, where chromatin and stroma are decided, and the last step is one from 0.27 to 0: smooth."""
KNOWN_TIME = 0.05
CONDITION_DROPOUT = 0.1


@dataclass(frozen=True)
class Fields:
    """A batch of one network: clean (B, C, y, x) in [−1, 1]; free (B, 1, y, x), 1 where to be made; region (B, 1, y, x), share
    of nucleus; numbers (B, n); hint (B, 4, y, x), empty (B, 0, y, x) for structures."""

    clean: Tensor
    free: Tensor
    region: Tensor
    numbers: Tensor
    hint: Tensor

    def to(self, device: str) -> Fields:
        """Return the batch on a device."""
        return Fields(**{f.name: getattr(self, f.name).to(device) for f in fields(self)})


@dataclass(frozen=True)
class Chance:
    """All that chance decides in a step: noise as the clean maps, times (B, 1, y, x), asked (B, n), keep (B,) the hint."""

    noise: Tensor
    times: Tensor
    asked: Tensor
    keep: Tensor


def draw(batch: Fields, generator: torch.Generator, dropout: float = CONDITION_DROPOUT) -> Chance:
    """Return the chance of one step. Structures lose density and size one by one, images stain and hint apart and together."""
    b, device = len(batch.clean), batch.clean.device
    noise = torch.randn(batch.clean.shape, generator=generator)
    t = as_images(draw_times(b, generator, TIME_SHIFT))
    known = as_images(torch.rand(b, generator=generator) * KNOWN_TIME)
    times = torch.where(batch.free.cpu() > 0.5, t, torch.minimum(known, t))
    everything = torch.rand(b, 1, generator=generator) < dropout
    n = batch.numbers.shape[1]
    ways = 1 if batch.hint.shape[1] else n
    lost = (torch.rand(b, ways, generator=generator) < dropout).expand(b, n) | everything
    keep = ~(everything[:, 0] | (torch.rand(b, generator=generator) < dropout))
    return Chance(noise.to(device), times.to(device), (~lost).to(device), keep.to(device))


def flow_loss(denoiser: nn.Module, hints: nn.Module | None, batch: Fields, chance: Chance) -> Tensor:
    """Return the mean velocity loss over the free positions.

    Where the structure is given, a nucleus counts as much as the background beside it, not as its area. Where it is to be made,
    all count alike: a weight that follows the truth is a bias, and gave 1.4 times the nuclei asked for, each 1.4 times as large.
    """
    control = None if hints is None else hints(batch.hint, chance.keep)
    x_t = torch.lerp(batch.clean, chance.noise, chance.times)
    made = denoiser(x_t, chance.times, batch.numbers, chance.asked, control)
    error = ((made - batch.clean) / chance.times.clamp_min(T_FLOOR)).square().mean(dim=1, keepdim=True)
    weight = batch.free if hints is None else area_weight(batch.region, ceiling=4.0) * batch.free
    return (error * weight).sum() / weight.sum().clamp_min(1)

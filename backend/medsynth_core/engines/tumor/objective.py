"""The losses of both stages.

Autoencoder (arXiv 2406.05421, section 2.1: L1 + (1 − SSIM) + LPIPS + 1e-6·KL; LPIPS needs weights that nobody here may
download, its part is taken by the L1 of differences between neighboring pixels):

    L = |x̂ − x| + |∇x̂ − ∇x| + ½·(1 − SSIM) + 1e-3·KL

Slab network: rectified flow with a time for each position, x-prediction, loss in velocity space (diffusion.flow, 1 to 4), over
the new positions alone. A position of time s is x_s = (1 − s)·x + s·ε. What counts more is where the request puts the tumor, not
where it truly was: weights that follow the truth pull every doubtful position towards it (tumors came out 30 % too large).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import torch
from torch import Tensor, nn
from torch.nn import functional

from medsynth_core.diffusion.flow import T_FLOOR, area_weight
from medsynth_core.engines.tumor.autoencoder import SliceAutoencoder
from medsynth_core.engines.tumor.body import kept_free

KL_WEIGHT = 1e-3
CONDITION_DROPOUT = 0.1
CONTEXT_TIME = 0.3
"""Known positions are noised up to this in training, so the network survives the errors of its own earlier slices."""
SHIFT = 1.5
"""Times are drawn a little noisier than for one picture: slices that repeat each other are made out sooner."""
SSIM_WINDOW = 7
C1, C2 = 0.02**2, 0.06**2
"""SSIM's constants for a range of 2 (Wang et al. 2004: (0.01·L)², (0.03·L)²)."""


@dataclass(frozen=True)
class Slabs:
    """A batch: latents (B, n, 8, h, w); free (B, n, 1, h, w), 1 where new;
    hints (B, n, 5, h, w); numbers (B, 9); style (B, 10); slice_mm (B,); noise as latents."""

    latents: Tensor
    free: Tensor
    hints: Tensor
    numbers: Tensor
    style: Tensor
    slice_mm: Tensor
    noise: Tensor

    def to(self, device: str) -> Slabs:
        """Return the batch on a device."""
        return Slabs(**{f.name: getattr(self, f.name).to(device) for f in fields(self)})


def autoencoder_loss(networks: SliceAutoencoder, runs: Tensor, generator: torch.Generator) -> dict[str, Tensor]:
    """Return the terms of the autoencoder's loss for runs of consecutive slices (B, n, 2, y, x) in [−1, 1]."""
    b, n = runs.shape[:2]
    mean, log_variance = networks.posterior(runs.flatten(0, 1))
    noise = torch.randn(mean.shape, generator=generator).to(mean.device)
    latents = (mean + noise * (log_variance / 2).exp()).unflatten(0, (b, n))
    made = torch.stack([networks.decode(_with_ends(run)) for run in latents]).flatten(0, 1)
    slices = runs.flatten(0, 1)
    near = 1 + 4 * (slices[:, 1:].abs() < 0.5)  # the mask is where the distance changes sign
    distance = ((made[:, 1:] - slices[:, 1:]).abs() * near).mean()
    return {
        "image": (made[:, :1] - slices[:, :1]).abs().mean() + _gradient_difference(made[:, :1], slices[:, :1]),
        "distance": distance,
        "ssim": 0.5 * (1 - ssim(made[:, :1], slices[:, :1])),
        "kl": KL_WEIGHT * 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).mean(),
    }


def slab_loss(network: nn.Module, batch: Slabs, generator: torch.Generator) -> dict[str, Tensor]:
    """Return the velocity loss over the new positions."""
    times = draw_times(batch.free.cpu(), generator).to(batch.latents.device)
    asked = (torch.rand(len(times), generator=generator) >= CONDITION_DROPOUT).to(times.device)
    return {"flow": flow_loss(network, batch, times, asked)}


def flow_loss(network: nn.Module, batch: Slabs, times: Tensor, asked: Tensor) -> Tensor:
    """Return the mean velocity loss over the new positions for given times (B, n, 1, h, w)."""
    x_t = torch.lerp(batch.latents, batch.noise, times)
    made = network(x_t, times, batch.hints, batch.numbers, batch.style, batch.slice_mm, asked)
    error = ((made - batch.latents) / times.clamp_min(T_FLOOR)).square().mean(dim=2, keepdim=True)
    asked_for = kept_free(batch.hints)
    weight = area_weight(asked_for.flatten(0, 1)).unflatten(0, asked_for.shape[:2]) * batch.free
    return (error * weight).sum() / weight.sum().clamp_min(1)


def draw_times(free: Tensor, generator: torch.Generator) -> Tensor:
    """Return noise times like `free` (B, n, 1, h, w): one logit-normal time for what is new, a small one a slice for the rest."""
    b, n = free.shape[:2]
    new = torch.sigmoid(math.log(SHIFT) + torch.randn((b, 1, 1, 1, 1), generator=generator))
    known = CONTEXT_TIME * torch.rand((b, n, 1, 1, 1), generator=generator)
    return torch.where(free > 0.5, new, torch.minimum(known, new))


def ssim(a: Tensor, b: Tensor) -> Tensor:
    """Return the mean structural similarity of images (B, 1, y, x), over windows of 7 pixels (Wang et al. 2004, eq. 13)."""

    def mean(x: Tensor) -> Tensor:
        return functional.avg_pool2d(x, SSIM_WINDOW, stride=2)

    mean_a, mean_b = mean(a), mean(b)
    variance_a, variance_b = mean(a * a) - mean_a**2, mean(b * b) - mean_b**2
    covariance = mean(a * b) - mean_a * mean_b
    top = (2 * mean_a * mean_b + C1) * (2 * covariance + C2)
    return (top / ((mean_a**2 + mean_b**2 + C1) * (variance_a + variance_b + C2))).mean()


def _gradient_difference(a: Tensor, b: Tensor) -> Tensor:
    difference = a - b
    return difference.diff(dim=-1).abs().mean() + difference.diff(dim=-2).abs().mean()


def _with_ends(latents: Tensor) -> Tensor:
    return torch.cat([latents[:1], latents, latents[-1:]])

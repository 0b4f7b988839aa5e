"""The two ways from a coarse mask to a fine one: training states, and the walk back.

Discrete (SegRefiner, NeurIPS 2023, arXiv 2312.12425, section 3.2). A pixel of x_t is fine with probability b_t, else coarse:

    b_t = 1 − t                                                        (1)
    P(coarse → fine on the way from t to s) = (b_s − b_t)/(1 − b_t)       (2)

Gaussian (the published DDPM, T = 1000, β from 1e-4 to 0.02), started from the coarse mask at signal-to-noise 1, walked by
correct strided steps (Song et al. 2021, arXiv 2010.02502, eq. 12 and 16):

    x_t = √ā_t x0 + √(1 − ā_t) ε                                        (3)
    x_s = √ā_s x0 + √(1 − ā_s − σ²) ε + σ n                             (4)   ε = (x_t − √ā_t x0)/√(1 − ā_t)
    σ   = η √((1 − ā_s)/(1 − ā_t)) √(1 − ā_t/ā_s)                       (5)

Masks are −1 outside and 1 inside. p is the network's probability of the fine mask.

Departures from the paper, each chosen on the tuning side of the split. It draws each pixel's fate alone, which a network undoes
like salt and pepper noise; here the chance is smooth over a few pixels, with the same probability (1) in each, so that whole
stretches of the boundary are fine or coarse. It multiplies (2) with the pixel's confidence, which leaves more coarse than (1)
says and makes the next p too careful. It walks to t = 0 and takes the last p; here the walk ends at t = 0.9, and the result is
the mean of all p: what the network says of its own answers tells less than what it says of the image.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

DISCRETE, GAUSSIAN = 0, 1
PROCESSES = {"discrete": DISCRETE, "gaussian": GAUSSIAN}
T = 1000
ALPHA_BAR = torch.cumprod(1 - torch.linspace(1e-4, 0.02, T, dtype=torch.float64), 0).float()
START = int((ALPHA_BAR - 0.5).abs().argmin())
"""The time of the Gaussian process at which signal and noise are equal."""
ETA = 1.0
SIGMAS = (0.0, 2.0, 6.0)
"""Over how many pixels the chance of a training state may be alike."""
WALK_SIGMA = 2.0
END = 0.9
"""Where the discrete walk ends."""

Predict = Callable[[Tensor, Tensor], Tensor]
"""(x_t (B, 1, y, x), t (B,)) → probability of the fine mask (B, 1, y, x)."""


def chance(like: Tensor, sigma: float, generator: torch.Generator) -> Tensor:
    """Return uniform numbers of [0, 1], (B, 1, y, x), alike over about `sigma` pixels: normal noise, blurred, through Φ."""
    reach = round(2.5 * sigma)
    b, _, y, x = like.shape
    noise = torch.randn(b, 1, y + 2 * reach, x + 2 * reach, generator=generator)
    if reach:
        kernel = torch.exp(-0.5 * (torch.arange(-reach, reach + 1) / sigma).square())
        kernel = kernel / kernel.square().sum().sqrt()  # keeps the deviation at 1
        noise = functional.conv2d(functional.conv2d(noise, kernel.view(1, 1, 1, -1)), kernel.view(1, 1, -1, 1))
    return torch.special.ndtr(noise).to(like)


def discrete_state(fine: Tensor, coarse: Tensor, t: Tensor, drawn: Tensor) -> Tensor:
    """Return x_t of equation 1 for masks (B, 1, y, x) of −1 and 1, times (B,) and chances (B, 1, y, x)."""
    return torch.where(drawn < (1 - t).view(-1, 1, 1, 1), fine, coarse)


def gaussian_state(fine: Tensor, steps: Tensor, generator: torch.Generator) -> Tensor:
    """Return x_t of equation 3 for masks (B, 1, y, x) and whole time steps (B,) from 0 to T − 1."""
    a = ALPHA_BAR.to(fine.device)[steps].view(-1, 1, 1, 1)
    return a.sqrt() * fine + (1 - a).sqrt() * torch.randn(fine.shape, generator=generator).to(fine)


def walk_discrete(predict: Predict, coarse: Tensor, steps: int, generator: torch.Generator) -> Tensor:
    """Return the mean probability of the fine mask over `steps` evaluations, from a coarse mask (B, 1, y, x) of −1 and 1."""
    p = predict(coarse, torch.ones(len(coarse), device=coarse.device))
    is_fine = torch.zeros_like(coarse, dtype=torch.bool)
    for k in range(1, steps):
        t, s = (1 - (1 - END) * j / (steps - 1) for j in (k - 1, k))
        is_fine = is_fine | (chance(coarse, WALK_SIGMA, generator) < (t - s) / t)  # (2)
        x = torch.where(is_fine, torch.where(p > 0.5, 1.0, -1.0), coarse)
        p = p + (predict(x, torch.full((len(x),), s, device=x.device)) - p) / (k + 1)
    return p


def walk_gaussian(predict: Predict, coarse: Tensor, steps: int, generator: torch.Generator) -> Tensor:
    """Return the probability of the fine mask after `steps` evaluations, from a coarse mask (B, 1, y, x) of −1 and 1."""
    times = torch.linspace(START, 0, steps + 1).round().long()
    x = gaussian_state(coarse, times[:1].expand(len(coarse)), generator)
    p = torch.empty_like(x)
    for t, s in itertools.pairwise(times.tolist()):
        p = predict(x, torch.full((len(x),), float(t) / T, device=x.device))
        x = _strided(x, 2 * p - 1, float(ALPHA_BAR[t]), float(ALPHA_BAR[s]), generator)
    return p


def _strided(x_t: Tensor, x0: Tensor, a_t: float, a_s: float, generator: torch.Generator) -> Tensor:
    epsilon = (x_t - a_t**0.5 * x0) / (1 - a_t) ** 0.5
    sigma = ETA * ((1 - a_s) / (1 - a_t)) ** 0.5 * (1 - a_t / a_s) ** 0.5  # (5)
    n = torch.randn(x_t.shape, generator=generator).to(x_t)
    return a_s**0.5 * x0 + (1 - a_s - sigma**2) ** 0.5 * epsilon + sigma * n  # (4)

"""Noise that neighboring slices share in part, each slice's from (seed, z) alone.

    ε_z = Σ_k w_k n_{z+k}      n_z white noise of slice z,  Σ w_k² = 1

A weighted window over white noise: standard normal within a slice, correlated along z, and any slice can be made without the
others, so a resumed volume gets the same noise.
"""

from __future__ import annotations

import torch
from torch import Tensor

from medsynth_core.diffusion.samplers import noise_for

WEIGHTS = (0.35, 1.0, 0.35)
"""Neighbors share 0.56 of their variance, the next but one 0.1."""
FIRST = 1_000
"""Index of slice 0 in the stream of white noise; slices before it (a neighbor of slice 0) have smaller ones."""


def window() -> Tensor:
    """Return the weights w_k, of unit norm."""
    weights = torch.tensor(WEIGHTS)
    return weights / weights.norm()


def slice_noise(seed: int, z: int, shape: tuple[int, ...]) -> Tensor:
    """Return ε_z, standard normal of this shape."""
    around = range(z - len(WEIGHTS) // 2, z + len(WEIGHTS) // 2 + 1)
    white = torch.stack([noise_for(seed, FIRST + k, shape) for k in around])
    return torch.tensordot(window(), white, dims=1)


def batch_noise(count: int, slices: int, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Return the same kind of noise for training: (count, slices, *shape)."""
    extra = len(WEIGHTS) - 1
    white = torch.randn((count, slices + extra, *shape), generator=generator)
    return sum((w * white[:, k : k + slices] for k, w in enumerate(window())), torch.zeros(()))

"""The slice autoencoder: (image, mask as a signed distance) of a slice to a small latent and back.

    slice    (B, 2, 128, 128)  ──encode──▶  latent (B, 8, 32, 32)      f = 4
    latents of z−1, z, z+1     ──decode──▶  slice z (B, 2, 128, 128)   2.5-D: the neighbors quiet the flicker

Light by design: it runs once a slice between two frames of a live view. Hand-written because diffusers' AutoencoderKL and
AutoencoderTiny know no neighbors; its residual block is theirs. Source of the idea: slice-based latent diffusion (arXiv
2406.05421, section 2.1), which has f = 8 and decodes each slice alone.
"""

from __future__ import annotations

import torch
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from diffusers.models.resnet import ResnetBlock2D
from torch import Tensor, nn
from torch.nn import functional

GROUPS = 8
PATCH = 2


class SliceAutoencoder(ModelMixin, ConfigMixin):
    """Encoder and decoder; latents leave and enter with mean 0 and spread 1 per channel, once `standardize` was called."""

    @register_to_config
    def __init__(self, widths: tuple[int, int] = (32, 64), latent_channels: int = 8) -> None:
        super().__init__()
        fine, coarse = widths
        self.encoder = nn.Sequential(
            nn.Conv2d(2 * PATCH**2, fine, 3, padding=1),  # on (y/2, x/2): the full grid would cost four times as much
            _block(fine),
            nn.Conv2d(fine, coarse, 3, stride=2, padding=1),
            _block(coarse),
            _block(coarse),
            nn.GroupNorm(GROUPS, coarse),
            nn.SiLU(),
            nn.Conv2d(coarse, 2 * latent_channels, 3, padding=1),
        )
        self.center = nn.Conv2d(latent_channels, coarse, 3, padding=1)
        self.beside = nn.Conv2d(2 * latent_channels, coarse, 3, padding=1, bias=False)
        self.decoder = nn.Sequential(
            _block(coarse),
            _block(coarse),
            _block(coarse),
            nn.Upsample(scale_factor=2, mode="nearest"),
            nn.Conv2d(coarse, fine, 3, padding=1),
            _block(fine),
            _block(fine),
            nn.GroupNorm(GROUPS, fine),
            nn.SiLU(),
            nn.Conv2d(fine, 2 * PATCH**2, 3, padding=1),
        )
        self.shift: Tensor
        self.spread: Tensor
        self.register_buffer("shift", torch.zeros(latent_channels))
        self.register_buffer("spread", torch.ones(latent_channels))

    def posterior(self, slices: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and log variance, (B, 8, y/4, x/4) each, of slices (B, 2, y, x) in [−1, 1], before standardizing."""
        mean, log_variance = _run(self.encoder, functional.pixel_unshuffle(slices, PATCH)).chunk(2, dim=1)
        return mean, log_variance.clamp(-12, 4)

    def encode(self, slices: Tensor) -> Tensor:
        """Return standardized latents (B, 8, y/4, x/4) of slices (B, 2, y, x) in [−1, 1]."""
        return (self.posterior(slices)[0] - _channels(self.shift)) / _channels(self.spread)

    def decode(self, latents: Tensor) -> Tensor:
        """Return slices (n, 2, y, x) in about [−1, 1] of consecutive latents (n + 2, 8, y/4, x/4): one neighbor at either end."""
        raw = latents * _channels(self.spread) + _channels(self.shift)
        h = self.center(raw[1:-1]) + self.beside(torch.cat([raw[:-2], raw[2:]], dim=1))
        return functional.pixel_shuffle(_run(self.decoder, h), PATCH)

    @property
    def is_standardized(self) -> bool:
        """Whether the scale of the latents is fixed: the slab network's steps have begun."""
        return bool((self.spread != 1).any())

    @torch.no_grad()
    def standardize(self, latents: Tensor) -> None:
        """Take mean and spread of latents (n, 8, …) that were encoded with the present ones into the scale of the latents."""
        mean, spread = latents.mean(dim=(0, 2, 3)), latents.std(dim=(0, 2, 3)).clamp_min(1e-4)
        self.shift += mean * self.spread
        self.spread *= spread


def _block(width: int) -> ResnetBlock2D:
    return ResnetBlock2D(in_channels=width, out_channels=width, temb_channels=None, groups=GROUPS, eps=1e-6)


def _run(layers: nn.Sequential, h: Tensor) -> Tensor:
    for layer in layers:
        h = layer(h, None) if isinstance(layer, ResnetBlock2D) else layer(h)
    return h


def _channels(vector: Tensor) -> Tensor:
    return vector.view(1, -1, 1, 1)

"""The paper's way, for the ablation: the whole stack of latents denoised at once (arXiv 2406.05421, section 2.2).

    ε̂ = D(x_t, t, c)          attention-free 3-D U-Net over (C, z, y, x); c: nine numbers through an MLP, added to the time
    L = |ε̂ − ε|               L1, DDPM of 1000 linear steps; sampled with 50 DDIM steps (diffusers' schedulers)

What differs from the paper, so that it can be compared on this data: our autoencoder's latents (f = 4, 8 channels) two by two
in a patch, stacks of any height (padded to a multiple of 4) instead of 96 slices, and a width that trains on a CPU. Nothing can
be shown before all slices are done; that is the point of the comparison.
"""

from __future__ import annotations

import itertools

import torch
from diffusers import ConfigMixin, DDIMScheduler, DDPMScheduler, ModelMixin
from diffusers.configuration_utils import register_to_config
from diffusers.models.embeddings import TimestepEmbedding, Timesteps
from torch import Tensor, nn
from torch.nn import functional

from medsynth_core.engines.tumor.network import NUMBERS, PATCH

GROUPS = 8
TRAIN_STEPS, DDIM_STEPS = 1000, 50
HEIGHT_MULTIPLE = 4


class JointNetwork(ModelMixin, ConfigMixin):
    """A 3-D U-Net of three levels; predicts the noise of a whole stack of latents."""

    @register_to_config
    def __init__(self, widths: tuple[int, int, int] = (64, 96, 128), latent_channels: int = 8) -> None:
        super().__init__()
        embed = 2 * widths[0]
        self.time = Timesteps(widths[0], flip_sin_to_cos=True, downscale_freq_shift=0)
        self.time_mlp = TimestepEmbedding(widths[0], embed)
        self.numbers_mlp = nn.Sequential(nn.Linear(NUMBERS, embed), nn.SiLU(), nn.Linear(embed, embed))
        self.stem = nn.Conv3d(latent_channels * PATCH**2, widths[0], 3, padding=1)
        self.down = nn.ModuleList(VolumeBlock(w, w, embed) for w in widths)
        self.narrow = nn.ModuleList(nn.Conv3d(a, b, 3, stride=2, padding=1) for a, b in itertools.pairwise(widths))
        self.middle = VolumeBlock(widths[-1], widths[-1], embed)
        self.up = nn.ModuleList(VolumeBlock(2 * w, w, embed) for w in reversed(widths))
        self.widen = nn.ModuleList(nn.Conv3d(a, b, 3, padding=1) for a, b in itertools.pairwise(widths[::-1]))
        self.out_norm = nn.GroupNorm(GROUPS, widths[0])
        self.out = nn.Conv3d(widths[0], latent_channels * PATCH**2, 3, padding=1)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)  # type: ignore[arg-type]

    def forward(self, x_t: Tensor, steps: Tensor, numbers: Tensor) -> Tensor:
        """Return the predicted noise (B, z, 8, y, x) of x_t at DDPM steps (B,), given the nine numbers (B, 9)."""
        b, n = x_t.shape[:2]
        emb = functional.silu(self.time_mlp(self.time(steps).to(x_t.dtype)) + self.numbers_mlp(numbers))
        h = functional.pixel_unshuffle(x_t.flatten(0, 1), PATCH).unflatten(0, (b, n)).transpose(1, 2)  # (B, C, z, y/2, x/2)
        h = self.stem(h)
        skips = []
        for i, block in enumerate(self.down):
            h = block(h, emb)
            skips.append(h)
            h = self.narrow[i](h) if i < len(self.narrow) else h
        h = self.middle(h, emb)
        for i, block in enumerate(self.up):
            h = block(torch.cat([h, skips.pop()], dim=1), emb)
            if i < len(self.widen):
                h = self.widen[i](functional.interpolate(h, scale_factor=2.0, mode="nearest"))
        h = self.out(functional.silu(self.out_norm(h)))
        return functional.pixel_shuffle(h.transpose(1, 2).flatten(0, 1), PATCH).unflatten(0, (b, n))


class VolumeBlock(nn.Module):
    """Two 3-D convolutions with the embedding added between them, residual."""

    def __init__(self, width_in: int, width: int, embed: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.GroupNorm(GROUPS, width_in), nn.GroupNorm(GROUPS, width)
        self.conv1, self.conv2 = nn.Conv3d(width_in, width, 3, padding=1), nn.Conv3d(width, width, 3, padding=1)
        self.embedding = nn.Linear(embed, width)
        self.skip = nn.Conv3d(width_in, width, 1) if width_in != width else nn.Identity()

    def forward(self, x: Tensor, emb: Tensor) -> Tensor:
        """Return (B, width, z, y, x) of x (B, width_in, z, y, x) and the embedding (B, embed)."""
        h = self.conv1(functional.silu(self.norm1(x))) + self.embedding(emb)[:, :, None, None, None]
        return self.skip(x) + self.conv2(functional.silu(self.norm2(h)))


def joint_loss(network: nn.Module, stack: Tensor, numbers: Tensor, generator: torch.Generator) -> Tensor:
    """Return the L1 of the predicted noise for stacks of latents (B, z, 8, y, x) and their nine numbers (B, 9)."""
    stack = padded(stack)
    noise = torch.randn(stack.shape, generator=generator).to(stack.device)
    steps = torch.randint(TRAIN_STEPS, (len(stack),), generator=generator).to(stack.device)
    x_t = DDPMScheduler(TRAIN_STEPS).add_noise(stack, noise, steps)
    return (network(x_t, steps, numbers) - noise).abs().mean()


def joint_sample(network: nn.Module, noise: Tensor, numbers: Tensor, steps: int = DDIM_STEPS) -> Tensor:
    """Return the latents (z, 8, y, x) of a whole stack from noise of the same shape."""
    scheduler = DDIMScheduler(TRAIN_STEPS, clip_sample=False)
    scheduler.set_timesteps(steps)
    slices = len(noise)
    x_t = padded(noise[None])
    for t in scheduler.timesteps:
        x_t = scheduler.step(network(x_t, t.expand(1).to(x_t.device), numbers), t, x_t).prev_sample
    return x_t[0, :slices]


def padded(stacks: Tensor) -> Tensor:
    """Return stacks (B, z, …) whose last slice repeats until the height is a multiple of 4."""
    missing = -stacks.shape[1] % HEIGHT_MULTIPLE
    return torch.cat([stacks, *[stacks[:, -1:]] * missing], dim=1)

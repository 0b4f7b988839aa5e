"""The slab network: noisy latents of some slices in, clean ones out, all slices of a slab seen together.

    x_t      (B, n, 8, 32, 32)    noisy latents; known positions carry a small noise time, new ones a large one
    times    (B, n, 1, 32, 32)    noise time of each position: context and kept surroundings are nothing else than small times
    hints    (B, n, 5, 32, 32)    the request as a picture, and the place in the head (body.py)
    numbers  (B, 9), style (B, 10), slice distance (B,)

Layers are 2-D, followed by a convolution along z in each block, and attention over all positions of all slices at the coarsest
level. Within a slab every slice sees every other; from slab to slab only what is finished is seen, so a volume can be shown
while it grows. Hand-written because diffusers' video U-Nets take one noise time for all frames and no null for a condition.
"""

from __future__ import annotations

import math

import torch
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from diffusers.models.embeddings import TimestepEmbedding, Timesteps
from torch import Tensor, nn
from torch.nn import functional

from medsynth_core.engines.tumor import body
from medsynth_core.engines.tumor.shape import TumorShape

NUMBERS, STYLE, BODIES = 9, 10, 2
GROUPS = 8
HEAD_WIDTH = 48
PATCH = 2


def numbers_of(shape: TumorShape) -> list[float]:
    """Return the nine numbers on scales of about 1."""
    logs = [math.log(max(shape.volume_ml, 1e-3) / 20), math.log(max(shape.surface_cm2, 1e-3) / 60)]
    extents = [math.log(max(v, 1.0) / 40) for v in shape.extent_mm]
    return [*logs, 5 * (shape.sphericity - 0.6), *(v / 40 for v in shape.center_mm), *extents]


class SlabNetwork(ModelMixin, ConfigMixin):
    """A U-Net of two levels over the slices of a slab; predicts the clean latents."""

    @register_to_config
    def __init__(self, widths: tuple[int, int] = (96, 192), latent_channels: int = 8, depth: int = 2) -> None:
        super().__init__()
        fine, coarse = widths
        channels = latent_channels + 1 + body.CHANNELS
        embed = 2 * fine
        self.time = Timesteps(fine, flip_sin_to_cos=True, downscale_freq_shift=0)
        self.time_mlp = TimestepEmbedding(fine, embed)
        self.condition_mlp = nn.Sequential(nn.Linear(NUMBERS + STYLE + 1, embed), nn.SiLU(), nn.Linear(embed, embed))
        self.null_numbers = nn.Parameter(torch.zeros(NUMBERS))
        self.null_bodies = nn.Parameter(torch.zeros(BODIES))
        self.stem = nn.Conv2d(channels * PATCH**2, fine, 3, padding=1)
        self.down = nn.ModuleList(SlabBlock(fine, fine, embed) for _ in range(depth))
        self.narrow = nn.Conv2d(fine, coarse, 3, stride=2, padding=1)
        self.low = nn.ModuleList(SlabBlock(coarse, coarse, embed) for _ in range(depth))
        self.middle = SlabBlock(coarse, coarse, embed)
        self.attention = SlabAttention(coarse)
        self.high = nn.ModuleList(SlabBlock(2 * coarse, coarse, embed) for _ in range(depth))
        self.widen = nn.Conv2d(coarse, fine, 3, padding=1)
        self.up = nn.ModuleList(SlabBlock(2 * fine, fine, embed) for _ in range(depth + 1))
        self.out_norm = nn.GroupNorm(GROUPS, fine)
        self.out = nn.Conv2d(fine, latent_channels * PATCH**2, 3, padding=1)

    def forward(
        self, x_t: Tensor, times: Tensor, hints: Tensor, numbers: Tensor, style: Tensor, slice_mm: Tensor, asked: Tensor
    ) -> Tensor:
        """Return the predicted clean latents (B, n, 8, y, x). `asked` (B,) bool: False gives the learned null of the request."""
        b, n = x_t.shape[:2]
        emb = self._embedding(times, numbers, style, slice_mm, asked)  # (B·n, embed)
        seen = torch.cat([self._bodies(hints[:, :, :BODIES], asked), hints[:, :, BODIES:]], dim=2)
        h = functional.pixel_unshuffle(torch.cat([x_t, times, seen], dim=2).flatten(0, 1), PATCH)
        h = self.stem(h)  # (B·n, fine, y/2, x/2)
        skips = [h]
        for block in self.down:
            h = block(h, emb, n)
            skips.append(h)
        h = self.narrow(h)  # (B·n, coarse, y/4, x/4)
        low = []
        for block in self.low:
            h = block(h, emb, n)
            low.append(h)
        h = self.attention(self.middle(h, emb, n), n)
        for block in self.high:
            h = block(torch.cat([h, low.pop()], dim=1), emb, n)
        h = self.widen(functional.interpolate(h, scale_factor=2.0, mode="nearest"))
        for block in self.up:
            h = block(torch.cat([h, skips.pop()], dim=1), emb, n)
        h = self.out(functional.silu(self.out_norm(h)))
        return functional.pixel_shuffle(h, PATCH).unflatten(0, (b, n))

    def _embedding(self, times: Tensor, numbers: Tensor, style: Tensor, slice_mm: Tensor, asked: Tensor) -> Tensor:
        known = torch.where(asked[:, None], numbers, self.null_numbers)
        condition = self.condition_mlp(torch.cat([known, style, torch.log(slice_mm / 4)[:, None]], dim=1))
        latest = times.flatten(2).amax(dim=2).flatten()  # (B·n,): how noisy a slice is where it is new
        return functional.silu(
            self.time_mlp(self.time(1000 * latest).to(times.dtype)) + condition.repeat_interleave(times.shape[1], 0)
        )

    def _bodies(self, bodies: Tensor, asked: Tensor) -> Tensor:
        return torch.where(asked.view(-1, 1, 1, 1, 1), bodies, self.null_bodies.view(1, 1, -1, 1, 1))


class SlabBlock(nn.Module):
    """Two convolutions in the plane, shifted and scaled by the embedding, then one along z; residual each."""

    def __init__(self, width_in: int, width: int, embed: int) -> None:
        super().__init__()
        self.norm1, self.norm2, self.norm_z = (
            nn.GroupNorm(GROUPS, width_in),
            nn.GroupNorm(GROUPS, width),
            nn.GroupNorm(GROUPS, width),
        )
        self.conv1, self.conv2 = nn.Conv2d(width_in, width, 3, padding=1), nn.Conv2d(width, width, 3, padding=1)
        self.affine = nn.Linear(embed, 2 * width)
        self.along_z = nn.Conv2d(width, width, (3, 1), padding=(1, 0))
        self.skip = nn.Conv2d(width_in, width, 1) if width_in != width else nn.Identity()
        for last in (self.conv2, self.along_z):  # a block starts as the identity
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor, emb: Tensor, n: int) -> Tensor:
        """Return (B·n, width, y, x) of x (B·n, width_in, y, x) and the embedding (B·n, embed)."""
        scale, shift = self.affine(emb)[:, :, None, None].chunk(2, dim=1)
        h = self.conv1(functional.silu(self.norm1(x)))
        h = self.conv2(functional.silu(self.norm2(h) * (1 + scale) + shift))
        x = self.skip(x) + h
        y, w = x.shape[-2:]
        h = functional.silu(self.norm_z(x)).unflatten(0, (-1, n)).transpose(1, 2).flatten(3)  # (B, width, n, y·x)
        return x + self.along_z(h).transpose(1, 2).flatten(0, 1).unflatten(2, (y, w))


class SlabAttention(nn.Module):
    """Attention over all positions of all slices of a slab."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(GROUPS, width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, x: Tensor, n: int) -> Tensor:
        """Return (B·n, width, y, x) of the same."""
        y, w = x.shape[2:]
        tokens = self.norm(x).unflatten(0, (-1, n)).permute(0, 1, 3, 4, 2).flatten(1, 3)  # (B, n·y·x, width)
        q, k, v = self.qkv(tokens).unflatten(2, (3, -1, HEAD_WIDTH)).permute(2, 0, 3, 1, 4)
        seen = functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        return x + self.out(seen).unflatten(1, (n, y, w)).permute(0, 1, 4, 2, 3).flatten(0, 1)

"""A small U-Net from picture to picture, for the segmenter and the baseline's generator."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

GROUPS = 8


class PlainUNet(nn.Module):
    """(B, in, y, x) → (B, out, y, x), computed on a grid of y / patch, x / patch by space-to-depth and back.

    y and x must be divisible by patch × 2 to the number of widths less one.

    Hand-written because diffusers' U-Nets are built round a noise time, which costs half their arithmetic and means nothing here.
    """

    def __init__(self, in_channels: int, out_channels: int, widths: tuple[int, ...], patch: int = 1) -> None:
        super().__init__()
        self.channels, self.patch = in_channels, patch
        pairs = list(zip((in_channels * patch**2, *widths[:-1]), widths, strict=True))
        self.down = nn.ModuleList(_two_convolutions(n, wider) for n, wider in pairs)
        self.up = nn.ModuleList(_two_convolutions(wider + n, n) for n, wider in pairs[:0:-1])
        self.last = nn.Conv2d(widths[0], out_channels * patch**2, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return the picture, without activation."""
        skips: list[Tensor] = []
        h = functional.pixel_unshuffle(x, self.patch)
        for i, block in enumerate(self.down):
            h = block(h if i == 0 else functional.max_pool2d(h, 2))  # (B, widths[i], y / patch / 2^i, …)
            skips.append(h)
        for block, skip in zip(self.up, reversed(skips[:-1]), strict=True):
            h = block(torch.cat([functional.interpolate(h, scale_factor=2.0), skip], dim=1))
        return functional.pixel_shuffle(self.last(h), self.patch)


def _two_convolutions(width: int, wider: int) -> nn.Sequential:
    def one(n: int) -> list[nn.Module]:
        return [nn.Conv2d(n, wider, 3, padding=1), nn.GroupNorm(min(GROUPS, wider), wider), nn.SiLU()]

    return nn.Sequential(*one(width), *one(wider))

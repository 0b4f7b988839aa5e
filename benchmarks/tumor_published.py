"""The arithmetic of the published tumor model: an attention-free 3-D U-Net on the whole stack of latents, random weights.

Published: latents C × 24 × 24 × 96, 135 million parameters, 524 GMAC an evaluation, 50 evaluations (DDIM). The layout is not
published in full; this one has two residual blocks a level and widths chosen so that parameters and multiplications come out
about right. Both are counted here and printed beside the time, for the ratio is worth no more than they are.
Source: arXiv 2406.05421; docs of this project's methods, 3.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

GRID = (24, 24, 96)
CHANNELS = 4
WIDTHS = (96, 216, 488)
GROUPS = 8
BLOCKS = 2
EVALUATIONS = 50
PARAMETERS, GMAC = 135e6, 524.0
"""As published."""


@dataclass(frozen=True)
class Published:
    """One evaluation: its seconds, the parameters and multiplications of the stand-in."""

    seconds: float
    parameters: int
    gmac: float

    @property
    def pass_s(self) -> float:
        """Seconds of the 50 evaluations that a volume takes."""
        return EVALUATIONS * self.seconds


class ResidualBlock(nn.Module):
    """GroupNorm, SiLU, 3×3×3 convolution, twice; the time embedding is added between."""

    def __init__(self, width_in: int, width: int, embed: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.GroupNorm(GROUPS, width_in), nn.GroupNorm(GROUPS, width)
        self.conv1, self.conv2 = nn.Conv3d(width_in, width, 3, padding=1), nn.Conv3d(width, width, 3, padding=1)
        self.time = nn.Linear(embed, width)
        self.skip = nn.Conv3d(width_in, width, 1) if width_in != width else nn.Identity()

    def forward(self, x: Tensor, emb: Tensor) -> Tensor:
        """Return (B, width, …)."""
        h = self.conv1(functional.silu(self.norm1(x))) + self.time(emb)[..., None, None, None]
        return self.skip(x) + self.conv2(functional.silu(self.norm2(h)))


class PublishedUNet(nn.Module):
    """(B, C, 24, 24, 96), embedding (B, 4 · first width) → (B, C, 24, 24, 96)."""

    def __init__(self, widths: tuple[int, ...] = WIDTHS, channels: int = CHANNELS) -> None:
        super().__init__()
        embed = 4 * widths[0]
        self.stem = nn.Conv3d(channels, widths[0], 3, padding=1)
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        self.narrow = nn.ModuleList(nn.Conv3d(n, n, 3, stride=2, padding=1) for n in widths[:-1])
        self.widen = nn.ModuleList(nn.Conv3d(n, n, 3, padding=1) for n in widths[:0:-1])
        skips, width = [widths[0]], widths[0]
        for level, wider in enumerate(widths):
            for _ in range(BLOCKS):
                self.down.append(ResidualBlock(width, wider, embed))
                width = wider
                skips.append(width)
            if level < len(widths) - 1:
                skips.append(width)
        self.middle = nn.ModuleList(ResidualBlock(width, width, embed) for _ in range(2))
        for wider in reversed(widths):
            for _ in range(BLOCKS + 1):
                self.up.append(ResidualBlock(width + skips.pop(), wider, embed))
                width = wider
        self.last = nn.Conv3d(width, channels, 3, padding=1)

    def forward(self, x: Tensor, emb: Tensor) -> Tensor:
        """Return the predicted noise."""
        h = self.stem(x)
        skips = [h]
        for i, block in enumerate(self.down):
            h = block(h, emb)
            skips.append(h)
            if (i + 1) % BLOCKS == 0 and i // BLOCKS < len(self.narrow):
                h = self.narrow[i // BLOCKS](h)
                skips.append(h)
        for block in self.middle:
            h = block(h, emb)
        for i, block in enumerate(self.up):
            h = block(torch.cat([h, skips.pop()], dim=1), emb)
            if (i + 1) % (BLOCKS + 1) == 0 and i // (BLOCKS + 1) < len(self.widen):
                h = self.widen[i // (BLOCKS + 1)](functional.interpolate(h, scale_factor=2.0))
        return self.last(h)


def measure(device: str = "cpu", widths: tuple[int, ...] = WIDTHS, grid: tuple[int, ...] = GRID) -> Published:
    """Return the seconds of one evaluation, warm (the first one is not counted), with its size."""
    network = PublishedUNet(widths).to(device).eval()
    x, emb = torch.randn(1, CHANNELS, *grid, device=device), torch.randn(1, 4 * widths[0], device=device)
    with torch.inference_mode():
        macs = _macs(network, x, emb)  # warms it, too
        began = time.perf_counter()
        float(network(x, emb).mean())  # the mean waits for a GPU
        seconds = time.perf_counter() - began
    return Published(seconds, sum(p.numel() for p in network.parameters()), macs / 1e9)


def _macs(network: nn.Module, x: Tensor, emb: Tensor) -> int:
    """Return the multiplications of the convolutions and linear layers in one evaluation."""
    counts: list[int] = []

    def count(layer: nn.Module, _: object, out: Tensor) -> None:
        assert isinstance(layer, (nn.Conv3d, nn.Linear))
        counts.append(layer.weight[0].numel() * out.numel())

    hooks = [m.register_forward_hook(count) for m in network.modules() if isinstance(m, (nn.Conv3d, nn.Linear))]
    network(x, emb)
    for hook in hooks:
        hook.remove()
    return sum(counts)

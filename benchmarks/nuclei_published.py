"""The arithmetic of the published nuclei models: U-Nets of improved diffusion at 256², random weights.

Published: a structure network of 552 million parameters and an image network of 652, 1000 evaluations of the first and, with
guidance, 2 × 1000 of the second for a pair. The first is the 256² layout of improved diffusion to the parameter: widths 256 to
1024, two residual blocks a level, attention from 32² down in heads of 64, residual blocks that resize, scale-shift time
embedding, twice the channels out. The second puts SPADE in place of the norms of middle and decoder, each with a hidden
layer of its own; that it has 128 channels follows from the published number of parameters. Both are counted and printed.
Sources: arXiv 2310.14197; Dhariwal & Nichol 2021, arXiv 2105.05233, table 4; Park et al. 2019, arXiv 1903.07291.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

SIDE = 256
MAPS, COLORS = 3, 3
WIDTHS = (256, 256, 512, 512, 1024, 1024)
BLOCKS = 2
ATTENDS_FROM = 3
"""The level of 32²; attention there and below."""
HEAD, GROUPS = 64, 32
SPADE_HIDDEN = 128
STRUCTURE_PARAMETERS, IMAGE_PARAMETERS = 552e6, 652e6
"""As published."""
STRUCTURE_EVALUATIONS, IMAGE_EVALUATIONS = 1000, 2000


@dataclass(frozen=True)
class Evaluation:
    """One evaluation of a network: its seconds, warm, its parameters and multiplications."""

    seconds: float
    parameters: int
    gmac: float


class Spade(nn.Module):
    """(B, C, y, x), structure (B, 3, 256, 256) → normalized without weights, scaled and shifted place by place."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(GROUPS, width, affine=False)
        self.shared = nn.Conv2d(MAPS, SPADE_HIDDEN, 3, padding=1)
        self.gamma, self.beta = (nn.Conv2d(SPADE_HIDDEN, width, 3, padding=1) for _ in range(2))

    def forward(self, x: Tensor, structure: Tensor) -> Tensor:
        """Return (B, C, y, x)."""
        seen = functional.relu(self.shared(functional.interpolate(structure, x.shape[2:])))
        return self.norm(x) * (1 + self.gamma(seen)) + self.beta(seen)


class Norm(nn.Module):
    """A group norm that is handed the structure, too, and does not look at it."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(GROUPS, width)

    def forward(self, x: Tensor, structure: Tensor) -> Tensor:
        """Return (B, C, y, x)."""
        return self.norm(x)


class ResidualBlock(nn.Module):
    """Norm, SiLU, 3×3, twice, time as scale and shift of the second norm; `resize` 2 or ½ between norm and convolution."""

    def __init__(self, width_in: int, width: int, embed: int, spade: bool, resize: float = 1.0) -> None:
        super().__init__()
        norm = Spade if spade else Norm
        self.norm1, self.norm2 = norm(width_in), norm(width)
        self.conv1, self.conv2 = nn.Conv2d(width_in, width, 3, padding=1), nn.Conv2d(width, width, 3, padding=1)
        self.time = nn.Linear(embed, 2 * width)
        self.skip = nn.Conv2d(width_in, width, 1) if width_in != width else nn.Identity()
        self.resize = resize

    def forward(self, x: Tensor, emb: Tensor, structure: Tensor) -> Tensor:
        """Return (B, width, y·resize, x·resize)."""
        h = self.conv1(_resized(functional.silu(self.norm1(x, structure)), self.resize))
        scale, shift = self.time(functional.silu(emb))[..., None, None].chunk(2, dim=1)
        h = self.norm2(h, structure) * (1 + scale) + shift
        return self.skip(_resized(x, self.resize)) + self.conv2(functional.silu(h))


class Attention(nn.Module):
    """Self-attention over all places, in heads of 64."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(GROUPS, width)
        self.qkv, self.out = nn.Conv1d(width, 3 * width, 1), nn.Conv1d(width, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return (B, C, y, x)."""
        b, c, y, w = x.shape
        heads = self.qkv(self.norm(x).flatten(2)).view(b, 3, c // HEAD, HEAD, y * w).transpose(3, 4)
        seen = functional.scaled_dot_product_attention(heads[:, 0], heads[:, 1], heads[:, 2])
        return x + self.out(seen.transpose(2, 3).reshape(b, c, y * w)).view_as(x)


class Stage(nn.Module):
    """A residual block, with attention behind it where the grid is small."""

    def __init__(self, width_in: int, width: int, embed: int, spade: bool, attends: bool, resize: float = 1.0) -> None:
        super().__init__()
        self.block = ResidualBlock(width_in, width, embed, spade, resize)
        self.attention = Attention(width) if attends else nn.Identity()

    def forward(self, x: Tensor, emb: Tensor, structure: Tensor) -> Tensor:
        """Return (B, width, …)."""
        return self.attention(self.block(x, emb, structure))


class PublishedUNet(nn.Module):
    """x (B, 3, y, x), embedded time (B, 256), structure (B, 3, y, x) → noise and its variance (B, 6, y, x)."""

    def __init__(self, spade: bool, widths: tuple[int, ...] = WIDTHS) -> None:
        super().__init__()
        width, embed = widths[0], 4 * widths[0]
        self.time = nn.Sequential(nn.Linear(width, embed), nn.SiLU(), nn.Linear(embed, embed))
        self.stem = nn.Conv2d(COLORS, width, 3, padding=1)
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        skips = [width]
        for level, wider in enumerate(widths):
            for _ in range(BLOCKS):
                self.down.append(Stage(width, wider, embed, False, level >= ATTENDS_FROM))
                width = wider
                skips.append(width)
            if level < len(widths) - 1:
                self.down.append(Stage(width, width, embed, False, False, 0.5))
                skips.append(width)
        self.middle = nn.ModuleList(Stage(width, width, embed, spade, attends) for attends in (True, False))
        self.joins: list[bool] = []
        for level, wider in reversed(list(enumerate(widths))):
            for _ in range(BLOCKS + 1):
                self._put(Stage(width + skips.pop(), wider, embed, spade, level >= ATTENDS_FROM), joins=True)
                width = wider
            if level:
                self._put(Stage(width, width, embed, spade, False, 2.0), joins=False)
        self.last = nn.Sequential(nn.GroupNorm(GROUPS, width), nn.SiLU(), nn.Conv2d(width, 2 * COLORS, 3, padding=1))

    def _put(self, stage: Stage, joins: bool) -> None:
        self.up.append(stage)
        self.joins.append(joins)

    def forward(self, x: Tensor, times: Tensor, structure: Tensor) -> Tensor:
        """Return the predicted noise and its variance."""
        emb, h = self.time(times), self.stem(x)
        skips = [h]
        for stage in self.down:
            h = stage(h, emb, structure)
            skips.append(h)
        for stage in self.middle:
            h = stage(h, emb, structure)
        for stage, joins in zip(self.up, self.joins, strict=True):
            h = stage(torch.cat([h, skips.pop()], dim=1) if joins else h, emb, structure)
        return self.last(h)


def measure(spade: bool, widths: tuple[int, ...] = WIDTHS, side: int = SIDE) -> Evaluation:
    """Return one evaluation of the image network (`spade`) or the structure network; the first one is not counted.

    The networks take 2.2 and 2.6 GB; give one back before the next is measured.
    """
    gmac = counted(spade, widths, side)[1]
    network = PublishedUNet(spade, widths).eval()
    given = torch.randn(1, COLORS, side, side), torch.randn(1, widths[0]), torch.randn(1, MAPS, side, side)
    with torch.inference_mode():
        network(*given)
        began = time.perf_counter()
        network(*given)
        seconds = time.perf_counter() - began
    return Evaluation(seconds, sum(p.numel() for p in network.parameters()), gmac)


def counted(spade: bool, widths: tuple[int, ...] = WIDTHS, side: int = SIDE) -> tuple[int, float]:
    """Return parameters and GMAC of an evaluation, without computing it: attention counts, norms do not."""
    with torch.device("meta"), FlopCounterMode(display=False) as counter:
        network = PublishedUNet(spade, widths).eval()
        network(torch.empty(1, COLORS, side, side), torch.empty(1, widths[0]), torch.empty(1, MAPS, side, side))
    return sum(p.numel() for p in network.parameters()), counter.get_total_flops() / 2e9


def _resized(x: Tensor, by: float) -> Tensor:
    if by == 1:
        return x
    return functional.avg_pool2d(x, 2) if by < 1 else functional.interpolate(x, scale_factor=by)

"""Stage 1: the U-Net with attention gates on its skips that draws a first mask from an image alone.

names of the paper (Oktay et al. 2018, "Attention U-Net", arXiv 1804.03999, equations 1 and 2)
x      features of a skip               W_x, W_g   `of_skip`, `of_gating`
g      gating signal, one level deeper  ψ, b_ψ     `psi`
q_att  attention before the sigmoid     α          what `AttentionGate.attention` returns, 0 to 1
"""

from __future__ import annotations

import torch
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from torch import Tensor, nn
from torch.nn import functional

GROUPS = 8


class AttentionGate(nn.Module):
    """Weighs every pixel of a skip by what the next deeper level makes of it."""

    def __init__(self, skip_width: int, gating_width: int) -> None:
        super().__init__()
        inner = max(skip_width // 2, 1)
        self.of_skip = nn.Conv2d(skip_width, inner, 2, stride=2, bias=False)
        self.of_gating = nn.Conv2d(gating_width, inner, 1)
        self.psi = nn.Conv2d(inner, 1, 1)

    def attention(self, x: Tensor, g: Tensor) -> Tensor:
        """Return α, (B, 1, y, x) in 0 to 1, for a skip (B, C, y, x) and its gating signal (B, G, y/2, x/2)."""
        q_att = self.psi(functional.relu(self.of_skip(x) + self.of_gating(g)))  # (B, 1, y/2, x/2), eq. 1
        alpha = q_att.sigmoid()  # eq. 2
        return functional.interpolate(alpha, scale_factor=2.0, mode="bilinear", align_corners=False)

    def forward(self, x: Tensor, g: Tensor) -> Tensor:
        """Return α · x."""
        return self.attention(x, g) * x


class CoarseNetwork(ModelMixin, ConfigMixin):
    """Image (B, C, y, x) in [−1, 1] → logits (B, K, y, x), one channel for each foreground label. Any y and x.

    Hand-written because no part of diffusers has attention gates, and its U-Nets are built round a noise time. Three departures
    from the paper: group instead of batch normalization (an average of weights has no running statistics, and a user's image
    comes alone), space-to-depth by `patch` (at 2, a fifth of the arithmetic; 1 is the paper's), no deep supervision.
    """

    @register_to_config
    def __init__(
        self, image_channels: int = 3, labels: int = 1, widths: tuple[int, ...] = (32, 64, 96, 128, 160), patch: int = 2
    ) -> None:
        super().__init__()
        pairs = list(zip((image_channels * patch**2, *widths[:-1]), widths, strict=True))
        self.down = nn.ModuleList(_two_convolutions(width, wider) for width, wider in pairs)
        self.gates = nn.ModuleList(AttentionGate(width, wider) for width, wider in pairs[:0:-1])
        self.up = nn.ModuleList(_two_convolutions(wider + width, width) for width, wider in pairs[:0:-1])
        self.last = nn.Conv2d(widths[0], labels * patch**2, 1)

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits; a side that the grid of the deepest level does not divide is padded by its edge."""
        height, width = images.shape[-2:]
        multiple = self.config.patch * 2 ** (len(self.down) - 1)
        padded = functional.pad(images, (0, -width % multiple, 0, -height % multiple), mode="replicate")
        h = functional.pixel_unshuffle(padded, self.config.patch)  # (B, C·patch², y/patch, x/patch)
        skips: list[Tensor] = []
        for i, block in enumerate(self.down):
            h = block(h if i == 0 else functional.max_pool2d(h, 2))  # (B, widths[i], y/patch/2^i, …)
            skips.append(h)
        for gate, block, skip in zip(self.gates, self.up, reversed(skips[:-1]), strict=True):
            gated = gate(skip, h)
            h = block(torch.cat([functional.interpolate(h, scale_factor=2.0), gated], dim=1))
        return functional.pixel_shuffle(self.last(h), self.config.patch)[..., :height, :width]


def _two_convolutions(width: int, wider: int) -> nn.Sequential:
    def one(n: int) -> list[nn.Module]:
        return [nn.Conv2d(n, wider, 3, padding=1, bias=False), nn.GroupNorm(min(GROUPS, wider), wider), nn.ReLU()]

    return nn.Sequential(*one(width), *one(wider))

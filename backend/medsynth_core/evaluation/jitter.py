"""Random views of real images for the judges: a judge must know a lesion in any place, size and light."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True)
class Jitter:
    """What may be drawn: zoom in [`zoom`], shift ± `shift` of the side, turn ± `turn` radians, mirrors (left-right, up-down), and
    contrast and brightness ± `light`.
    """

    zoom: tuple[float, float] = (0.7, 1.1)
    shift: float = 0.1
    turn: float = 0.25
    light: float = 0.2
    mirror: tuple[bool, bool] = (True, True)

    def geometry(self, count: int, generator: torch.Generator) -> Tensor:
        """Return affine parameters (count, 2, 3) for `torch.nn.functional.affine_grid`."""
        low, high = self.zoom
        zoom = low + (high - low) * torch.rand(count, generator=generator)
        angle = self.turn * (2 * torch.rand(count, generator=generator) - 1)
        flipped = (torch.rand(count, 2, generator=generator) < 0.5) & torch.tensor(self.mirror)
        mirror = torch.where(flipped, -1.0, 1.0)
        shift = 2 * self.shift * (2 * torch.rand(count, 2, generator=generator) - 1)
        cos, sin = zoom * angle.cos(), zoom * angle.sin()
        rows = [cos * mirror[:, 0], -sin * mirror[:, 1], shift[:, 0], sin * mirror[:, 0], cos * mirror[:, 1], shift[:, 1]]
        return torch.stack(rows, dim=1).view(count, 2, 3)

    def relight(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """Return images (B, C, y, x) under another contrast and brightness each."""
        contrast, brightness = self.light * (2 * torch.rand(2, len(images), 1, 1, 1, generator=generator) - 1)
        contrast, brightness = contrast.to(images), brightness.to(images)
        return (images * (1 + contrast) + brightness).clamp(-1, 1)


STILL = Jitter((1.0, 1.0), 0.0, 0.0, 0.0, (False, False))
"""Nothing is drawn: images stay as they are."""


def move(theta: Tensor, images: Tensor, mode: str = "bilinear") -> Tensor:
    """Return images (B, C, y, x) seen through the affine; what lies outside repeats the edge."""
    grid = functional.affine_grid(theta.to(images), list(images.shape), align_corners=False)
    return functional.grid_sample(images, grid, mode=mode, padding_mode="border", align_corners=False)

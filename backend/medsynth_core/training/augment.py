"""Augmentation of image and mask together: draw the parameters, then apply them to both.

Only moves that keep the picture plausible for its kind: a flip where anatomy allows it, a few percent of zoom and shift.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True)
class Augmentation:
    """What may be drawn: mirror left-right and up-down, zoom ± `zoom`, shift ± `shift` (shares of the image's side)."""

    mirror_x: bool = True
    mirror_y: bool = False
    zoom: float = 0.08
    shift: float = 0.04

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        """Return affine parameters (B, 2, 3) for `torch.nn.functional.affine_grid`."""
        scale = 1 + self.zoom * (2 * torch.rand(count, generator=generator) - 1)
        signs = torch.where(torch.rand(count, 2, generator=generator) < 0.5, -1.0, 1.0)
        sign_x = signs[:, 0] if self.mirror_x else torch.ones(count)
        sign_y = signs[:, 1] if self.mirror_y else torch.ones(count)
        shift = 2 * self.shift * (2 * torch.rand(count, 2, generator=generator) - 1)
        zero = torch.zeros(count)
        rows = [scale * sign_x, zero, shift[:, 0], zero, scale * sign_y, shift[:, 1]]
        return torch.stack(rows, dim=1).view(count, 2, 3)


def apply(theta: Tensor, images: Tensor, masks: Tensor) -> tuple[Tensor, Tensor]:
    """Return images (B, C, y, x) and one-hot masks (B, K, y, x) under the same affine; edges repeat."""
    grid = functional.affine_grid(theta, list(images.shape), align_corners=False)
    moved = functional.grid_sample(images, grid, padding_mode="border", align_corners=False)
    labels = functional.grid_sample(masks, grid, mode="nearest", padding_mode="border", align_corners=False)
    return moved, labels

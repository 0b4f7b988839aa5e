"""Arrays ↔ tensors, as judges and baseline see them: images in [−1, 1], masks one-hot."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from medsynth_core.evaluation.generator import Images, Masks, Options


def device_of(network: nn.Module) -> torch.device:
    """Return where the network's weights are."""
    return next(network.parameters()).device


def image_tensor(images: Images) -> Tensor:
    """Return (n, c, y, x) float32 in [−1, 1]."""
    return torch.from_numpy(np.ascontiguousarray(images)).float() / 127.5 - 1


def image_array(images: Tensor) -> Images:
    """Return (n, c, y, x) uint8."""
    return ((images.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8).cpu().numpy()


def mask_tensor(masks: Masks, labels: int) -> Tensor:
    """Return (n, labels, y, x) float32, one-hot."""
    return functional.one_hot(torch.from_numpy(masks.astype(np.int64)), labels).movedim(-1, 1).float()


def option_planes(options: Options, sizes: tuple[int, ...], side: tuple[int, int]) -> Tensor:
    """Return (n, sum of sizes, y, x): each option one-hot, the same at every pixel."""
    columns = [functional.one_hot(torch.from_numpy(options[:, i]), size) for i, size in enumerate(sizes)]
    joined = torch.cat(columns, dim=1).float() if columns else torch.zeros(len(options), 0)
    return joined[:, :, None, None].expand(-1, -1, *side)

"""Batches for training: windows cut, colors changed, coarse masks made. All chance comes from one number."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from medsynth_core.engines.refine.coarse_masks import coarsen, signed_distance
from medsynth_core.engines.refine.items import Item, cut, draw_target, draw_window

DISTANCE_PX = 16.0
"""The signed distance that becomes ±1 in the network's input; farther is all the same."""
GREY_SHARE = 0.2
FLAT_SHARE = 0.4


@dataclass(frozen=True)
class Batch:
    """image (B, 3, y, x) in [−1, 1]; fine, coarse (B, 1, y, x) of −1 and 1; distance (B, 1, y, x): coarse, signed, up to ±1."""

    image: Tensor
    fine: Tensor
    coarse: Tensor
    distance: Tensor

    def to(self, device: str) -> Batch:
        """Return the batch on a device."""
        return Batch(*(part.to(device) for part in (self.image, self.fine, self.coarse, self.distance)))


def make_batch(items: list[Item], pixels: int, seed: int, augment: bool = True) -> Batch:
    """Return one window of each item, with a coarse mask of it."""
    rng = np.random.default_rng(seed)
    rows = [_example(item, pixels, rng, augment) for item in items]
    return Batch(*(torch.from_numpy(np.stack(part)).float() for part in zip(*rows, strict=True)))


def _example(item: Item, pixels: int, rng: np.random.Generator, augment: bool) -> tuple[npt.NDArray[np.float32], ...]:
    target = draw_target(item, rng)
    window = draw_window(target, rng)
    image = cut(item.image, window, pixels, order=1) / 127.5 - 1
    fine = cut(target[None], window, pixels, order=0)[0] > 0.5
    coarse = coarsen(fine, rng)
    distance = np.clip(signed_distance(coarse) / DISTANCE_PX, -1, 1)
    image = _recolored(image, item.color, rng) if augment else image
    return image, _signed(fine)[None], _signed(coarse)[None], distance[None]


def _signed(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.float32]:
    return np.where(mask, 1.0, -1.0).astype(np.float32)


def _recolored(image: npt.NDArray[np.float32], color: bool, rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """Change what may differ between scanners, stains and cameras: brightness, contrast, gamma, color balance, noise."""
    if color and rng.random() < GREY_SHARE:
        image = np.broadcast_to(image.mean(axis=0, keepdims=True), image.shape)
    elif not color and rng.random() < FLAT_SHARE:
        image = np.broadcast_to(image[1:2], image.shape)  # a single slice: no neighbors
    x = ((image + 1) / 2) ** float(np.exp(rng.uniform(-0.35, 0.35))) * 2 - 1
    x = x * float(rng.uniform(0.7, 1.3)) + float(rng.uniform(-0.2, 0.2))
    if color:
        x = x * rng.uniform(0.85, 1.15, (3, 1, 1)) + rng.uniform(-0.12, 0.12, (3, 1, 1))
    if rng.random() < 0.3:
        x = x + rng.standard_normal(x.shape) * float(rng.uniform(0, 0.08))
    return np.clip(x, -1, 1).astype(np.float32)

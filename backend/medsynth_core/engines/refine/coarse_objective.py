"""The loss of the coarse network: half binary cross-entropy, half Dice, as published."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

SMOOTHING = 1.0
"""Pixels added to both halves of the Dice: where a label is absent and nothing is predicted, it agrees."""


def coarse_loss(logits: Tensor, truth: Tensor) -> dict[str, Tensor]:
    """Return both terms for logits and truth (B, K, y, x); truth may hold shares, where a pixel lies across a boundary.

    Dice is taken in each image and label by itself, so that a small lesion counts as much as a large one.
    """
    cross_entropy = functional.binary_cross_entropy_with_logits(logits, truth)
    probability = logits.sigmoid()
    both = (probability * truth).sum(dim=(2, 3))
    total = probability.sum(dim=(2, 3)) + truth.sum(dim=(2, 3))
    dice = (2 * both + SMOOTHING) / (total + SMOOTHING)
    return {"bce": 0.5 * cross_entropy, "dice": 0.5 * (1 - dice.mean())}

"""Images larger than the model's grid: windows that overlap, denoised together so that no seam can form.

Every step predicts each window of the same noisy canvas and blends the predictions where windows overlap; the canvas then takes
one step as a whole. Source: Bar-Tal et al. 2023 (MultiDiffusion, arXiv 2302.08113), equation 5, with smooth weights.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

OVERLAP = 0.25
"""Least share of a window that neighbors have in common."""


@dataclass(frozen=True)
class Window:
    """A rectangle of the canvas, in pixels."""

    y: int
    x: int
    height: int
    width: int

    def cut(self, canvas: Tensor) -> Tensor:
        """Return the window's part of (..., y, x)."""
        return canvas[..., self.y : self.y + self.height, self.x : self.x + self.width]


def windows_over(canvas: tuple[int, int], window: tuple[int, int]) -> tuple[Window, ...]:
    """Return windows of equal size that cover a canvas at least as large, evenly placed, overlapping by OVERLAP or more."""
    starts = [_starts(whole, part) for whole, part in zip(canvas, window, strict=True)]
    return tuple(Window(y, x, *window) for y in starts[0] for x in starts[1])


def blended(windows: tuple[Window, ...], predict: Callable[[int, Window], Tensor], canvas: Tensor) -> Tensor:
    """Return the weighted mean of the predictions `predict(i, window)` on a canvas (B, C, y, x)."""
    if len(windows) == 1:
        return predict(0, windows[0])
    total, weights = torch.zeros_like(canvas), torch.zeros_like(canvas[:1, :1])
    for i, window in enumerate(windows):
        weight = _weight(window).to(canvas)
        window.cut(total).add_(weight * predict(i, window))
        window.cut(weights).add_(weight)
    return total / weights


def _starts(whole: int, part: int) -> list[int]:
    if whole < part:
        raise ValueError(f"canvas of {whole} pixels is smaller than a window of {part}")
    stride = math.floor(part * (1 - OVERLAP))
    count = 1 + math.ceil((whole - part) / stride)
    return [round(i * (whole - part) / max(count - 1, 1)) for i in range(count)]


def _weight(window: Window) -> Tensor:
    """Highest in the middle, above zero at the rim (sin² over pixel centers)."""
    rise = [torch.sin(torch.pi * (torch.arange(n) + 0.5) / n).square() for n in (window.height, window.width)]
    return rise[0][:, None] * rise[1][None, :]

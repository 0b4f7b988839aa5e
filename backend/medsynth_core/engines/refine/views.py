"""The eight ways to look at a square: turned by quarters, and mirrored."""

from __future__ import annotations

import torch
from torch import Tensor

COUNT = 8


def turned(window: Tensor, way: int) -> Tensor:
    """Return windows (..., y, x) in the way numbered `way`, counted modulo 8; 0 is as they are."""
    quarters = torch.rot90(window, way % 4, (-2, -1))
    return quarters.flip(-1) if way % COUNT >= 4 else quarters


def turned_back(window: Tensor, way: int) -> Tensor:
    """Return windows (..., y, x) from the way `way` to as they were."""
    return torch.rot90(window.flip(-1) if way % COUNT >= 4 else window, -(way % 4), (-2, -1))

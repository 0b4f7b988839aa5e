"""Fields of touching ellipses and pictures of two stains."""

from __future__ import annotations

import numpy as np

from medsynth_core.engines.nuclei.stain import Stain

SIDE = 96
PURPLE = Stain((0.65, 0.70, 0.29), (0.09, 0.954, 0.283), (1.2, 0.8), (240.0, 240.0, 240.0))


def slide(stain: Stain = PURPLE, seed: int = 0, side: int = 96) -> np.ndarray:
    """Return a picture of mixed amounts of both stains, a fifth of it bare."""
    rng = np.random.default_rng(seed)
    amounts = rng.beta(0.6, 0.6, (2, side * side)) * np.array(stain.full)[:, None]
    amounts[:, rng.random(side * side) < 0.2] = 0
    light = (np.array(stain.white)[:, None] + 1) * np.exp(-stain.matrix @ amounts) - 1
    return light.clip(0, 255).round().astype(np.uint8).reshape(3, side, side)


def ellipses(seed: int, count: int, shape: tuple[int, int] = (SIDE, SIDE), least: float = 5.0, most: float = 11.0) -> np.ndarray:
    """Return touching ellipses: each pixel belongs to the one it lies deepest in."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: shape[0], : shape[1]]
    depth, instances = np.ones(shape), np.zeros(shape, np.int32)
    placed: list[tuple[float, float, float]] = []
    for _ in range(count * 20):
        cy, cx = rng.uniform(0, shape[0]), rng.uniform(0, shape[1])
        a, b, angle = rng.uniform(least, most), rng.uniform(least, most), rng.uniform(0, np.pi)
        if len(placed) == count or any(np.hypot(cy - py, cx - px) < 0.85 * (max(a, b) + r) for py, px, r in placed):
            continue
        placed.append((cy, cx, max(a, b)))
        u, w = (x - cx) * np.cos(angle) + (y - cy) * np.sin(angle), (y - cy) * np.cos(angle) - (x - cx) * np.sin(angle)
        here = (u / a) ** 2 + (w / b) ** 2
        instances[here < depth] = len(placed)
        depth = np.minimum(depth, here)
    return instances

"""A toy world with a known answer: bright squares on noise, the mask is the square, the option its tint."""

from __future__ import annotations

import numpy as np
import pytest

from medsynth_core.evaluation.generator import Pairs

SIDE = 32


def squares(n: int, seed: int, brightness: int = 160) -> Pairs:
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 60, (n, 1, SIDE, SIDE)).astype(np.uint8)
    masks = np.zeros((n, SIDE, SIDE), np.uint8)
    for image, mask in zip(images, masks, strict=True):
        side = rng.integers(6, 15)
        top, left = rng.integers(0, SIDE - side, 2)
        mask[top : top + side, left : left + side] = 1
        image[0][mask > 0] += np.uint8(brightness)
    return Pairs(images, masks, rng.integers(0, 2, (n, 1)), labels=2, option_sizes=(2,))


@pytest.fixture(scope="session")
def real() -> Pairs:
    return squares(48, seed=0)


@pytest.fixture(scope="session")
def held_out() -> Pairs:
    return squares(24, seed=1)

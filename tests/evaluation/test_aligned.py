"""A picture is known again when it lies elsewhere, is bent and lit otherwise; a stranger is not bent into it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import ndimage
from torch import Tensor

from medsynth_core.evaluation.aligned import aligned_likeness, local_correlation
from medsynth_core.evaluation.planting import planted


def scenes(count: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    grain = ndimage.gaussian_filter(rng.standard_normal((count, 1, 64, 64)), (0, 0, 3, 3), mode="wrap")
    return (128 + 50 * grain / grain.std()).clip(0, 255).astype(np.uint8)


def grey(images: np.ndarray) -> Tensor:
    return torch.from_numpy(images).float() / 255


def test_a_bent_and_recolored_copy_is_known_and_a_stranger_is_not() -> None:
    images = scenes(8, seed=0)
    copies = aligned_likeness(grey(planted(images, seed=1)), grey(images))
    strangers = aligned_likeness(grey(scenes(8, seed=2)), grey(images))
    assert copies.min() > 0.9
    assert strangers.max() < 0.8


def test_as_they_lie_the_same_copies_are_not_alike() -> None:
    images = scenes(8, seed=0)
    assert local_correlation(grey(planted(images, seed=1)), grey(images)).median() < 0.7


def test_light_does_not_matter() -> None:
    x = grey(scenes(3, seed=3))
    assert local_correlation(x, 0.5 * x + 0.2).numpy() == pytest.approx(np.ones(3), abs=0.01)


def test_a_negative_is_no_copy() -> None:
    x = grey(scenes(3, seed=3))
    assert local_correlation(x, 1 - x).max() < -0.9


def test_pictures_without_any_content_are_not_alike() -> None:
    empty = torch.zeros(1, 1, 64, 64)
    assert aligned_likeness(empty, empty)[0] == pytest.approx(0, abs=1e-6)


def test_no_pairs_give_no_figures() -> None:
    assert aligned_likeness(torch.zeros(0, 1, 64, 64), torch.zeros(0, 1, 64, 64)).shape == (0,)


def test_planting_repeats_and_changes_color_images_alike() -> None:
    images = np.repeat(scenes(2, seed=4), 3, axis=1)
    assert np.array_equal(planted(images, 5), planted(images, 5))
    assert planted(images, 5).shape == images.shape
    assert not np.array_equal(planted(images, 5), planted(images, 6))
    assert np.abs(planted(images, 5).astype(int) - images).mean() > 5

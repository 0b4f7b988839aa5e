"""Diversity: copies have none, unrelated images have one."""

from __future__ import annotations

import numpy as np
import pytest

from medsynth_core.errors import InputError, ShapeError
from medsynth_core.evaluation.diversity import diversity, spread


def test_images_that_are_all_alike_have_no_diversity() -> None:
    one = np.random.default_rng(0).standard_normal((1, 16))
    assert spread(np.repeat(one, 5, axis=0)) == pytest.approx(0, abs=1e-12)


def test_unrelated_images_differ_by_one_and_opposite_ones_by_two() -> None:
    assert spread(np.eye(4)) == pytest.approx(1)
    assert spread(np.array([[1.0, 2.0], [-1.0, -2.0]])) == pytest.approx(2)


def test_length_does_not_count() -> None:
    features = np.random.default_rng(0).standard_normal((6, 8))
    assert spread(features * np.arange(1, 7)[:, None]) == pytest.approx(spread(features))


def test_the_mean_is_that_of_all_pairs() -> None:
    features = np.random.default_rng(1).standard_normal((5, 3))
    unit = features / np.linalg.norm(features, axis=1, keepdims=True)
    by_hand = np.mean([1 - unit[i] @ unit[j] for i in range(5) for j in range(5) if i != j])
    assert spread(features) == pytest.approx(by_hand)


def test_a_generator_that_ignores_its_seed_has_no_diversity_within_a_mask_but_across_masks() -> None:
    rng = np.random.default_rng(2)
    made = [np.repeat(rng.standard_normal((1, 8)), 3, axis=0) for _ in range(4)]
    found = diversity(made, rng.standard_normal((9, 8)))
    assert found.same_mask == pytest.approx(0, abs=1e-12)
    assert found.across_masks > 0.2


def test_one_image_and_other_shapes_are_refused() -> None:
    with pytest.raises(InputError, match="two at least"):
        spread(np.ones((1, 4)))
    with pytest.raises(ShapeError, match="items, length"):
        spread(np.ones(4))

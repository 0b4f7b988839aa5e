"""Diversity: copies have none, unrelated images have one."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from medsynth_core.errors import InputError, ShapeError
from medsynth_core.evaluation.diversity import spread
from medsynth_core.evaluation.likeness_figures import diversity_figures, kid_figure


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
    masks = rng.standard_normal((4, 8))
    across, same = diversity_figures(
        [np.repeat(one[None], 3, axis=0) for one in masks], masks, rng.standard_normal((9, 8)), "judge"
    )
    assert same.value == pytest.approx(0, abs=1e-12)
    assert across.value > 0.2
    assert same.beside == across.beside
    assert "3 seeds for each of 4 masks" in same.recipe


def test_without_repeats_only_the_diversity_across_is_told() -> None:
    assert [f.key for f in diversity_figures([], np.eye(3), np.eye(4), "judge")] == ["diversity_across"]


def test_kid_stands_beside_its_floor_and_is_null_in_json_where_it_has_no_meaning() -> None:
    features = np.random.default_rng(0).standard_normal((40, 8))
    figure = kid_figure(features + 1, features, "judge-1")
    assert figure.value > 10 * abs(figure.beside or 0)
    assert "judge-1" in figure.recipe
    assert dataclasses.replace(figure, value=math.nan).record()["value"] is None
    assert dataclasses.replace(figure, value=math.nan).said.startswith("–")


def test_one_image_and_other_shapes_are_refused() -> None:
    with pytest.raises(InputError, match="two at least"):
        spread(np.ones((1, 4)))
    with pytest.raises(ShapeError, match="items, length"):
        spread(np.ones(4))

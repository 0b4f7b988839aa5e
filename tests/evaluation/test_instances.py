"""PQ, AJI and Dice against fields whose values are worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from medsynth_core.errors import ShapeError
from medsynth_core.evaluation.instances import aggregated_jaccard, foreground_dice, panoptic_quality


def field(*boxes: tuple[int, int, int, int]) -> np.ndarray:
    made = np.zeros((20, 20), np.uint16)
    for number, (y, x, height, width) in enumerate(boxes, 3):
        made[y : y + height, x : x + width] = number
    return made


TRUE = field((0, 0, 4, 4), (10, 10, 4, 4))


def test_a_perfect_match_is_1_whatever_the_numbers() -> None:
    renumbered = np.where(TRUE > 0, 900 - TRUE, 0)
    assert panoptic_quality(renumbered, TRUE).value == 1
    assert aggregated_jaccard(renumbered, TRUE) == foreground_dice(renumbered, TRUE) == 1


def test_a_shifted_a_missed_and_an_invented_nucleus_count_as_published() -> None:
    found = field((0, 1, 4, 4), (0, 15, 2, 2))  # IoU 12/20 with the first; the second is missed; one is made up
    quality = panoptic_quality(found, TRUE)
    assert (quality.matched, quality.missed, quality.invented) == (1, 1, 1)
    assert quality.value == pytest.approx(0.6 / 2)
    assert quality.segmentation == pytest.approx(0.6)
    assert aggregated_jaccard(found, TRUE) == pytest.approx(12 / (20 + 16 + 4))
    assert foreground_dice(found, TRUE) == pytest.approx(2 * 12 / (20 + 32))


def test_a_merge_costs_more_than_its_dice_tells() -> None:
    two = field((5, 2, 6, 6), (5, 8, 6, 6))
    merged = np.where(two > 0, 1, 0)
    assert foreground_dice(merged, two) == 1
    assert panoptic_quality(merged, two).value == 0
    assert aggregated_jaccard(merged, two) == pytest.approx(72 / 144)


def test_empty_fields() -> None:
    empty = field()
    assert panoptic_quality(empty, empty).value == aggregated_jaccard(empty, empty) == foreground_dice(empty, empty) == 1
    assert panoptic_quality(empty, TRUE).value == aggregated_jaccard(empty, TRUE) == aggregated_jaccard(TRUE, empty) == 0


def test_qualities_of_fields_add_up() -> None:
    both = panoptic_quality(TRUE, TRUE) + panoptic_quality(field(), TRUE)
    assert (both.matched, both.missed, both.value) == (2, 2, pytest.approx(2 / 3))


def test_fields_of_other_sizes_are_refused() -> None:
    with pytest.raises(ShapeError, match="must match"):
        panoptic_quality(TRUE, TRUE[:5])

"""Volumes cut into slices with neighbors, and Dice over whole volumes."""

from __future__ import annotations

import numpy as np
import pytest

from medsynth_core.errors import InputError, ShapeError
from medsynth_core.evaluation.volume_segmenter import slice_pairs, volume_dice, volume_dices, with_neighbors


def volume(slices: int = 8, painted: tuple[int, int] = (2, 5)) -> tuple[np.ndarray, np.ndarray]:
    image = np.arange(slices, dtype=np.uint8)[:, None, None] * np.ones((1, 16, 16), np.uint8)
    mask = np.zeros(image.shape, bool)
    mask[painted[0] : painted[1], 4:9, 4:9] = True
    return image, mask


def test_a_slice_stands_between_its_neighbors_and_the_ends_repeat() -> None:
    seen = with_neighbors(volume()[0])
    assert seen.shape == (8, 3, 16, 16)
    assert seen[3, :, 0, 0].tolist() == [2, 3, 4]
    assert seen[0, :, 0, 0].tolist() == [0, 0, 1]
    assert seen[7, :, 0, 0].tolist() == [6, 7, 7]


def test_every_slice_with_tumor_is_learned_from_and_as_many_without() -> None:
    pairs = slice_pairs([volume(), volume(10, (0, 2))])
    assert len(pairs) == 2 * 3 + 2 * 2
    assert pairs.masks.any(axis=(1, 2)).sum() == 5
    assert pairs.images.shape == (10, 3, 16, 16)
    assert pairs.labels == 2


def test_a_volume_full_of_tumor_lends_no_bare_slice() -> None:
    assert len(slice_pairs([volume(4, (0, 4))])) == 4


def test_nothing_to_learn_is_an_error() -> None:
    with pytest.raises(InputError, match="no volume holds a tumor"):
        slice_pairs([volume(8, (3, 3))])
    with pytest.raises(InputError):
        slice_pairs([])


def test_dice_is_of_the_volume_not_of_its_slices() -> None:
    _, mask = volume()
    half = mask.copy()
    half[4] = False
    assert volume_dice(half, mask) == pytest.approx(2 * 2 / 5)
    assert volume_dice(mask, mask) == 1
    assert volume_dice(~mask & False, mask) == 0
    assert volume_dice(~mask & False, ~mask & False) == 1
    with pytest.raises(ShapeError):
        volume_dice(mask, mask[1:])


def test_a_segmenter_that_sees_the_truth_scores_1_and_a_blind_one_0() -> None:
    image, mask = volume()
    bright = np.where(mask, 200, image).astype(np.uint8)
    found = volume_dices(lambda x: (x[:, 1] > 100).astype(np.uint8), [(bright, mask), (image, mask)])
    assert found.tolist() == [1, 0]

"""The figures on cases whose answer is known beforehand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medsynth_core.errors import InputError, ShapeError
from medsynth_core.evaluation.metrics import boundary_iou, dice, kid, label_dice, split_half_kid, standard_width_px


def square(top: int, left: int, side: int, grid: int = 32) -> np.ndarray:
    mask = np.zeros((1, grid, grid), np.uint8)
    mask[0, top : top + side, left : left + side] = 1
    return mask


def normal(n: int, d: int = 32, mean: float = 0.0, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(mean, 1.0, (n, d))


def test_dice_of_two_half_overlapping_squares_is_a_half() -> None:
    assert dice(square(4, 4, 8), square(4, 8, 8))[0] == pytest.approx(0.5)


def test_dice_knows_equal_disjoint_and_empty_masks() -> None:
    a, b, empty = square(0, 0, 4), square(20, 20, 4), np.zeros((1, 32, 32), np.uint8)
    assert [dice(x, y)[0] for x, y in ((a, a), (a, b), (a, empty), (empty, empty))] == [1.0, 0.0, 0.0, 1.0]


def test_any_nonzero_value_is_foreground() -> None:
    assert dice(square(2, 2, 5) * 255, square(2, 2, 5))[0] == 1.0


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=25, deadline=None)
def test_dice_is_symmetric_and_between_0_and_1(seed: int) -> None:
    a, b = np.random.default_rng(seed).random((2, 3, 8, 8)) < 0.4
    assert np.array_equal(dice(a, b), dice(b, a))
    assert ((dice(a, b) >= 0) & (dice(a, b) <= 1)).all()


def test_label_dice_counts_each_label_alike_whatever_its_area() -> None:
    truth = square(0, 0, 16) + 2 * square(28, 28, 2)
    only_the_big_one = square(0, 0, 16)
    assert label_dice(only_the_big_one, truth)[0] == pytest.approx(0.5)


def test_label_dice_leaves_out_labels_a_mask_does_not_hold() -> None:
    truth = np.concatenate([square(0, 0, 8), 2 * square(0, 0, 8)])
    assert label_dice(truth, truth).tolist() == [1.0, 1.0]


def test_label_dice_refuses_an_empty_mask() -> None:
    with pytest.raises(InputError, match="empty"):
        label_dice(square(0, 0, 4), np.zeros((1, 32, 32), np.uint8))


def test_boundary_iou_sees_a_ring_that_dice_forgives() -> None:
    big, one_pixel_less = square(4, 4, 24), square(5, 5, 22)
    assert dice(big, one_pixel_less)[0] > 0.9
    assert boundary_iou(big, one_pixel_less, width_px=1)[0] == 0.0
    assert boundary_iou(big, big)[0] == 1.0


def test_a_lesion_cut_by_the_frame_has_an_edge_there() -> None:
    whole = np.ones((1, 16, 16), np.uint8)
    cut = whole.copy()
    cut[0, 0] = 0
    assert boundary_iou(whole, cut, width_px=1)[0] < 1.0


def test_masks_of_different_shape_are_refused() -> None:
    with pytest.raises(ShapeError, match="one shape"):
        dice(np.zeros((1, 4, 4)), np.zeros((1, 4, 5)))


def test_kid_of_one_distribution_is_zero_within_its_spread() -> None:
    found = kid(normal(400, seed=1), normal(400, seed=2))
    assert abs(found.mean) < 2 * found.sd / np.sqrt(10)


def test_kid_is_unbiased_at_small_numbers() -> None:
    values = [kid(normal(10, seed=2 * i), normal(10, seed=2 * i + 1), subsets=1).mean for i in range(400)]
    assert abs(np.mean(values)) < 3 * np.std(values) / np.sqrt(len(values))
    assert min(values) < 0  # an estimate clipped at zero could not be unbiased


def test_kid_grows_with_the_shift() -> None:
    real = normal(300)
    near, far = (kid(real, normal(300, mean=mean, seed=9)).mean for mean in (0.3, 1.0))
    assert 0.01 < near < far


def test_kid_sees_a_collapse_to_one_image() -> None:
    real = normal(200)
    assert kid(real, np.repeat(real[:1], 200, axis=0)).mean > 1


def test_kid_agrees_with_the_formula_written_out() -> None:
    x, y = normal(5, d=3, seed=3), normal(5, d=3, mean=0.5, seed=4)
    k = lambda a, b: (a @ b / 3 + 1) ** 3  # noqa: E731  reads as the formula
    pairs = [(i, j) for i in range(5) for j in range(5)]
    within = sum(k(v[i], v[j]) for v in (x, y) for i, j in pairs if i != j) / 20
    assert kid(x, y, subsets=1).mean == pytest.approx(within - 2 * np.mean([k(x[i], y[j]) for i, j in pairs]))


def test_kid_repeats_with_its_seed() -> None:
    a, b = normal(90, seed=1), normal(90, seed=2)
    assert kid(a, b, seed=5) == kid(a, b, seed=5) != kid(a, b, seed=6)


def test_kid_refuses_features_that_do_not_fit() -> None:
    with pytest.raises(ShapeError):
        kid(normal(10, d=3), normal(10, d=4))
    with pytest.raises(InputError, match="two items"):
        kid(normal(1), normal(10))


def test_the_floor_is_far_below_a_shifted_set() -> None:
    real = normal(200)
    assert abs(split_half_kid(real).mean) < 0.1 * kid(real, normal(200, mean=1.0, seed=8)).mean


def test_the_published_width_is_two_percent_of_the_diagonal() -> None:
    assert [standard_width_px(size) for size in ((256, 256), (512, 512), (1024, 2048), (5, 5))] == [7, 14, 46, 1]

"""A lesion of another mask in the place of one of the mask's own."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from medsynth_core.imaging.lesion_swap import lesions, swapped


def square(shape: tuple[int, int], top: int, left: int, side: int, value: int = 1) -> np.ndarray:
    mask = np.zeros(shape, np.uint8)
    mask[top : top + side, left : left + side] = value
    return mask


def swap(labels: np.ndarray, donor: np.ndarray, seed: int = 0, values: tuple[int, ...] = ()) -> np.ndarray:
    return swapped(labels, donor, np.random.default_rng(seed), values)


def test_the_new_lesion_has_the_others_shape_at_the_old_ones_place() -> None:
    disc = (np.hypot(*np.mgrid[-32:32, -32:32]) < 9).astype(np.uint8)
    mask = square((64, 64), 40, 12, 5)
    made = swap(mask, disc)
    assert made.sum() == disc.sum()
    np.testing.assert_allclose(ndimage.center_of_mass(made), ndimage.center_of_mass(mask), atol=1)


def test_only_one_of_several_lesions_is_replaced() -> None:
    mask = square((64, 64), 4, 4, 6) | square((64, 64), 40, 40, 6)
    made = swap(mask, square((64, 64), 20, 20, 10))
    assert sorted(np.bincount(lesions(made)[0].ravel())[1:]) == [36, 100]


def test_the_organ_closes_behind_its_lesion_and_only_lesions_move() -> None:
    organ = square((64, 64), 8, 8, 48, value=1)
    mask, donor = organ.copy(), organ.copy()
    mask[20:32, 20:32], donor[30:34, 30:34] = 2, 2
    made = swap(mask, donor, values=(2,))
    assert (made == 2).sum() == 16
    assert ((made != 0) == (organ != 0)).all()


def test_a_lesion_of_a_larger_picture_is_as_large_in_shares_of_it() -> None:
    made = swap(square((64, 64), 30, 30, 4), square((128, 128), 50, 50, 32))
    assert made.sum() == 16 * 16


def test_the_same_seed_gives_the_same_and_sources_are_not_touched() -> None:
    mask = square((64, 64), 4, 4, 6) | square((64, 64), 40, 40, 6)
    donor = square((64, 64), 20, 20, 10) | square((64, 64), 50, 4, 3)
    before = mask.copy(), donor.copy()
    made = {swap(mask, donor, seed).tobytes() for seed in range(12)}
    assert len(made) > 1
    assert swap(mask, donor, 3).tobytes() == swap(mask, donor, 3).tobytes()
    np.testing.assert_array_equal(mask, before[0])
    np.testing.assert_array_equal(donor, before[1])


@pytest.mark.parametrize(
    ("mask", "donor"),
    [
        (np.zeros((16, 16), np.uint8), square((16, 16), 2, 2, 3)),
        (square((16, 16), 2, 2, 3), np.zeros((16, 16), np.uint8)),
        (square((16, 16), 0, 0, 1), square((16, 16), 2, 2, 12)),
        (square((4, 4), 1, 1, 2), square((64, 64), 33, 33, 1)),
    ],
    ids=["no lesion", "none there", "out of the picture", "too small to be left"],
)
def test_what_cannot_be_swapped_stays(mask: np.ndarray, donor: np.ndarray) -> None:
    np.testing.assert_array_equal(swap(mask, donor), mask)


def test_the_values_of_the_donor_come_along_in_the_dtype_of_the_mask() -> None:
    donor = square((32, 32), 8, 8, 9, value=2)
    donor[11:14, 11:14] = 3
    made = swap(square((32, 32), 10, 10, 4).astype(np.uint16), donor)
    assert made.dtype == np.uint16
    assert set(np.unique(made)) == {0, 2, 3}

"""The coarse-mask generator: every kind makes the IoU it is asked for, and none makes nonsense."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medsynth_core.engines.refine.coarse_masks import IDENTITY_SHARE, KINDS, coarsen, overlap, signed_distance
from tests.toy_pairs import disc

SIDE = 96
ROUND = disc(SIDE, (48, 45), 22)
TWO_LOBES = disc(SIDE, (40, 34), 16) | disc(SIDE, (58, 60), 14)
SHAPES = {"round": ROUND, "two lobes": TWO_LOBES, "bar": np.pad(np.ones((12, 60), bool), ((40, 44), (18, 18)))}
LOOSE = {"brush": 0.25, "rounded": 0.4, "blocky": 0.25, "holed": 0.2, "split or merged": 0.35, "polygon": 0.25}


@pytest.mark.parametrize("kind", sorted(KINDS))
@pytest.mark.parametrize("shape", sorted(SHAPES))
def test_each_kind_comes_near_the_overlap_asked_for(kind: str, shape: str) -> None:
    rng = np.random.default_rng(1)
    made = [overlap(KINDS[kind](SHAPES[shape], rng, 0.75), SHAPES[shape]) for _ in range(5)]
    assert np.mean(made) == pytest.approx(0.75, abs=LOOSE.get(kind, 0.1))


@given(st.integers(0, 2**31), st.integers(1, 30), st.floats(0, SIDE), st.floats(0, SIDE))
@settings(max_examples=60)
def test_a_coarse_mask_of_something_is_something(seed: int, radius: int, y: float, x: float) -> None:
    mask = disc(SIDE, (y, x), radius)
    made = coarsen(mask, np.random.default_rng(seed))
    assert made.shape == mask.shape
    assert made.dtype == bool
    assert made.any() == mask.any()


@pytest.mark.parametrize("extreme", [np.ones((SIDE, SIDE), bool), np.eye(SIDE, dtype=bool)])
def test_a_full_mask_and_a_thin_one_are_survived(extreme: np.ndarray) -> None:
    for seed in range(40):
        assert coarsen(extreme, np.random.default_rng(seed)).any()


def test_an_empty_mask_stays_empty() -> None:
    assert not coarsen(np.zeros((SIDE, SIDE), bool), np.random.default_rng(0)).any()


def test_about_one_mask_in_eight_stays_as_it_is() -> None:
    same = [np.array_equal(coarsen(ROUND, np.random.default_rng(i)), ROUND) for i in range(300)]
    assert np.mean(same) == pytest.approx(IDENTITY_SHARE, abs=0.06)


def test_the_true_mask_is_not_changed_in_place() -> None:
    before = TWO_LOBES.copy()
    for seed in range(30):
        coarsen(TWO_LOBES, np.random.default_rng(seed))
    assert np.array_equal(before, TWO_LOBES)


def test_the_same_seed_makes_the_same_mask() -> None:
    assert np.array_equal(coarsen(ROUND, np.random.default_rng(7)), coarsen(ROUND, np.random.default_rng(7)))


def test_severity_covers_the_range_from_rough_to_nearly_right() -> None:
    made = [overlap(coarsen(TWO_LOBES, np.random.default_rng(i)), TWO_LOBES) for i in range(200)]
    assert np.mean(np.array(made) < 0.7) > 0.15
    assert np.mean(np.array(made) > 0.9) > 0.15


def test_the_signed_distance_is_half_a_pixel_beside_the_boundary() -> None:
    half = np.zeros((8, 8), bool)
    half[:, 4:] = True
    assert signed_distance(half)[0].tolist() == [-3.5, -2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 3.5]
    assert (signed_distance(np.zeros((4, 4), bool)) < 0).all()
    assert (signed_distance(np.ones((4, 4), bool)) > 0).all()

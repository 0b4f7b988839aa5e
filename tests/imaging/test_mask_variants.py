"""Variants of a mask keep its labels and its lesion, follow from the seed, and differ from it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medsynth_core.imaging.mask_variants import MaskJitter, Variant, apply, draw, mask_variant
from tests.toy_pairs import disc

LESION = disc(64, (30, 34), 9).astype(np.uint8) * 3
STILL = MaskJitter((False, False), (1.0, 1.0), 0.0, 0.0, 0.0)


@given(st.integers(0, 10_000))
def test_a_variant_holds_labels_of_its_source_only_and_still_shows_the_lesion(seed: int) -> None:
    made = mask_variant(LESION, seed)
    assert made.dtype == LESION.dtype
    assert made.shape == LESION.shape
    assert set(np.unique(made).tolist()) == {0, 3}
    assert 0.35 < made.astype(bool).sum() / LESION.astype(bool).sum() < 2.0


def test_the_same_seed_gives_the_same_mask_and_others_another() -> None:
    assert (mask_variant(LESION, 5) == mask_variant(LESION, 5)).all()
    assert len({mask_variant(LESION, seed).tobytes() for seed in range(20)}) == 20


def test_without_anything_to_draw_the_mask_comes_back() -> None:
    assert (mask_variant(LESION, 0, STILL) == LESION).all()


def test_a_zoom_of_two_makes_a_disc_twice_as_wide() -> None:
    made = apply(Variant(np.eye(2) / 2, np.zeros(2), np.zeros((2, 4, 4)), 2.0), disc(64, (31.5, 31.5), 8).astype(np.uint8))
    assert made.any(axis=0).sum() == pytest.approx(32, abs=2)


def test_a_shift_moves_by_its_share_of_the_side() -> None:
    made = apply(Variant(np.eye(2), np.array([0.25, 0.0]), np.zeros((2, 4, 4)), 1.0), LESION)
    assert (made[: 64 - 16] == LESION[16:]).all()


def test_a_mask_at_the_edge_never_leaves_the_picture() -> None:
    corner = np.zeros((64, 64), np.uint8)
    corner[:6, :6] = 1
    assert all(mask_variant(corner, seed).sum() >= 12 for seed in range(50))


def test_a_mask_that_fills_the_picture_is_not_redrawn_for_ever() -> None:
    assert mask_variant(np.ones((16, 16), np.uint8), 0).any()


def test_up_and_down_stay_unless_asked_for() -> None:
    turned = MaskJitter(zoom=(1.0, 1.0), shift=0.0, turn=0.0, bend=0.0)
    drawn = [draw(turned, np.random.default_rng(seed)).matrix for seed in range(40)]
    assert {matrix[0, 0] for matrix in drawn} == {1.0}
    assert {matrix[1, 1] for matrix in drawn} == {1.0, -1.0}

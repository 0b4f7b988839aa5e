"""Windows: every object is seen, at the scale it needs, however large the image."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from medsynth_core.engines.refine.items import Item, Window, cut, draw_target, draw_window
from medsynth_core.engines.refine.windows import LEAST_SIDE_PX, squares_over
from tests.toy_pairs import disc


def seen_by(mask: np.ndarray) -> np.ndarray:
    covered = np.zeros(mask.shape, bool)
    for s in squares_over(mask):
        covered[max(0, s.y) : max(0, s.y + s.side), max(0, s.x) : max(0, s.x + s.side)] = True
    return covered


@given(st.integers(0, 2**31))
@settings(max_examples=60)
def test_every_boundary_lies_in_a_window(seed: int) -> None:
    rng = np.random.default_rng(seed)
    mask = np.zeros((180, 240), bool)
    for _ in range(rng.integers(1, 12)):
        y, x = np.mgrid[:180, :240]
        center, radii = rng.uniform((0, 0), (180, 240)), rng.uniform(1, 50, 2)
        mask |= ((y - center[0]) / radii[0]) ** 2 + ((x - center[1]) / radii[1]) ** 2 <= 1
    rim = mask & ~ndimage.binary_erosion(mask)
    assert (seen_by(mask) | ~rim).all()


def test_one_round_object_gets_one_window_about_twice_its_width() -> None:
    (square,) = squares_over(disc(200, (90, 110), 30))
    assert square.side == pytest.approx(2.2 * 60, rel=0.15)
    assert square.y + square.side / 2 == pytest.approx(90, abs=2)
    assert square.x + square.side / 2 == pytest.approx(110, abs=2)


def test_a_long_thin_object_gets_a_row_of_close_windows() -> None:
    vessel = np.zeros((100, 600), bool)
    vessel[48:54] = True
    squares = squares_over(vessel)
    assert len(squares) > 10
    assert all(square.side == LEAST_SIDE_PX for square in squares)


def test_an_empty_mask_gets_none() -> None:
    assert squares_over(np.zeros((50, 50), bool)) == []


def test_a_hundred_small_objects_share_windows() -> None:
    mask = np.zeros((256, 256), bool)
    mask[np.ix_([r for r in range(256) if r % 9 < 6], [c for c in range(256) if c % 9 < 6])] = True
    assert len(squares_over(mask)) < 0.4 * 29**2


def test_a_training_window_shows_its_object() -> None:
    rng = np.random.default_rng(0)
    mask = disc(128, (20, 100), 14)
    for _ in range(50):
        assert cut(mask[None].astype(np.float32), draw_window(mask, rng), 32, order=0).any()


def test_a_window_that_is_not_turned_gives_the_pixels_themselves() -> None:
    image = np.arange(2 * 20 * 20, dtype=np.float32).reshape(2, 20, 20)
    window = cut(image, Window((9.5, 7.5), 8), 8, order=1)
    assert np.allclose(window, image[:, 6:14, 4:12])


def test_a_shrunk_window_averages_instead_of_aliasing() -> None:
    stripes = np.tile(np.array([0.0, 1.0], np.float32), (64, 32))[None]
    window = cut(stripes, Window((31.5, 31.5), 64), 16, order=1)
    assert np.abs(window[:, 2:-2, 2:-2] - 0.5).max() < 0.15


def test_of_instances_now_and_then_a_single_one_is_the_target() -> None:
    mask = np.zeros((40, 40), np.uint16)
    mask[5:12, 5:12], mask[20:30, 20:30] = 1, 2
    item = Item("toy", "a", "a", np.zeros((3, 40, 40), np.uint8), mask, instances=True)
    sizes = {int(draw_target(item, np.random.default_rng(i)).sum()) for i in range(40)}
    assert sizes == {49, 100, 149}

"""The rivals on toy pictures: those that look at the image find a plain disc, and none is thrown by odd input."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from medsynth_core.errors import ShapeError
from medsynth_core.evaluation.metrics import boundary_iou
from medsynth_core.evaluation.refiners import RIVALS, Refiner, chan_vese, geodesic, refined_by, walked_randomly
from medsynth_core.strength import object_width_px
from tests.toy_pairs import disc

BY_IMAGE = {
    "random walker": partial(walked_randomly, share=0.2),
    "Chan–Vese": partial(chan_vese, share=0.1),
    "geodesic contour": partial(geodesic, share=0.1, sigma=2.0),
}
"""With more reach than the defaults, which must not spoil masks that are good already."""


def scene(side: int = 96, radius: float = 24, color: bool = False) -> tuple[np.ndarray, np.ndarray]:
    truth = disc(side, (side / 2, side / 2), radius)
    image = np.where(truth, 170, 80) + np.random.default_rng(0).normal(0, 8, (side, side))
    grey = image.clip(0, 255).astype(np.uint8)
    return (np.stack([grey, grey // 2, grey // 3], axis=-1) if color else grey), truth


def wavering(truth: np.ndarray, amount: float, seed: int = 1, sigma: float = 4.0) -> np.ndarray:
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).standard_normal(truth.shape), sigma)
    distance = ndimage.distance_transform_edt(truth) - ndimage.distance_transform_edt(~truth)
    return distance + amount * noise / noise.std() > 0


@pytest.mark.parametrize("color", [False, True])
@pytest.mark.parametrize("method", BY_IMAGE.values(), ids=list(BY_IMAGE))
def test_a_plain_disc_is_found(method: Refiner, color: bool) -> None:
    image, truth = scene(color=color)
    rough = wavering(truth, 3.0)
    made = method(image, rough)
    before, after = (boundary_iou(mask[None], truth[None])[0] for mask in (rough, made))
    assert after > before + 0.1


@pytest.mark.parametrize("scale", [1, 2])
@pytest.mark.parametrize("method", BY_IMAGE.values(), ids=list(BY_IMAGE))
def test_a_finer_grid_is_refined_alike(method: Refiner, scale: int) -> None:
    image, truth = scene()
    rough = wavering(truth, 3.0)
    image, truth, rough = (array.repeat(scale, 0).repeat(scale, 1) for array in (image, truth, rough))
    made = method(image, rough)
    assert (made & truth).sum() / (made | truth).sum() > (rough & truth).sum() / (rough | truth).sum()


def test_a_ragged_outline_becomes_smooth_without_looking_at_the_image() -> None:
    truth = disc(96, (48, 48), 30)
    ragged = wavering(truth, 4.0, sigma=1.0)
    for name in ("opening + closing", "Gaussian smoothing"):
        made = refined_by(name, np.zeros((96, 96), np.uint8), ragged)
        assert object_width_px(made) > 1.3 * object_width_px(ragged)  # the same area with less rim
        assert (made ^ truth).sum() < 0.9 * (ragged ^ truth).sum()


@pytest.mark.parametrize("name", RIVALS)
@given(st.integers(0, 2**32 - 1), st.integers(1, 24), st.integers(1, 24), st.booleans())
@settings(max_examples=15)
def test_any_mask_on_any_image_gives_a_mask(name: str, seed: int, y: int, x: int, color: bool) -> None:
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 256, (y, x, 3) if color else (y, x), dtype=np.uint8)
    mask = rng.random((y, x)) < rng.uniform(0, 1)
    made = refined_by(name, image, mask)
    assert (made.shape, made.dtype) == (mask.shape, np.dtype(bool))
    assert made.any() == mask.any()


@pytest.mark.parametrize("name", RIVALS)
def test_the_input_is_left_as_it_was(name: str) -> None:
    image, truth = scene()
    kept = image.copy(), truth.copy()
    refined_by(name, image, truth)
    assert np.array_equal(image, kept[0])
    assert np.array_equal(truth, kept[1])


@pytest.mark.parametrize("name", RIVALS)
def test_an_image_of_one_color_says_nothing_and_breaks_nothing(name: str) -> None:
    mask = disc(64, (30, 30), 12)
    made = refined_by(name, np.full((64, 64), 9, np.uint8), mask)
    assert (made & mask).sum() > 0.8 * mask.sum()


def test_the_thin_parts_keep_a_seed_of_the_random_walker() -> None:
    image = np.full((64, 64), 60, np.uint8)
    line = np.zeros((64, 64), bool)
    line[31:33, 8:56] = True
    body = disc(64, (16, 16), 8)
    image[line | body] = 200
    made = refined_by("random walker", image, line | body)
    assert (made & line).sum() > 0.9 * line.sum()


def test_an_image_of_another_grid_is_refused() -> None:
    with pytest.raises(ShapeError, match="mask's grid"):
        refined_by("random walker", np.zeros((4, 5), np.uint8), np.ones((5, 4), bool))

"""Grain: what is measured in a tile is what a smooth image gets, where it is wanted and nowhere else."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from medsynth_core.engines.nuclei.grain import BANDS, grain_of, with_grain
from medsynth_core.engines.nuclei.prior import Likeness, Prior
from medsynth_core.engines.nuclei.stain import Stain, stain_of, varied

SIDE = 128
EVERYWHERE = np.ones((SIDE, SIDE), bool)


def noise(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((BANDS, SIDE, SIDE))


def tissue(amount: float, blur_px: float = 1.0, seed: int = 1) -> np.ndarray:
    """A pink field whose optical density fluctuates by `amount`."""
    field = ndimage.gaussian_filter(np.random.default_rng(seed).standard_normal((SIDE, SIDE)), blur_px)
    density = np.array([0.3, 0.7, 0.4])[:, None, None] * (1 + amount * field / field.std())
    return np.exp(-np.maximum(density, 0))


def test_a_smooth_image_gets_the_grain_of_the_tile() -> None:
    wanted = grain_of(tissue(0.08))
    made = with_grain(tissue(0.0), wanted, noise(), EVERYWHERE)
    assert np.allclose(grain_of(made), wanted, rtol=0.25, atol=0.002)


def test_an_image_with_more_texture_than_wanted_stays_as_it_is() -> None:
    image = tissue(0.1)
    assert np.allclose(with_grain(image, (0.0,) * BANDS, noise(), EVERYWHERE), image)


def test_pixels_that_are_kept_are_kept_to_the_last_bit() -> None:
    image, left = tissue(0.0), np.arange(SIDE)[None, :] < SIDE // 2
    where = np.broadcast_to(left, (SIDE, SIDE))
    made = with_grain(image, (0.05,) * BANDS, noise(), where)
    assert (made[:, ~where] == image[:, ~where]).all()
    assert (made[:, where] != image[:, where]).mean() > 0.9


def test_glass_stays_white() -> None:
    glass = np.ones((3, SIDE, SIDE))
    assert (with_grain(glass, (0.1,) * BANDS, noise(), EVERYWHERE) == 1).all()


def test_outlines_are_no_grain() -> None:
    image = tissue(0.0)
    image[:, 40:80, 40:80] *= 0.3  # one dark square with sharp edges
    assert max(grain_of(image)[:2]) < 1e-3  # the standard deviation of the bands is a hundred times that


def test_colors_keep_their_direction() -> None:
    image = tissue(0.0)
    made = with_grain(image, (0.05,) * BANDS, noise(), EVERYWHERE)
    ratio = np.log(made[0]) / np.log(made[1])
    assert np.allclose(ratio, np.log(image[0]) / np.log(image[1]))


@pytest.mark.parametrize("seed", [0, 1])
def test_the_same_noise_gives_the_same_bytes_and_other_noise_others(seed: int) -> None:
    image, wanted = tissue(0.0), (0.03,) * BANDS
    made = with_grain(image, wanted, noise(seed), EVERYWHERE)
    assert (made == with_grain(image, wanted, noise(seed), EVERYWHERE)).all()
    assert (made != with_grain(image, wanted, noise(seed + 5), EVERYWHERE)).any()


def test_a_stain_brings_the_grain_of_its_tile_and_the_prior_keeps_it() -> None:
    image = np.random.default_rng(2).integers(60, 220, (3, SIDE, SIDE), np.uint8)
    stain = stain_of(image)
    assert stain.grain == grain_of(image / 255)
    assert varied(stain, np.random.default_rng(0)).grain == stain.grain
    kept = Prior.from_json(Prior((Likeness(10.0, 200.0, stain),), (1.0,) * 5).to_json()).rows[0].stain
    assert np.allclose(kept.grain, stain.grain, atol=1e-5)


def test_a_prior_of_before_has_no_grain() -> None:
    row = [10.0, 200.0, *([0.0] * 11)]
    assert Prior.from_json({"rows": [row], "area_quantiles_px": [1.0] * 5}).rows[0].stain == Stain.from_vector(np.zeros(11))

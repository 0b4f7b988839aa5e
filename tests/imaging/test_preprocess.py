"""The steps before a network: what they promise, on ramps, noise and odd shapes; CLAHE against its own arithmetic."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skimage.exposure import equalize_adapthist

from medsynth_core.errors import InputError, ParameterError, ShapeError
from medsynth_core.imaging import preprocess
from medsynth_core.imaging.preprocess import (
    Preprocessing,
    denoised,
    local_contrast,
    noise_sd,
    percentile_normalized,
    resized,
    windowed,
)

EVERYTHING = Preprocessing(clahe=True, denoise=True)


def ramp(channels: int = 1, slices: int = 1, side: int = 48) -> np.ndarray:
    y, x = np.mgrid[:side, :side] / (side - 1)
    planes = [[(c + 1) * 40 * x + 30 * y + 5 * z for z in range(slices)] for c in range(channels)]
    return np.array(planes)


def noisy_disc(sd: float, side: int = 64) -> np.ndarray:
    y, x = np.mgrid[:side, :side] - side / 2
    clean = np.where(y**2 + x**2 < (side / 4) ** 2, 0.5, -0.5)
    return (clean + np.random.default_rng(0).normal(0, sd, clean.shape))[None, None].astype(np.float32)


@given(st.integers(1, 3), st.integers(1, 3), st.integers(1, 24), st.integers(1, 24), st.integers(0, 2**32 - 1))
def test_every_shape_comes_back_in_its_range(channels: int, slices: int, y: int, x: int, seed: int) -> None:
    image = np.random.default_rng(seed).integers(-500, 500, (channels, slices, y, x), dtype=np.int16)
    made = EVERYTHING.apply(image)
    assert made.shape == image.shape
    assert made.dtype == np.float32
    assert np.isfinite(made).all()
    assert -1 <= made.min() <= made.max() <= 1


def test_without_wishes_it_is_the_percentile_scaling_and_nothing_else() -> None:
    image = np.random.default_rng(0).normal(100, 30, (3, 2, 20, 20))
    assert np.array_equal(Preprocessing().apply(image), percentile_normalized(image))
    assert np.array_equal(Preprocessing(low=5, high=95).apply(image), percentile_normalized(image, 5, 95))


def test_a_window_takes_the_place_of_the_percentiles() -> None:
    image = np.array([[[[-1000.0, 0.0, 40.0, 80.0, 3000.0]]]])
    made = Preprocessing(window_center=40, window_width=80).apply(image)
    assert made.ravel().tolist() == [-1, -1, 0, 1, 1]
    assert np.array_equal(made, windowed(image, 40, 80))


def test_the_input_is_left_as_it_was() -> None:
    image = ramp().astype(np.uint8)
    kept = image.copy()
    EVERYTHING.apply(image)
    assert np.array_equal(image, kept)


@pytest.mark.parametrize("constant", [0, 7, 255])
def test_a_constant_image_is_no_error(constant: int) -> None:
    assert (EVERYTHING.apply(np.full((3, 1, 16, 16), constant, np.uint8)) == -1).all()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_an_image_with_holes_in_its_numbers_is_refused(bad: float) -> None:
    image = ramp()
    image[0, 0, 3, 3] = bad
    with pytest.raises(InputError, match="NaN or infinite"):
        Preprocessing().apply(image)


@pytest.mark.parametrize("shape", [(4, 4), (1, 4, 4), (1, 1, 0, 4)])
def test_other_axes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError):
        Preprocessing().apply(np.zeros(shape))


@pytest.mark.parametrize(
    "wrong",
    [{"window_width": -1}, {"window_width": np.nan}, {"low": 50, "high": 50}, {"low": -1}, {"high": 101}, {"low": np.nan}],
)
def test_a_wish_that_makes_no_sense_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ParameterError):
        Preprocessing(**wrong)


def test_noise_is_measured_in_its_own_unit_and_edges_are_not_noise() -> None:
    assert noise_sd(noisy_disc(0.0)[:, 0]) == 0.0
    assert noise_sd(noisy_disc(0.1, 128)[:, 0]) == pytest.approx(0.1, rel=0.1)


def test_denoising_takes_the_noise_and_leaves_the_edge() -> None:
    clean, made = noisy_disc(0.0), denoised(noisy_disc(0.1))
    flat = (slice(None), slice(None), slice(26, 38), slice(26, 38))
    assert made[flat].std() < 0.4 * noisy_disc(0.1)[flat].std()
    assert ((made > 0) == (clean > 0)).all()


def test_a_clean_image_is_not_denoised() -> None:
    assert np.array_equal(denoised(noisy_disc(0.0)), noisy_disc(0.0))


def test_local_contrast_is_skimages_where_an_image_fills_its_range() -> None:
    image = percentile_normalized(np.random.default_rng(1).normal(0, 1, (1, 1, 64, 64)), 0, 100)
    expected = equalize_adapthist((image[0, 0].astype(np.float64) + 1) / 2, 8, 2 / 256, 256) * 2 - 1
    assert local_contrast(image)[0, 0] == pytest.approx(expected, abs=1e-6)


def test_the_clip_counts_pixels_of_a_tile_as_opencv_does(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def spy(plane: np.ndarray, kernel: list[int], clip_limit: float, bins: int) -> np.ndarray:
        asked.append((int(clip_limit * kernel[0] * kernel[1]), bins))
        return plane

    monkeypatch.setattr(preprocess, "equalize_adapthist", spy)
    local_contrast(percentile_normalized(ramp(side=256)))
    assert asked == [(int(2.0 * 32 * 32 / 256), 256)]  # OpenCV: clipLimit · area of a tile / histogram size


def test_local_contrast_shows_what_was_faint() -> None:
    texture = np.random.default_rng(5).normal(0, 0.02, (1, 1, 128, 128)).astype(np.float32)
    texture[0, 0, :16] = np.linspace(-1, 1, 128)  # the range is full, the texture uses a tenth of it
    faint = (slice(None), slice(None), slice(48, None))
    assert local_contrast(texture)[faint].std() > 1.5 * texture[faint].std()


def test_local_contrast_keeps_the_hue() -> None:
    red = np.random.default_rng(2).uniform(-0.9, 1, (1, 1, 32, 32)).astype(np.float32)  # black alone has no hue
    image = np.concatenate([red, (red + 1) / 2 - 1, np.full_like(red, -1)])  # green is half the red, no blue
    made = (local_contrast(image) + 1) / 2
    assert made[1] == pytest.approx(made[0] / 2, abs=1e-5)
    assert made[2] == pytest.approx(0, abs=1e-6)


def test_a_dark_slice_of_a_volume_stays_dark() -> None:
    volume = percentile_normalized(np.random.default_rng(3).uniform(0, 255, (1, 3, 32, 32)))
    volume[0, 0] = volume[0, 0] * 0.02 - 0.98
    made = local_contrast(volume)
    assert made[0, 0].max() < -0.9 < 0.5 < made[0, 1].max()


def test_a_volume_is_its_slices() -> None:
    volume = percentile_normalized(np.random.default_rng(4).normal(0, 1, (3, 3, 24, 24)))
    for step in (denoised, local_contrast):
        alone = np.concatenate([step(volume[:, z : z + 1]) for z in range(3)], axis=1)
        assert np.array_equal(step(volume), alone)


def test_shrinking_does_not_alias() -> None:
    stripes = np.tile([0.0, 255.0], (1, 1, 64, 32))  # finer than the small grid can show
    small = resized(stripes, (16, 16))
    assert small.shape == (1, 1, 16, 16)
    assert small[..., 2:-2] == pytest.approx(127.5, abs=8)
    assert resized(ramp(3, 2), (19, 31)).shape == (3, 2, 19, 31)


def test_resizing_keeps_the_range_of_the_values_and_a_fitting_image() -> None:
    image = ramp(3, 2)
    assert np.array_equal(resized(image, (48, 48)), image.astype(np.float32))
    made = resized(image, (96, 40))
    assert image.min() - 1e-3 <= made.min() < made.max() <= image.max() + 1e-3
    with pytest.raises(ShapeError):
        resized(image, (0, 4))

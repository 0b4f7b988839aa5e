"""Boundary distances: shapes whose answer is known, and ITK's own distance maps as a second opinion."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from medsynth_core.errors import InputError, ShapeError
from medsynth_core.evaluation.surface import boundary, hd95, surface_dice, surface_distances


def ball(shape: tuple[int, ...], radius: float, spacing: tuple[float, ...] | None = None, shift: float = 0.0) -> np.ndarray:
    spacing = spacing or (1.0,) * len(shape)
    axes = [(np.arange(n) - (n - 1) / 2) * step for n, step in zip(shape, spacing, strict=True)]
    axes[-1] = axes[-1] - shift
    return sum(axis**2 for axis in np.meshgrid(*axes, indexing="ij")) <= radius**2


def blobs(seed: int, shape: tuple[int, ...]) -> np.ndarray:
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).standard_normal(shape), 1.5)
    return noise > 0.05


def distances_of_itk(a: np.ndarray, b: np.ndarray, spacing: tuple[float, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Distances between the contours that ITK finds, by ITK's distance map; the frame is padded to be an edge."""
    contours = []
    for mask in (a, b):
        image = sitk.GetImageFromArray(np.pad(mask, 1).astype(np.uint8))
        image.SetSpacing([float(step) for step in spacing[::-1]])
        contours.append(sitk.LabelContour(image, fullyConnected=False))
    far = [np.abs(sitk.GetArrayFromImage(sitk.SignedMaurerDistanceMap(c, False, False, True))) for c in contours]
    edges = [sitk.GetArrayFromImage(c) > 0 for c in contours]
    return far[1][edges[0]], far[0][edges[1]]


@pytest.mark.parametrize(("shape", "spacing"), [((40, 33), (1.0, 1.0)), ((30, 41), (0.7, 2.5)), ((9, 20, 17), (5.0, 0.8, 1.25))])
@pytest.mark.parametrize("seed", range(4))
def test_itk_says_the_same(shape: tuple[int, ...], spacing: tuple[float, ...], seed: int) -> None:
    a, b = blobs(seed, shape), blobs(seed + 100, shape)
    there, back = distances_of_itk(a, b, spacing)
    ours = surface_distances(a, b, spacing)
    assert np.sort(ours.there) == pytest.approx(np.sort(there), abs=1e-4)
    assert np.sort(ours.back) == pytest.approx(np.sort(back), abs=1e-4)
    assert ours.hd95() == pytest.approx(max(np.percentile(there, 95), np.percentile(back, 95)), abs=1e-4)


def test_circles_within_each_other_are_apart_by_their_radii() -> None:
    small, large = ball((101, 101), 20), ball((101, 101), 30)
    assert hd95(small, large) == pytest.approx(10, abs=1)
    assert surface_dice(small, large, 8) == 0
    assert surface_dice(small, large, 12) == 1


def test_a_shift_is_measured_in_mm_whatever_the_grid() -> None:
    for spacing in ((1.0, 1.0), (2.0, 0.5), (0.25, 1.5)):
        shape = tuple(int(90 / step) for step in spacing)
        a, b = ball(shape, 20, spacing), ball(shape, 20, spacing, shift=6)
        assert hd95(a, b, spacing) == pytest.approx(6, abs=max(spacing))


def test_spheres_on_thick_slices() -> None:
    spacing = (4.0, 1.0, 1.0)
    a, b = ball((21, 80, 80), 22, spacing), ball((21, 80, 80), 30, spacing)
    assert hd95(a, b, spacing) == pytest.approx(8, abs=4)
    assert surface_dice(a, b, 12.0, spacing) == 1


def test_five_percent_of_the_boundary_may_be_astray() -> None:
    a = ball((120, 120), 40)
    b = a.copy()
    b[60, 100:119] = True  # a spike of 19 pixels, two sides: more than 5 % of the boundary of b
    c = a.copy()
    c[60, 100:105] = True
    assert hd95(a, c) < 2 < hd95(a, b)


def test_equal_masks_are_not_apart() -> None:
    a = blobs(1, (30, 30))
    assert (hd95(a, a), surface_dice(a, a, 0.0)) == (0.0, 1.0)


def test_empty_masks_by_the_convention_written_down() -> None:
    empty, some = np.zeros((31, 41)), ball((31, 41), 8)
    assert (hd95(empty, empty), surface_dice(empty, empty, 1)) == (0.0, 1.0)
    assert (hd95(empty, some), surface_dice(empty, some, 1)) == (50.0, 0.0)
    assert (hd95(some, empty, (2, 2)), surface_dice(some, empty, 1)) == (100.0, 0.0)


def test_a_mask_of_one_pixel_has_a_boundary() -> None:
    a, b = np.zeros((2, 20, 20), bool)
    a[5, 5], b[5, 9] = True, True
    assert hd95(a, b) == 4.0
    assert surface_dice(a, b, 4.0) == 1.0


def test_the_frame_is_an_edge() -> None:
    full = np.ones((10, 10))
    assert boundary(full).sum() == 36


@given(st.integers(0, 2**32 - 1), st.floats(0, 20))
@settings(max_examples=25)
def test_both_figures_are_symmetric_and_stay_in_their_range(seed: int, tolerance: float) -> None:
    a, b = np.random.default_rng(seed).random((2, 12, 12)) < 0.2
    assert hd95(a, b) == hd95(b, a) >= 0
    assert surface_dice(a, b, tolerance) == surface_dice(b, a, tolerance)
    assert 0 <= surface_dice(a, b, tolerance) <= surface_dice(a, b, tolerance + 1) <= 1


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=25)
def test_the_place_in_the_picture_changes_nothing(seed: int) -> None:
    a, b = np.random.default_rng(seed).random((2, 9, 9)) < 0.3
    if not a.any() or not b.any():
        return
    moved = [np.pad(mask, ((7, 2), (1, 12))) for mask in (a, b)]
    assert hd95(*moved) == hd95(*(np.pad(mask, 1) for mask in (a, b)))


def test_masks_and_spacings_that_do_not_fit_are_refused() -> None:
    a = np.ones((4, 4))
    with pytest.raises(ShapeError, match="one shape"):
        hd95(a, np.ones((4, 5)))
    with pytest.raises(ShapeError, match="one shape"):
        hd95(np.ones(4), np.ones(4))
    with pytest.raises(ShapeError, match="axes"):
        hd95(a, a, (1.0, 1.0, 1.0))
    with pytest.raises(InputError, match="above 0"):
        hd95(a, a, (1.0, 0.0))

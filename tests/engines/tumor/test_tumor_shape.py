"""The nine numbers: right for bodies with a formula, at any slice distance, and as another library has them."""

from __future__ import annotations

import time

import numpy as np
import pytest
import SimpleITK
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.ndimage import gaussian_filter
from scipy.special import ellipeinc, ellipkinc

from medsynth_core.engines.tumor.shape import Triple, measure, surface_of
from medsynth_core.errors import ShapeError

GRIDS = [(1.0, 1.0, 1.0), (1.875, 1.875, 1.875), (3.0, 1.875, 1.875), (5.0, 1.875, 1.875), (7.25, 1.875, 1.875)]
"""Spacings (z, y, x) in mm; 1.65 to 7.25 mm is what the slices of the training patients lie apart."""


def ellipsoid(half: Triple, center: Triple, spacing: Triple, shape: tuple[int, int, int] | None = None) -> np.ndarray:
    """Return an ellipsoid with half axes and center (x, y, z) in frame mm on a grid that has room for it."""
    reach = np.abs(center) + np.array(half)
    size = shape or tuple(int(2 * r / s) + 4 for r, s in zip(reach[::-1], spacing, strict=True))
    axes = [(np.arange(n) - (n - 1) / 2) * s for n, s in zip(size, spacing, strict=True)]
    z, y, x = np.meshgrid(*axes, indexing="ij")
    return sum(((v - c) / h) ** 2 for v, c, h in zip((x, y, z), center, half, strict=True)) <= 1


def ellipsoid_surface(half: Triple) -> float:
    """Return the surface of an ellipsoid (Legendre's formula, incomplete elliptic integrals)."""
    a, b, c = sorted(half, reverse=True)
    if a == c:
        return 4 * np.pi * a * a
    phi = np.arccos(c / a)
    m = (a * a * (b * b - c * c)) / (b * b * (a * a - c * c))
    e, f = ellipeinc(phi, m), ellipkinc(phi, m)
    return 2 * np.pi * (c * c + a * b / np.sin(phi) * (e * np.sin(phi) ** 2 + f * np.cos(phi) ** 2))


@pytest.mark.parametrize("spacing", GRIDS)
@pytest.mark.parametrize("radius", [12.0, 25.0])
def test_a_ball_is_a_ball_at_any_slice_distance(radius: float, spacing: Triple) -> None:
    shape = measure(ellipsoid((radius,) * 3, (0.3, -0.4, 0.7), spacing), spacing)
    coarseness = max(spacing) / radius  # 0.04 to 0.6
    assert shape.sphericity == pytest.approx(1, abs=0.015 + 0.03 * coarseness)
    assert shape.volume_ml == pytest.approx(4 / 3 * np.pi * radius**3 / 1e3, rel=0.01 + 0.1 * coarseness**2)
    assert shape.surface_cm2 == pytest.approx(4 * np.pi * radius**2 / 1e2, rel=0.015 + 0.1 * coarseness)


@pytest.mark.parametrize("spacing", GRIDS)
@pytest.mark.parametrize("half", [(30.0, 20.0, 12.0), (12.0, 20.0, 30.0), (15.0, 15.0, 28.0)])
def test_an_ellipsoid_has_its_surface_sphericity_and_extent(half: Triple, spacing: Triple) -> None:
    shape = measure(ellipsoid(half, (-2.2, 1.3, 0.4), spacing), spacing)
    volume, surface = 4 / 3 * np.pi * np.prod(half), ellipsoid_surface(half)
    coarseness = max(spacing) / min(half)
    assert shape.surface_cm2 == pytest.approx(surface / 1e2, rel=0.015 + 0.08 * coarseness)
    assert shape.sphericity == pytest.approx(surface_of(float(volume), 1) / surface, rel=0.02 + 0.05 * coarseness)
    steps = np.array(spacing[::-1])
    assert (np.abs(np.array(shape.extent_mm) - 2 * np.array(half)) <= steps).all()


@pytest.mark.parametrize(("voxel_mm", "error"), [(4.0, 0.07), (2.0, 0.02), (1.0, 0.01)])
@pytest.mark.parametrize("half", [(20.0, 20.0, 14.0), (24.0, 16.0, 12.0), (12.0, 12.0, 12.0)])
def test_finer_voxels_leave_a_surface_within_one_percent(half: Triple, voxel_mm: float, error: float) -> None:
    spacing = (voxel_mm,) * 3
    shape = measure(ellipsoid(half, (0.2, -0.3, 0.1), spacing), spacing)
    assert surface_of(shape.volume_ml, 1) / shape.sphericity == pytest.approx(shape.surface_cm2)
    assert shape.surface_cm2 * 100 == pytest.approx(ellipsoid_surface(half), rel=error)


def test_a_rim_sharper_than_the_smoothing_loses_little_at_any_voxel() -> None:
    half = (20.0, 20.0, 8.0)  # its rim is bent by 3 mm
    for voxel_mm in (0.5, 1.0, 2.0):
        spacing = (voxel_mm,) * 3
        shape = measure(ellipsoid(half, (0, 0, 0), spacing), spacing)
        assert 0.96 * ellipsoid_surface(half) < shape.surface_cm2 * 100 < ellipsoid_surface(half)


@pytest.mark.parametrize("spacing", GRIDS)
def test_a_box_has_its_exact_volume_and_extent_and_rounded_edges(spacing: Triple) -> None:
    mask = np.zeros((20, 40, 44), bool)
    mask[4:14, 6:30, 5:37] = True
    shape = measure(mask, spacing)
    x, y, z = sides = 32 * spacing[2], 24 * spacing[1], 10 * spacing[0]
    assert shape.extent_mm == pytest.approx(sides)
    assert shape.volume_ml == pytest.approx(x * y * z / 1e3)
    surface = 2 * (x * y + y * z + z * x) / 1e2
    assert 0.84 * surface < shape.surface_cm2 < 1.01 * surface  # twelve sharp edges are smoothed


@given(st.tuples(*[st.floats(-30, 30)] * 3), st.sampled_from(GRIDS))
@settings(max_examples=25, deadline=None)
def test_the_center_is_told_from_the_middle_of_the_volume(center: Triple, spacing: Triple) -> None:
    shape = measure(ellipsoid((14, 18, 22), center, spacing), spacing)
    assert (np.abs(np.array(shape.center_mm) - center) < 0.15 * np.array(spacing[::-1])).all()


def test_one_voxel_more_below_puts_the_middle_half_a_step_up() -> None:
    mask = np.zeros((5, 5, 5), bool)
    mask[2, 2, 2] = True
    assert measure(mask, (4, 2, 1)).center_mm == (0, 0, 0)
    more = np.concatenate([np.zeros((1, 5, 5), bool), mask])
    assert measure(more, (4, 2, 1)).center_mm == (0, 0, 2)


@pytest.mark.parametrize("spacing", GRIDS)
def test_simpleitk_has_the_same_volume_center_and_extent(spacing: Triple) -> None:
    mask = ellipsoid((20, 14, 17), (6, -9, 11), spacing, (48, 64, 60)).astype(np.uint8)
    mask[20:26, 30:35, 34:55] = 1
    image = SimpleITK.GetImageFromArray(mask)
    image.SetSpacing(spacing[::-1])
    itk = SimpleITK.LabelShapeStatisticsImageFilter()
    itk.Execute(image)
    shape = measure(mask, spacing)
    middle = (np.array(mask.shape[::-1]) - 1) / 2 * spacing[::-1]
    assert shape.volume_ml == pytest.approx(itk.GetPhysicalSize(1) / 1e3)
    assert shape.center_mm == pytest.approx(np.array(itk.GetCentroid(1)) - middle)
    assert shape.extent_mm == pytest.approx(np.array(itk.GetBoundingBox(1)[3:]) * spacing[::-1])


@pytest.mark.parametrize("spacing", GRIDS[:3])
def test_simpleitk_has_nearly_the_same_surface_where_slices_are_thin(spacing: Triple) -> None:
    mask = ellipsoid((26, 15, 19), (1, 2, 3), spacing).astype(np.uint8)
    image = SimpleITK.GetImageFromArray(mask)
    image.SetSpacing(spacing[::-1])
    itk = SimpleITK.LabelShapeStatisticsImageFilter()
    itk.Execute(image)  # Crofton's formula: no mesh at all
    shape = measure(mask, spacing)
    assert shape.surface_cm2 == pytest.approx(itk.GetPerimeter(1) / 1e2, rel=0.04)
    assert shape.sphericity == pytest.approx(itk.GetRoundness(1), rel=0.04)


@given(arrays(bool, (5, 6, 7)), st.sampled_from(GRIDS))
@settings(max_examples=100, deadline=None)
def test_any_mask_has_a_shape_and_none_is_rounder_than_a_ball(mask: np.ndarray, spacing: Triple) -> None:
    if not mask.any():
        mask[2, 3, 4] = True
    shape = measure(mask, spacing)
    assert 0 < shape.sphericity <= 1
    assert shape.volume_ml == pytest.approx(mask.sum() * np.prod(spacing) / 1e3)
    assert shape.volume_ml <= np.prod(shape.extent_mm) / 1e3 * (1 + 1e-9)
    assert shape.surface_cm2 == pytest.approx(surface_of(shape.volume_ml, shape.sphericity))


def test_a_tumor_that_touches_the_border_is_closed_there() -> None:
    ball = ellipsoid((15, 15, 15), (0, 0, 0), (1, 1, 1))
    (z, y, x) = (np.flatnonzero(ball.any(axis=axes)) for axes in ((1, 2), (0, 2), (0, 1)))
    tight = ball[np.ix_(z, y, x)]
    assert measure(tight, (1, 1, 1)) == measure(ball, (1, 1, 1))


def test_a_ragged_tumor_is_as_spherical_on_half_of_its_slices() -> None:
    spacing, noise = (2.4, 1.875, 1.875), np.random.default_rng(0).standard_normal((48, 64, 64))
    middle = [(np.arange(n) - (n - 1) / 2) * s for n, s in zip(noise.shape, spacing, strict=True)]
    z, y, x = np.meshgrid(*middle, indexing="ij")
    rough = gaussian_filter(noise, 1.5)
    ragged = np.sqrt(x**2 + y**2 + z**2) < 28 + 5 * rough / rough.std()
    thin, thick = measure(ragged, spacing), measure(ragged[::2], (4.8, 1.875, 1.875))
    assert thin.sphericity < 0.8
    assert thick.sphericity == pytest.approx(thin.sphericity, rel=0.03)


def test_a_lobed_tumor_is_less_spherical_than_a_smooth_one() -> None:
    spacing = (3.0, 1.875, 1.875)
    smooth = ellipsoid((20, 20, 20), (0, 0, 0), spacing, (40, 64, 64))
    lobed = smooth.copy()
    for center in ((22, 0, 0), (-15, 16, 4), (0, -10, 20)):
        lobed |= ellipsoid((9, 9, 9), center, spacing, (40, 64, 64))
    assert measure(lobed, spacing).sphericity < 0.93 * measure(smooth, spacing).sphericity


@pytest.mark.parametrize(
    ("mask", "spacing", "words"),
    [
        (np.zeros((4, 4, 4), bool), (1, 1, 1), "empty"),
        (np.ones((4, 4), bool), (1, 1, 1), "z, y, x"),
        (np.ones((4, 4, 4), bool), (1, 1), "three spacings"),
        (np.ones((4, 4, 4), bool), (1, 0, 1), "above 0"),
        (np.ones((4, 4, 4), bool), (1, np.nan, 1), "above 0"),
    ],
)
def test_what_cannot_be_measured_is_refused(mask: np.ndarray, spacing: Triple, words: str) -> None:
    with pytest.raises(ShapeError, match=words):
        measure(mask, spacing)


def test_a_stack_is_measured_in_a_twentieth_of_a_second() -> None:
    mask = ellipsoid((40, 40, 40), (10, 5, 0), (5, 1.875, 1.875), (36, 128, 128))
    measure(mask, (5, 1.875, 1.875))
    seconds = []
    for _ in range(5):
        begun = time.process_time()
        measure(mask, (5, 1.875, 1.875))
        seconds.append(time.process_time() - begun)
    assert min(seconds) < 0.05

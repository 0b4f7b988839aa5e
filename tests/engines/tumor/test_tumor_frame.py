"""Places and pixels between the user's grid and the model's: round trips, known cases, hostile numbers."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medsynth_core.engines.tumor.frame import Frame, frame_of, new_frame
from medsynth_core.errors import ParameterError
from medsynth_core.volume import Volume, affine_from_spacing

FILLED: dict[str, Any] = {"slices": 0, "height": 0, "width": 0, "slice_mm": 0.0, "row_mm": 0.0, "column_mm": 0.0}


def asked(**numbers: float) -> Frame:
    return new_frame(**(FILLED | numbers), stack_mm=145.0, thickest_mm=7.0)


def turned(order: tuple[int, ...], signs: tuple[float, ...], tilt: float = 0.0) -> Frame:
    """A grid of 5 × 7 × 9 voxels whose voxel axes x, y, z run along the world's axes `order`, by `signs`, a little tilted."""
    columns = np.zeros((3, 3))
    for voxel, (world, sign) in enumerate(zip(order, signs, strict=True)):
        columns[world, voxel] = sign * (1.5, 2.0, 3.0)[voxel]
    c, s = np.cos(tilt), np.sin(tilt)
    affine = np.eye(4)
    affine[:3, :3] = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]) @ columns
    affine[:3, 3] = (11, -22, 33)
    return Frame((5, 7, 9), affine)


TILTS = (0.0, 0.3)


def grids(tilt: float) -> list[Frame]:
    """All 48 orders and directions of the axes."""
    signs = itertools.product((-1.0, 1.0), repeat=3)
    return [turned(order, sign, tilt) for order, sign in itertools.product(itertools.permutations(range(3)), signs)]


@pytest.mark.parametrize("tilt", TILTS)
def test_a_place_comes_back_from_the_frame(tilt: float) -> None:
    for frame in grids(tilt):
        place = (3.0, -40.0, 7.5)
        assert frame.to_world(frame.to_frame(place)) == pytest.approx(place)


@pytest.mark.parametrize("tilt", TILTS)
def test_an_array_comes_back_from_its_frame(tilt: float) -> None:
    for frame in grids(tilt):
        array = np.random.default_rng(0).integers(0, 99, frame.size)
        assert np.array_equal(frame.native(frame.canonical(array)), array)
        assert frame.canonical(array).shape == frame.shape


@pytest.mark.parametrize("tilt", TILTS)
def test_a_marked_voxel_lies_where_its_frame_says(tilt: float) -> None:
    for frame in grids(tilt):
        array = np.zeros(frame.size)
        array[1, 2, 6] = 1
        z, y, x = np.argwhere(frame.canonical(array))[0]
        middle = (np.array(frame.shape) - 1) / 2
        in_frame = ((np.array([z, y, x]) - middle) * frame.spacing_mm)[::-1]
        in_world = (frame.affine @ [6, 2, 1, 1])[:3]
        assert frame.to_frame(tuple(in_world)) == pytest.approx(tuple(in_frame))


@pytest.mark.parametrize("tilt", TILTS)
def test_the_frame_runs_left_back_and_up(tilt: float) -> None:
    for frame in grids(tilt):
        steps = [np.subtract(frame.to_world(tuple(10.0 * np.eye(3)[i])), frame.to_world((0, 0, 0))) for i in range(3)]
        for i, (world, sign) in enumerate(((0, -1), (1, -1), (2, 1))):
            assert np.argmax(np.abs(steps[i])) == world
            assert np.sign(steps[i][world]) == sign


@pytest.mark.parametrize("tilt", TILTS)
def test_a_slice_can_be_given_by_itself_where_the_grid_streams(tilt: float) -> None:
    for frame in (one for one in grids(tilt) if one.streams):
        array = np.random.default_rng(1).integers(0, 99, frame.size)
        canonical = frame.canonical(array)
        for z in range(frame.shape[0]):
            assert np.array_equal(frame.native_plane(canonical[z]), array[frame.slice_at(z)])


def test_another_grid_along_the_frame_has_the_same_middle_and_directions() -> None:
    frame = turned((2, 0, 1), (-1.0, 1.0, -1.0), tilt=0.3)
    affine = frame.affine_of(frame.shape, frame.spacing_mm)
    there = frame_of(Volume(np.zeros((1, *frame.shape)), affine))
    assert there.spacing_mm == pytest.approx(frame.spacing_mm)
    assert there.to_frame(frame.to_world((4.0, 5.0, 6.0))) == pytest.approx((4, 5, 6))
    assert there.streams


def test_a_third_of_all_orientations_stream() -> None:
    assert sum(frame.streams for frame in grids(0.3)) == 16


def test_a_two_dimensional_picture_has_a_frame() -> None:
    frame = frame_of(Volume.from_image(np.zeros((20, 30)), (2.0, 3.0)))
    assert frame.shape == (1, 20, 30)
    assert frame.streams


# The grid asked for


def test_nothing_asked_is_the_models_grid_with_the_origin_in_the_middle() -> None:
    frame = asked()
    assert frame.size == (36, 128, 128)
    assert frame.spacing_mm == (4.0, 1.875, 1.875)
    assert frame.to_frame((0, 0, 0)) == pytest.approx((0, 0, 0), abs=1e-9)
    assert frame.streams
    assert np.array_equal(frame.canonical(np.arange(36 * 128 * 128).reshape(frame.size)).ravel(), np.arange(36 * 128 * 128))


def test_slices_fill_the_head_unless_they_would_be_thicker_than_trained() -> None:
    assert asked(slices=58).spacing_mm[0] == pytest.approx(2.5)
    assert asked(slices=3).spacing_mm[0] == 7.0
    assert asked(slices=3, slice_mm=12.0).spacing_mm[0] == 12.0
    assert asked(slice_mm=2.5).size[0] == 58


def test_pixels_fill_the_field() -> None:
    assert asked(height=240, width=96).spacing_mm[1:] == (1.0, 2.5)
    assert asked(row_mm=1.0).size[1:] == (240, 128)
    assert asked(height=64, row_mm=1.0).spacing_mm[1] == 1.0


@pytest.mark.parametrize("numbers", [{"slice_mm": 0.1}, {"row_mm": 0.1}, {"column_mm": 1e-9}, {"slices": 4, "slice_mm": 1e-7}])
def test_a_grid_too_fine_is_refused_by_name(numbers: dict[str, float]) -> None:
    with pytest.raises(ParameterError, match=next(reversed(numbers))):
        asked(**numbers)


# Pixels


def test_the_models_own_grid_is_taken_over_bit_for_bit() -> None:
    planes = np.random.default_rng(2).random((2, 128, 128), np.float32)
    assert np.array_equal(asked().from_model(planes), planes)
    assert np.array_equal(asked().to_model(planes), planes)


@given(st.integers(8, 300), st.floats(0.3, 8))
def test_an_even_field_stays_even_inside_and_is_black_outside(pixels: int, mm: float) -> None:
    frame = asked(slices=1, height=pixels, width=pixels, row_mm=mm, column_mm=mm)
    made = frame.from_model(np.ones((1, 128, 128)))[0]
    away = np.abs((np.arange(pixels) - (pixels - 1) / 2) * mm)
    reach = max(mm, 1.875)
    assert np.allclose(made[np.ix_(away < 119 - reach, away < 119 - reach)], 1, atol=1e-5)
    assert np.allclose(made[away > 120 + reach], 0)


@pytest.mark.parametrize(("pixels", "mm"), [(64, 3.75), (256, 0.9375), (200, 1.0), (300, 1.0), (100, 1.7)])
def test_what_lies_at_a_place_still_lies_there(pixels: int, mm: float) -> None:
    y, x = np.mgrid[:128, :128]
    blob = np.exp(-((((x - 63.5) * 1.875 - 21) ** 2 + ((y - 63.5) * 1.875 + 33) ** 2) / (2 * 9.0**2)))
    made = asked(slices=1, height=pixels, width=pixels, row_mm=mm, column_mm=mm).from_model(blob[None])[0]
    mm_of = (np.arange(pixels) - (pixels - 1) / 2) * mm
    assert (made.sum(axis=0) * mm_of).sum() / made.sum() == pytest.approx(21, abs=0.05)
    assert (made.sum(axis=1) * mm_of).sum() / made.sum() == pytest.approx(-33, abs=0.05)
    assert made.sum() * mm**2 == pytest.approx(blob.sum() * 1.875**2, rel=0.01)


def test_outside_of_the_field_there_is_no_tumor() -> None:
    frame = asked(slices=1, height=300, width=300, row_mm=1.0, column_mm=1.0)
    distance = frame.from_model(np.full((1, 128, 128), 0.5), outside=-1.0)[0]
    assert distance[0, 0] == -1
    assert distance[150, 150] == pytest.approx(0.5)


def test_a_fine_stripe_does_not_alias_on_a_coarse_grid() -> None:
    stripes = np.tile(np.arange(128) % 2, (1, 128, 1)).astype(float)
    made = asked(slices=1, height=50, width=50).from_model(stripes)[0]
    assert made[:, 5:-5].std() < 0.15


def test_a_background_goes_to_the_model_and_back() -> None:
    affine = affine_from_spacing((5.0, 1.2, 1.1))
    background = frame_of(Volume(np.zeros((1, 3, 160, 170)), affine))
    y, x = np.mgrid[:160, :170]
    smooth = (np.sin(y / 20) + np.cos(x / 25) + 2)[None] / 4
    there = background.to_model(np.repeat(smooth, 3, axis=0))
    back = background.from_model(there)
    assert there.shape == (3, 128, 128)
    assert np.abs(back[:, 5:-5, 5:-5] - smooth[:, 5:-5, 5:-5]).max() < 0.01

"""Axes and world coordinates."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from medsynth_core.errors import InputError, ShapeError
from medsynth_core.volume import Volume, affine_from_spacing

POSITIVE = st.floats(1e-2, 1e2)


@given(z=POSITIVE, y=POSITIVE, x=POSITIVE)
def test_spacing_is_given_back_in_the_order_z_y_x(z: float, y: float, x: float) -> None:
    volume = Volume(np.zeros((1, 2, 3, 4)), affine_from_spacing((z, y, x)))
    assert volume.spacing_mm == pytest.approx((z, y, x))
    assert volume.size == (2, 3, 4)


@given(angle=st.floats(-3, 3), spacing=st.tuples(POSITIVE, POSITIVE, POSITIVE))
def test_a_rotation_keeps_the_spacing(angle: float, spacing: tuple[float, float, float]) -> None:
    turn = np.eye(4)
    turn[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    assert Volume(np.zeros((1, 1, 1, 1)), turn @ affine_from_spacing(spacing)).spacing_mm == pytest.approx(spacing)


def test_the_affine_takes_x_first() -> None:
    affine = affine_from_spacing((5, 2, 0.5), (10, 20, 30))
    np.testing.assert_array_equal(affine @ [1, 0, 0, 1], [10.5, 20, 30, 1])
    np.testing.assert_array_equal(affine @ [0, 0, 1, 1], [10, 20, 35, 1])


@given(
    image=hnp.arrays(np.uint8, st.one_of(st.tuples(*[st.integers(1, 6)] * 2), st.tuples(*[st.integers(1, 6)] * 2, st.just(3))))
)
def test_an_image_comes_back_as_it_was(image: np.ndarray) -> None:
    np.testing.assert_array_equal(Volume.from_image(image).to_image(), image)


@given(shape=st.lists(st.integers(0, 4), max_size=6))
def test_only_four_full_axes_make_a_volume(shape: list[int]) -> None:
    if len(shape) == 4 and 0 not in shape:
        assert Volume(np.zeros(shape)).array.shape == tuple(shape)
        return
    with pytest.raises(ShapeError, match="channel, z, y, x"):
        Volume(np.zeros(shape))


@given(shape=st.lists(st.integers(1, 5), max_size=5))
def test_only_flat_pictures_are_images(shape: list[int]) -> None:
    assume(not (len(shape) == 2 or (len(shape) == 3 and shape[2] in (1, 3))))
    with pytest.raises(ShapeError, match="image is"):
        Volume.from_image(np.zeros(shape))


@pytest.mark.parametrize("affine", [np.zeros((4, 4)), np.eye(3), np.full((4, 4), np.nan), np.diag([1, 1, 0, 1])])
def test_an_affine_that_places_nothing_is_refused(affine: np.ndarray) -> None:
    with pytest.raises(InputError, match="affine"):
        Volume(np.zeros((1, 1, 1, 1)), affine)


def test_a_stack_is_no_image_and_says_so() -> None:
    with pytest.raises(ShapeError, match="2 slices"):
        Volume(np.zeros((1, 2, 3, 3))).to_image()


def test_another_array_must_fit_the_grid() -> None:
    volume = Volume(np.zeros((1, 1, 4, 4)), affine_from_spacing((1, 2, 3)))
    assert volume.with_array(np.zeros((3, 1, 4, 4))).spacing_mm == (1, 2, 3)
    with pytest.raises(ShapeError, match="must match"):
        volume.with_array(np.zeros((1, 1, 4, 5)))


def test_a_volume_cannot_be_changed_by_accident() -> None:
    with pytest.raises(AttributeError):
        Volume(np.zeros((1, 1, 1, 1))).array = np.zeros(1)  # type: ignore[misc]

"""Layer ↔ Volume: geometry survives the way out and back."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("napari")

from hypothesis import given, settings
from hypothesis import strategies as st
from napari.components import Dims
from napari.layers import Image, Labels

from medsynth_core.errors import ShapeError
from medsynth_core.volume import Volume
from napari_medsynth.layers import as_volume, brush_size, new_mask, result_layer, shown_plane, take, volume_affine

CHANNEL = 1
PLACED = {"scale": (2.0, 0.5), "translate": (3.0, -4.0), "rotate": 30.0, "shear": [0.2], "units": ("um", "um")}


def dims(ndim: int, point: tuple[float, ...] = (), order: tuple[int, ...] = ()) -> Dims:
    return Dims(ndim=ndim, order=order or tuple(range(ndim)), point=point or (0.0,) * ndim, range=((-1e4, 1e4, 1e-3),) * ndim)


def labels(shape: tuple[int, ...], **options: object) -> Labels:
    return Labels(np.arange(np.prod(shape)).reshape(shape).astype(np.int32), **options)


def back(layer: Labels, where: Dims, channels: int = 1, slices: int = 1) -> Image:
    plane = shown_plane(layer, where)
    volume = as_volume(take(layer, plane), plane)
    array = np.zeros((channels, slices, *volume.array.shape[-2:]), np.uint8)
    return result_layer(Volume(array, volume.affine), plane, "r", {"seed": 1})


def test_a_rotated_sheared_layer_gives_its_transforms_and_units_to_the_result() -> None:
    layer = labels((6, 8), **PLACED, axis_labels=("v", "u"), affine=np.array([[1, 0.1, 5], [0, 1, 6], [0, 0, 1]]))
    result = back(layer, dims(2))
    for place in ((0, 0), (5, 7), (2.5, 1)):
        assert np.allclose(result.data_to_world(place), layer.data_to_world(place))
    assert result.units == layer.units
    assert result.axis_labels == layer.axis_labels
    assert np.allclose(result.rotate, layer.rotate)


def test_the_volume_lies_in_millimeters_where_the_layer_does() -> None:
    layer = labels((6, 8), **PLACED)
    affine = volume_affine(shown_plane(layer, dims(2)))
    y, x = np.array(layer.data_to_world((4, 5))) / 1000
    assert np.allclose(affine @ [5, 4, 0, 1], [x, y, 0, 1])
    assert np.allclose(Volume(np.zeros((1, 1, 6, 8), np.uint8), affine).array.shape, (1, 1, 6, 8))


@settings(max_examples=30, deadline=None)
@given(
    k=st.integers(0, 4),
    scale=st.tuples(*[st.floats(0.2, 5)] * 3),
    translate=st.tuples(*[st.floats(-50, 50)] * 3),
    angle=st.floats(-60, 60),
)
def test_the_result_of_a_slice_lies_on_that_slice(
    k: int, scale: tuple[float, ...], translate: tuple[float, ...], angle: float
) -> None:
    layer = labels((5, 6, 7), scale=scale, translate=translate, rotate=(0, 0, angle))
    where = dims(3, point=tuple(layer.data_to_world((k, 3, 3))))
    assert np.array_equal(take(layer, shown_plane(layer, where)), layer.data[k])
    result = back(layer, where)
    assert result.data.shape == (1, 6, 7)
    for y, x in ((0, 0), (5, 6), (2, 3)):
        assert np.allclose(result.data_to_world((0, y, x)), layer.data_to_world((k, y, x)), atol=1e-6)
    affine = volume_affine(shown_plane(layer, where))
    assert np.allclose((affine @ [2, 1, 0, 1])[:3], np.array(layer.data_to_world((k, 1, 2)))[::-1], atol=1e-6)


@pytest.mark.parametrize("order", [(0, 1, 2), (1, 0, 2), (2, 0, 1), (2, 1, 0), (0, 2, 1)])
def test_any_two_axes_may_be_shown(order: tuple[int, ...]) -> None:
    layer = labels((4, 5, 6))
    where = dims(3, point=(2, 3, 1), order=order)
    index = [slice(None)] * 3
    index[order[0]] = (2, 3, 1)[order[0]]
    expected = layer.data[tuple(index)]
    if order[1] > order[2]:
        expected = expected.T
    assert np.array_equal(take(layer, shown_plane(layer, where)), expected)
    result = back(layer, where)
    assert result.data.ndim == 3
    assert result.data.shape[order[0]] == 1
    assert np.allclose(result.translate[order[0]], (2, 3, 1)[order[0]])


def test_a_slider_outside_of_the_mask_is_refused_with_the_way_out() -> None:
    with pytest.raises(ShapeError, match="move the slider"):
        shown_plane(labels((4, 5, 6)), dims(3, point=(9, 0, 0)))


def test_a_2d_mask_in_a_3d_viewer_is_taken_whole_and_refused_when_it_stands_on_edge() -> None:
    layer = labels((5, 6))
    assert take(layer, shown_plane(layer, dims(3))).shape == (5, 6)
    with pytest.raises(ShapeError, match="roll the axes"):
        shown_plane(layer, dims(3, order=(1, 0, 2)))


def test_a_4d_stack_gives_the_shown_plane() -> None:
    layer = labels((2, 3, 4, 5))
    where = dims(4, point=(1, 2, 0, 0))
    assert np.array_equal(take(layer, shown_plane(layer, where)), layer.data[1, 2])
    assert back(layer, where).data.shape == (1, 1, 4, 5)


def test_three_channels_become_rgb_on_a_slice_too() -> None:
    assert back(labels((5, 6)), dims(2), channels=3).rgb
    stacked = back(labels((4, 5, 6)), dims(3, point=(2, 0, 0)), channels=3)
    assert stacked.rgb
    assert stacked.data.shape == (1, 5, 6, 3)


def test_a_stack_made_from_a_2d_mask_keeps_the_planes_place() -> None:
    layer = labels((5, 6), **PLACED)
    result = back(layer, dims(2), slices=4)
    assert result.data.shape == (4, 5, 6)
    assert np.allclose(result.data_to_world((0, 3, 2))[1:], layer.data_to_world((3, 2)))


def test_two_channels_are_refused() -> None:
    with pytest.raises(ShapeError, match="2 channels"):
        back(labels((5, 6)), dims(2), channels=2)


def test_the_recipe_is_in_the_metadata() -> None:
    assert back(labels((5, 6)), dims(2)).metadata["medsynth"] == {"seed": 1}


def test_the_pixels_sent_are_a_copy() -> None:
    layer = labels((5, 6))
    pixels = take(layer, shown_plane(layer, dims(2)))
    pixels[:] = 0
    assert layer.data.any()


def test_a_multiscale_mask_is_taken_at_full_size() -> None:
    full = np.arange(64, dtype=np.int32).reshape(8, 8)
    layer = Labels([full, full[::2, ::2]], multiscale=True)
    assert np.array_equal(take(layer, shown_plane(layer, dims(2))), full)


def test_a_new_mask_has_the_geometry_of_its_image() -> None:
    image = Image(np.zeros((20, 30, 3), np.uint8), rgb=True, name="frame", **PLACED)
    mask = new_mask(image, (128, 128))
    assert mask.data.shape == (20, 30)
    assert np.allclose(mask.data_to_world((3, 4)), image.data_to_world((3, 4)))
    assert mask.units == image.units
    assert new_mask(None, (128, 96)).data.shape == (128, 96)


@pytest.mark.parametrize(("shape", "size"), [((16, 16), 3), ((256, 256), 16), ((10, 384, 284), 17)])
def test_the_brush_suits_the_picture(shape: tuple[int, ...], size: int) -> None:
    assert brush_size(Labels(np.zeros(shape, np.uint8))) == size

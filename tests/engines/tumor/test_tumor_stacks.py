"""A volume comes onto the model's grid in its place, in its size and at its brightness."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from medsynth_core.engines.tumor.shape import measure
from medsynth_core.engines.tumor.stacks import PIXEL_MM, distance_of, make_stack, scale_intensities, to_field
from medsynth_core.engines.tumor.style import Style, style_of
from medsynth_core.errors import InputError


def ball(side: int, radius: float, center: tuple[float, float]) -> np.ndarray:
    y, x = np.mgrid[:side, :side]
    return (y - center[0]) ** 2 + (x - center[1]) ** 2 < radius**2


@pytest.mark.parametrize(("side", "mm"), [(192, 1.25), (240, 1.0), (300, 1.0), (100, 1.0), (512, 0.47)])
def test_what_lies_in_the_middle_stays_there_at_its_size(side: int, mm: float) -> None:
    disk = ball(side, 30 / mm, ((side - 1) / 2, (side - 1) / 2)).astype(np.float32)
    field = to_field(torch.from_numpy(disk)[None], (mm, mm))[0].numpy()
    assert field.shape == (128, 128)
    assert field.sum() * PIXEL_MM**2 == pytest.approx(np.pi * 30**2, rel=0.02)
    y, x = np.argwhere(field > 0.5).mean(axis=0)
    assert (y, x) == pytest.approx((63.5, 63.5), abs=0.51)


def test_the_same_picture_in_other_units_is_the_same_stack() -> None:
    rng = np.random.default_rng(0)
    image = rng.gamma(2, 40, (3, 64, 64)).astype(np.float32)
    np.testing.assert_allclose(scale_intensities(image), scale_intensities(image * 37), rtol=1e-5)


def test_one_glaring_voxel_does_not_darken_the_head() -> None:
    image = np.full((4, 64, 64), 100, np.float32)
    calm = scale_intensities(image)
    image[0, 0, 0] = 60_000
    np.testing.assert_allclose(scale_intensities(image)[1:], calm[1:], rtol=0.01)


@pytest.mark.parametrize("value", [0.0, -5.0])
def test_an_empty_image_is_refused(value: float) -> None:
    with pytest.raises(InputError, match="empty"):
        make_stack(np.full((2, 16, 16), value), np.zeros((2, 16, 16)), (4.0, 1.0, 1.0))


def test_the_signed_distance_gives_the_mask_back() -> None:
    masks = np.stack([ball(128, 20, (60, 70)), np.zeros((128, 128), bool), ball(128, 0.9, (5, 5))])
    distance = distance_of(masks)
    np.testing.assert_array_equal(distance > 0, masks)
    assert distance[1].max() == -1
    assert distance.max() == 1


def test_a_stack_keeps_the_volume_of_its_tumor() -> None:
    mask = np.repeat(ball(192, 24, (100, 80))[None], 6, axis=0)
    image = np.random.default_rng(1).uniform(20, 200, mask.shape)
    stack = make_stack(image, mask, (5.0, 1.25, 1.25))
    assert measure(stack.mask > 0.5, stack.spacing_mm).volume_ml == pytest.approx(
        measure(mask, (5, 1.25, 1.25)).volume_ml, rel=0.02
    )
    assert stack.z_mm.tolist() == [-12.5, -7.5, -2.5, 2.5, 7.5, 12.5]


def test_the_style_finds_head_and_brightness() -> None:
    z, y, x = np.mgrid[-40:41, -64:64, -64:64]
    head = (z * 2 / 70) ** 2 + ((y - 4) * 1.5 / 80) ** 2 + ((x + 6) * 1.5 / 60) ** 2 < 1
    style = style_of(np.where(head, 0.4, 0).astype(np.float32), (2.0, 1.5, 1.5))
    assert style.levels == pytest.approx((0.4,) * 4)
    assert style.head.half_mm == pytest.approx((60, 80, 70), rel=0.02)
    assert style.head.center_mm == pytest.approx((-8.25, 6.75, 0), abs=0.2)
    assert Style.from_vector(style.vector()).head.half_mm == pytest.approx(style.head.half_mm, rel=1e-5)


def test_a_black_volume_has_no_style() -> None:
    with pytest.raises(InputError, match="foreground"):
        style_of(np.zeros((3, 8, 8), np.float32), (1.0, 1.0, 1.0))

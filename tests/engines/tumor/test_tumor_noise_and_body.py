"""The noise is the same whoever asks for it, and the picture of a request shows what was asked."""

from __future__ import annotations

import math

import pytest
import torch

from medsynth_core.engines.tumor.body import grid_mm, hints, inner_half_mm
from medsynth_core.engines.tumor.noise import batch_noise, slice_noise
from medsynth_core.engines.tumor.shape import TumorShape
from medsynth_core.engines.tumor.style import Head

HEAD = Head((0.0, 5.0, 0.0), (70.0, 90.0, 75.0))
SHAPE = TumorShape(20.0, 45.0, 0.8, (20.0, -10.0, 5.0), (44.0, 30.0, 36.0))


def test_the_noise_of_a_slice_follows_from_seed_and_slice_alone() -> None:
    alone = slice_noise(7, 3, (2, 4, 4))
    for z in range(6):
        slice_noise(7, z, (2, 4, 4))
    assert torch.equal(slice_noise(7, 3, (2, 4, 4)), alone)
    assert not torch.equal(slice_noise(8, 3, (2, 4, 4)), alone)


@pytest.mark.parametrize(("apart", "shared"), [(1, 0.562), (2, 0.098), (3, 0.0)])
def test_neighboring_slices_share_noise_and_distant_ones_do_not(apart: int, shared: float) -> None:
    stack = torch.stack([slice_noise(1, z, (8, 16, 16)) for z in range(24)])
    product = (stack[apart:] * stack[:-apart]).mean()
    assert float(product) == pytest.approx(shared, abs=0.03)
    assert float(stack.var()) == pytest.approx(1, abs=0.03)


def test_training_sees_the_same_kind_of_noise_as_growth() -> None:
    noise = batch_noise(4, 12, (8, 8, 8), torch.Generator().manual_seed(0))
    assert noise.shape == (4, 12, 8, 8, 8)
    assert float((noise[:, 1:] * noise[:, :-1]).mean()) == pytest.approx(0.562, abs=0.03)
    assert float(noise.var()) == pytest.approx(1, abs=0.03)


def test_the_inner_ellipsoid_has_the_volume_asked_for() -> None:
    z = torch.arange(-60, 61, 1.0)
    inside = hints(SHAPE, HEAD, z, 240, 240.0)[:, 0] > 0
    assert float(inside.sum()) / 1000 == pytest.approx(20.0, rel=0.02)
    x, y, height = inner_half_mm(SHAPE)
    assert 4 / 3 * math.pi * x * y * height / 1000 == pytest.approx(20.0)


def test_the_outer_ellipsoid_touches_the_box_of_the_extents() -> None:
    z = torch.arange(-60, 61, 1.0)
    outer = torch.nonzero(hints(SHAPE, HEAD, z, 240, 240.0)[:, 1] > 0).float()
    extent = outer.amax(0) - outer.amin(0) + 1
    assert [float(v) for v in extent] == pytest.approx([36, 30, 44], abs=1.5)


def test_the_place_is_told_in_half_axes_of_the_head() -> None:
    place = hints(SHAPE, HEAD, torch.tensor([75.0]), 32, 240.0)[0, 2:]
    axis = grid_mm(32, 240.0)
    torch.testing.assert_close(place[0, 0], axis / 70)
    torch.testing.assert_close(place[1, :, 0], (axis - 5) / 90)
    assert float(place[2, 0, 0]) == pytest.approx(1)


def test_a_tiny_tumor_is_still_in_the_picture() -> None:
    tiny = TumorShape(0.01, 0.3, 0.8, (0.0, 0.0, 0.0), (2.0, 2.0, 2.0))
    picture = hints(tiny, HEAD, torch.tensor([0.0]), 32, 240.0)[0, 0]
    assert torch.isfinite(picture).all()
    assert float(picture.max()) > float(picture.min())

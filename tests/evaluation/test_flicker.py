"""The battery on stacks made to order: real ones pass, shuffled, noisy, blurred and seamed ones are seen, each its own way."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from medsynth_core.errors import InputError, ShapeError
from medsynth_core.evaluation.flicker import (
    Stack,
    axial,
    coronal,
    excess_z,
    gap_steps,
    head,
    mean_of,
    parts,
    pooled,
    residuals,
    roughness,
    seam_z,
    split_half,
    step_histogram,
    wasserstein,
)

SPACING = (4.0, 2.0, 2.0)
SHAPE = (24, 48, 48)
BORDERS = (9, 13)


def real(seed: int) -> Stack:
    """A ball-shaped head with structures of one size in mm along all axes."""
    rng = np.random.default_rng(seed)
    fine = ndimage.gaussian_filter(rng.standard_normal((48, 48, 48)), 1.2, mode="wrap")[::2]  # 4 mm slices of a 2 mm body
    z, y, x = (np.arange(n) - (n - 1) / 2 for n in SHAPE)
    inside = (x / 21) ** 2 + (y[:, None] / 21) ** 2 + (z[:, None, None] / 14) ** 2 <= 1
    image = np.where(inside, 120 + 25 * fine / fine.std(), 0).clip(0, 255).astype(np.uint8)
    mask = inside & (fine > np.quantile(fine[inside], 0.9)) & (np.abs(z)[:, None, None] < 4)
    return Stack(image, ndimage.binary_opening(mask), SPACING)


def with_image(stack: Stack, image: np.ndarray) -> Stack:
    return replace(stack, image=(image.clip(0, 255) * head(stack.image)).astype(np.uint8))


def noisy(stack: Stack, seed: int) -> Stack:
    """Every slice brighter or darker than it should be, at random."""
    light = np.random.default_rng(seed).normal(0, 12, (len(stack.image), 1, 1))
    return with_image(stack, stack.image + light)


def blurred(stack: Stack) -> Stack:
    return with_image(stack, ndimage.gaussian_filter1d(stack.image.astype(float), 1.5, axis=0, mode="nearest"))


def shuffled(stack: Stack, seed: int) -> Stack:
    """The same slices in another order, within the head alone so that its outline tells nothing."""
    order = np.arange(len(stack.image))
    order[6:18] = np.random.default_rng(seed).permutation(order[6:18])
    return replace(stack, image=stack.image[order], mask=stack.mask[order])


def seamed(stack: Stack) -> Stack:
    """A jump of brightness at two gaps, as badly joined slabs have it."""
    step = np.zeros(len(stack.image))
    for gap in BORDERS:
        step[gap + 1 :] += 18 if gap == BORDERS[0] else -18
    return with_image(stack, stack.image + step[:, None, None])


@pytest.fixture(scope="module")
def reals() -> list[Stack]:
    return [real(seed) for seed in range(30, 38)]


def test_the_same_volumes_are_at_no_distance(reals: list[Stack]) -> None:
    assert wasserstein(pooled(reals), pooled(reals)) == 0
    assert step_histogram(reals[0]).sum() == pytest.approx(1)


def test_w1_of_two_spikes_is_their_distance() -> None:
    a, b = np.zeros(256), np.zeros(256)
    a[10], b[25] = 1, 1
    assert wasserstein(a, b) == wasserstein(b, a) == 15


def test_other_real_volumes_lie_within_twice_the_halves(reals: list[Stack]) -> None:
    others = [real(seed) for seed in range(40, 48)]
    assert wasserstein(pooled(others), pooled(reals)) < 2 * split_half(reals)


@pytest.mark.parametrize(
    "spoil", [lambda s: noisy(s, 1), blurred, lambda s: shuffled(s, 1)], ids=["noisy", "blurred", "shuffled"]
)
def test_flicker_and_smoothness_both_lie_outside_the_halves(spoil, reals: list[Stack]) -> None:  # type: ignore[no-untyped-def]
    assert wasserstein(pooled([spoil(s) for s in reals]), pooled(reals)) > 2 * split_half(reals)


def test_one_volume_has_no_halves(reals: list[Stack]) -> None:
    with pytest.raises(InputError, match="halves"):
        split_half(reals[:1])


def test_halves_are_alike_in_slice_distance(reals: list[Stack]) -> None:
    thick = [replace(real(seed), spacing_mm=(8.0, 2.0, 2.0)) for seed in range(20, 28)]
    thick = [replace(s, image=np.repeat(s.image[::2], 2, axis=0)[: len(s.image)]) for s in thick]
    assert split_half([*reals, *thick]) < max(split_half(reals), split_half(thick))


def test_roughness_is_two_sided(reals: list[Stack]) -> None:
    usual = mean_of(roughness, reals)
    assert abs(usual) < 0.5, "structures of one size in mm look alike along all axes"
    assert mean_of(roughness, [noisy(s, 2) for s in reals]) > usual + 0.2
    assert mean_of(roughness, [shuffled(s, 2) for s in reals]) > usual + 0.2
    assert mean_of(roughness, [blurred(s) for s in reals]) < usual - 0.5


def test_a_seam_stands_out_at_its_borders_and_nowhere_else(reals: list[Stack]) -> None:
    where = [BORDERS] * len(reals)
    assert abs(seam_z(reals, where)) < 1
    made = [seamed(s) for s in reals]
    assert seam_z(made, where) > 2
    assert seam_z(made, [(5, 17)] * len(reals)) < 1


def test_a_border_too_smooth_stands_out_below(reals: list[Stack]) -> None:
    def joined(stack: Stack) -> Stack:
        image = stack.image.astype(float)
        for gap in BORDERS:
            image[gap : gap + 2] = image[gap : gap + 2].mean(axis=0)
        return with_image(stack, image)

    assert seam_z([joined(s) for s in reals], [BORDERS] * len(reals)) < -2


def test_slices_without_context_stand_out_at_every_gap(reals: list[Stack]) -> None:
    assert abs(excess_z(reals, reals)) < 1e-9
    assert excess_z([shuffled(s, 3) for s in reals], reals) > 0.5
    with pytest.raises(ShapeError, match="place by place"):
        excess_z([replace(s, image=s.image[1:], mask=s.mask[1:]) for s in reals], reals)


def test_no_border_no_seam(reals: list[Stack]) -> None:
    assert np.isnan(seam_z(reals, [()] * len(reals)))


def test_steps_are_told_only_where_there_is_head(reals: list[Stack]) -> None:
    steps = gap_steps(reals[0])
    assert steps.shape == (23,)
    assert np.isfinite(steps[8:15]).all()
    empty = replace(reals[0], image=np.zeros_like(reals[0].image))
    assert np.isnan(gap_steps(empty)).all()
    with pytest.raises(InputError, match="no head"):
        step_histogram(empty)
    with pytest.raises(InputError, match="no structure"):
        roughness(empty)


def test_a_steady_growth_of_steps_leaves_no_residual() -> None:
    assert np.nanmax(np.abs(residuals(1.1 ** np.arange(12.0)))) < 1e-9


def test_pieces_that_touch_at_a_corner_are_one() -> None:
    mask = np.zeros((4, 4, 4), bool)
    assert parts(mask) == 0
    mask[0, 0, 0] = mask[1, 1, 1] = True
    assert parts(mask) == 1
    mask[3, 3, 3] = True
    assert parts(mask) == 2


def test_coronal_planes_have_square_pixels_and_the_stack_in_their_middle(reals: list[Stack]) -> None:
    planes = coronal(reals[0], rows=64, every=1)
    assert planes.shape[1:] == (1, 64, 48)
    tall = np.flatnonzero((planes > 0).any(axis=(0, 1, 3)))
    assert 40 <= len(tall) <= 48
    assert abs(tall.mean() - 31.5) < 1
    middle = reals[0].image[12, 24]
    assert np.abs(planes[len(planes) // 2, 0, 32].astype(int) - middle).mean() < 30


def test_empty_planes_are_not_shown(reals: list[Stack]) -> None:
    bare = reals[0].image.copy()
    bare[:5] = 0
    bare[5, 1:] = 0
    assert len(axial(replace(reals[0], image=bare))) == 18


def test_image_and_mask_must_fit() -> None:
    with pytest.raises(ShapeError, match="3 slices"):
        Stack(np.zeros((2, 8, 8), np.uint8), np.zeros((2, 8, 8), bool), SPACING)
    with pytest.raises(ShapeError):
        Stack(np.zeros((4, 8, 8), np.uint8), np.zeros((4, 8, 9), bool), SPACING)

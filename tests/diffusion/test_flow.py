"""The path, the loss and the sampler against the equations they are written from."""

from __future__ import annotations

import itertools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from medsynth_core.diffusion.flow import T_FLOOR, area_weight, draw_times, noised, resolution_shift, velocity, velocity_loss
from medsynth_core.diffusion.samplers import noise_for, sample, time_grid

GENERATOR = torch.Generator().manual_seed(5)
X, NOISE, GUESS = (torch.randn(3, 2, 4, 4, generator=GENERATOR) for _ in range(3))
TIMES = torch.tensor([0.1, 0.5, 0.9])


def test_the_path_runs_from_data_to_noise() -> None:
    assert torch.equal(noised(X, NOISE, torch.zeros(3)), X)
    assert torch.allclose(noised(X, NOISE, torch.ones(3)), NOISE)
    direct = torch.stack([(1 - t) * x + t * e for x, e, t in zip(X, NOISE, TIMES, strict=True)])
    assert torch.allclose(noised(X, NOISE, TIMES), direct, atol=1e-6)


def test_the_velocity_of_a_perfect_prediction_is_noise_minus_data() -> None:
    assert torch.allclose(velocity(noised(X, NOISE, TIMES), X, TIMES), NOISE - X, atol=1e-5)


def test_the_loss_is_the_squared_error_of_velocities() -> None:
    x_t = noised(X, NOISE, TIMES)
    direct = (velocity(x_t, GUESS, TIMES) - (NOISE - X)).square().mean(dim=(1, 2, 3))
    assert torch.allclose(velocity_loss(GUESS, X, TIMES), direct, rtol=1e-4)


def test_nearly_clean_images_do_not_rule_the_loss() -> None:
    at = [velocity_loss(GUESS, X, torch.full((3,), t)) for t in (1e-6, T_FLOOR / 2, T_FLOOR)]
    assert torch.equal(at[0], at[1])
    assert torch.equal(at[1], at[2])


def test_a_weight_of_ones_changes_nothing() -> None:
    plain = velocity_loss(GUESS, X, TIMES)
    assert torch.allclose(velocity_loss(GUESS, X, TIMES, torch.ones(3, 1, 4, 4)), plain)


def region(pixels: int, side: int = 16) -> torch.Tensor:
    flat = torch.zeros(side * side)
    flat[:pixels] = 1
    return flat.view(1, 1, side, side)


@given(st.integers(0, 256))
def test_area_weights_have_mean_one(pixels: int) -> None:
    weight = area_weight(region(pixels))
    assert weight.mean().item() == pytest.approx(1, abs=1e-4)
    assert (weight > 0).all()


def test_the_smaller_the_lesion_the_more_its_pixels_count() -> None:
    weights = [area_weight(region(pixels))[0, 0, 0, 0].item() for pixels in (1, 4, 16, 64, 128)]
    assert all(smaller >= larger for smaller, larger in itertools.pairwise(weights))
    assert weights[0] > weights[-1]
    ratios = [(w := area_weight(region(pixels))[0, 0])[0, 0] / w[-1, -1] for pixels in (1, 16, 128, 200)]
    assert [round(ratio.item(), 3) for ratio in ratios] == [8.0, round(15**0.5, 3), 1.0, 1.0]


def test_times_lie_between_data_and_noise() -> None:
    times = draw_times(2000, torch.Generator().manual_seed(0))
    assert times.min() > 0
    assert times.max() < 1
    assert times.median().item() == pytest.approx(0.5, abs=0.03)
    assert draw_times(2000, torch.Generator().manual_seed(0), 3.0).median().item() == pytest.approx(0.75, abs=0.03)


def test_large_images_are_trained_and_sampled_at_noisier_times() -> None:
    assert [resolution_shift(torch.zeros(1, 1, side, side)) for side in (32, 64, 128, 256)] == [1, 1, 2, 4]


@given(st.integers(1, 64), st.floats(0.3, 5))
def test_the_time_grid_falls_from_one_to_zero(steps: int, shift: float) -> None:
    grid = time_grid(steps, shift)
    assert len(grid) == steps + 1
    assert grid[0] == pytest.approx(1)
    assert grid[-1] == 0
    assert all(t > r for t, r in itertools.pairwise(grid))


def test_a_shift_spends_more_steps_on_the_noisy_end() -> None:
    assert all(shifted > even for shifted, even in zip(time_grid(8, 3.0)[1:-1], time_grid(8)[1:-1], strict=True))


@pytest.mark.parametrize("steps", [1, 2, 4, 8, 16])
def test_a_perfect_prediction_is_sampled_whatever_the_steps(steps: int) -> None:
    seen = list(sample(lambda x_t, t, r: X, NOISE, steps))
    assert len(seen) == steps
    assert torch.equal(seen[-1], X)


def test_the_sampler_walks_the_straight_path() -> None:
    """With a perfect prediction every x_t on the way is the data and the noise mixed."""

    def check(x_t: torch.Tensor, t: torch.Tensor, r: torch.Tensor) -> torch.Tensor:
        assert torch.allclose(x_t, noised(X, NOISE, t), atol=1e-5)
        assert (r < t).all()
        return X

    list(sample(check, NOISE, 8, shift=2.0))


def test_noise_depends_on_seed_and_index_alone() -> None:
    first = [noise_for(7, i, (2, 3)) for i in (0, 1, 2)]
    torch.randn(100)
    again = [noise_for(7, i, (2, 3)) for i in (2, 0, 1)]
    assert torch.equal(torch.stack([first[2], first[0], first[1]]), torch.stack(again))
    assert not torch.equal(first[0], first[1])
    assert not torch.equal(first[0], noise_for(8, 0, (2, 3)))


def test_making_noise_leaves_the_global_generator_alone() -> None:
    torch.manual_seed(1)
    expected = torch.randn(3)
    torch.manual_seed(1)
    noise_for(7, 0, (5,))
    assert torch.equal(torch.randn(3), expected)


@pytest.mark.parametrize("seed", [0, 2**31, 2**63 - 1, -1])
def test_any_whole_number_is_a_seed(seed: int) -> None:
    assert torch.equal(noise_for(seed, 3, (4,)), noise_for(seed, 3, (4,)))

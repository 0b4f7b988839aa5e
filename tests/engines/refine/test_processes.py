"""The two processes: the states have the probabilities of their equations, and a perfect network is led to the truth."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from medsynth_core.engines.refine.processes import (
    ALPHA_BAR,
    END,
    START,
    T,
    chance,
    discrete_state,
    gaussian_state,
    walk_discrete,
    walk_gaussian,
)

SIDE = 64
FINE, COARSE = torch.ones(1, 1, SIDE, SIDE), -torch.ones(1, 1, SIDE, SIDE)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("sigma", [0.0, 2.0, 6.0])
def test_chance_is_uniform_however_far_it_is_alike(sigma: float) -> None:
    drawn = torch.cat([chance(FINE, sigma, seeded(i)).flatten() for i in range(60)])
    shares = torch.histc(drawn, 10, 0, 1) / len(drawn)
    assert float((shares - 0.1).abs().max()) < 0.02
    assert float(drawn.min()) >= 0
    assert float(drawn.max()) <= 1


def test_neighbors_share_their_chance_only_when_asked_to() -> None:
    def likeness(sigma: float) -> float:
        drawn = chance(FINE, sigma, seeded())[0, 0]
        return float(torch.corrcoef(torch.stack([drawn[:, :-1].flatten(), drawn[:, 1:].flatten()]))[0, 1])

    assert abs(likeness(0.0)) < 0.1
    assert likeness(6.0) > 0.9


@pytest.mark.parametrize("t", [0.0, 0.25, 0.7, 1.0])
def test_a_pixel_is_fine_with_probability_one_minus_t(t: float) -> None:
    x = discrete_state(FINE, COARSE, torch.tensor([t]), chance(FINE, 0.0, seeded()))
    assert float((x > 0).float().mean()) == pytest.approx(1 - t, abs=0.03)
    assert set(x.unique().tolist()) <= {-1.0, 1.0}


def test_at_its_start_the_gaussian_process_has_as_much_noise_as_signal() -> None:
    assert float(ALPHA_BAR[START]) == pytest.approx(0.5, abs=0.01)
    x = gaussian_state(FINE, torch.tensor([START]), seeded())
    assert float(x.mean()) == pytest.approx(0.5**0.5, abs=0.05)
    assert float(x.std()) == pytest.approx(0.5**0.5, abs=0.05)


@pytest.mark.parametrize("steps", [1, 2, 6, 50])
def test_the_gaussian_walk_keeps_its_noise_at_the_level_of_its_time(steps: int) -> None:
    """The published code left 1.7 times the noise at t = 100 and 19 times at 0: here each state is one of the training."""
    seen: list[tuple[float, float]] = []

    def knows(x_t: Tensor, t: Tensor) -> Tensor:
        seen.append((float(t), float((x_t - ALPHA_BAR[round(float(t) * T)].sqrt() * FINE).std())))
        return (FINE + 1) / 2

    walk_gaussian(knows, FINE, steps, seeded())
    assert len(seen) == steps
    for t, noise in seen:
        assert noise == pytest.approx(float((1 - ALPHA_BAR[round(t * T)]).sqrt()), rel=0.06)


@pytest.mark.parametrize("steps", [1, 2, 6])
def test_the_discrete_walk_evaluates_as_often_as_asked_and_turns_fine_on_the_way(steps: int) -> None:
    seen: list[tuple[float, float]] = []

    def knows(x_t: Tensor, t: Tensor) -> Tensor:
        seen.append((float(t), float((x_t > 0).float().mean())))
        return (FINE + 1) / 2

    p = walk_discrete(knows, COARSE, steps, seeded())
    assert float(p.min()) == 1
    assert [t for t, _ in seen] == pytest.approx([1 - (1 - END) * k / max(1, steps - 1) for k in range(steps)])
    for t, fine in seen:
        assert fine == pytest.approx(1 - t, abs=0.05)


def test_the_discrete_walk_gives_the_mean_of_its_evaluations() -> None:
    said = iter((0.2, 0.6, 1.0))

    def wavers(x_t: Tensor, t: Tensor) -> Tensor:
        return torch.full_like(x_t, next(said))

    assert torch.allclose(walk_discrete(wavers, COARSE, 3, seeded()), torch.tensor(0.6))


def test_the_same_seed_walks_the_same_way() -> None:
    def shaky(x_t: Tensor, t: Tensor) -> Tensor:
        return (x_t * 0.3).sigmoid()

    for walk in (walk_discrete, walk_gaussian):
        assert torch.equal(walk(shaky, COARSE, 4, seeded(1)), walk(shaky, COARSE, 4, seeded(1)))
    assert not torch.equal(walk_gaussian(shaky, COARSE, 4, seeded(1)), walk_gaussian(shaky, COARSE, 4, seeded(2)))

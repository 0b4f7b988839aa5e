"""The any-step flow map: its targets must follow the two equations it is defined by."""

from __future__ import annotations

import torch
from torch import Tensor

from medsynth_core.diffusion.distil import STEP_COUNTS, draw_jumps, flow_map_loss

CLEAN = torch.linspace(-1, 1, 8 * 3 * 4 * 4).view(8, 3, 4, 4)


def straight(x_t: Tensor, t: Tensor, r: Tensor, guidance: Tensor) -> Tensor:
    """Predict the same picture from anywhere: the flow of a single image is a straight line, so every jump is exact."""
    return CLEAN[: len(x_t)].new_full(x_t.shape, 0.25)


def teacher(x_t: Tensor, t: Tensor, guidance: Tensor) -> Tensor:
    return straight(x_t, t, t, guidance)


def test_a_straight_flow_is_its_own_flow_map() -> None:
    losses = flow_map_loss(straight, teacher, CLEAN, torch.Generator().manual_seed(0))
    assert set(losses) == {"velocity", "shortcut"}
    # Times under the floor of the velocity count as the floor, which bends the line by a hair.
    assert all(float(value) < 1e-6 for value in losses.values())


def test_a_student_that_differs_from_its_teacher_pays() -> None:
    def other(x_t: Tensor, t: Tensor, guidance: Tensor) -> Tensor:
        return torch.zeros_like(x_t)

    losses = flow_map_loss(straight, other, CLEAN, torch.Generator().manual_seed(0))
    assert float(losses["velocity"]) > 1e-3


def test_a_student_whose_two_half_steps_disagree_with_its_whole_step_pays() -> None:
    def crooked(x_t: Tensor, t: Tensor, r: Tensor, guidance: Tensor) -> Tensor:
        return torch.full_like(x_t, 0.25) * (t - r).view(-1, 1, 1, 1)

    losses = flow_map_loss(crooked, teacher, CLEAN, torch.Generator().manual_seed(0))
    assert float(losses["shortcut"]) > 1e-3


def test_no_gradient_flows_through_the_targets() -> None:
    scale = torch.ones((), requires_grad=True)
    held = torch.ones((), requires_grad=True)

    def student(x_t: Tensor, t: Tensor, r: Tensor, guidance: Tensor) -> Tensor:
        return torch.full_like(x_t, 0.5) * scale

    def taught(x_t: Tensor, t: Tensor, guidance: Tensor) -> Tensor:
        return torch.full_like(x_t, 0.1) * held

    sum(flow_map_loss(student, taught, CLEAN, torch.Generator().manual_seed(1)).values()).backward()
    assert scale.grad is not None
    assert held.grad is None


def test_jumps_lead_from_one_point_of_a_time_grid_to_the_next() -> None:
    t, r = draw_jumps(500, torch.Generator().manual_seed(2))
    steps = (1 / (t - r)).round().int()
    assert set(steps.tolist()) == set(STEP_COUNTS)
    assert torch.allclose(t * steps, (t * steps).round(), atol=1e-4)
    assert bool(((r >= 0) & (t <= 1)).all())

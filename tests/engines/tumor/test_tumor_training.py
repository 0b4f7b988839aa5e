"""Two stages by one command: what is drawn, what is learned, and that a killed training ends like an undisturbed one."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from medsynth_core.engines.tumor.autoencoder import SliceAutoencoder
from medsynth_core.engines.tumor.body import kept_free
from medsynth_core.engines.tumor.joint import JointNetwork
from medsynth_core.engines.tumor.model import load_model
from medsynth_core.engines.tumor.objective import CONTEXT_TIME, autoencoder_loss, draw_times, flow_loss, ssim
from medsynth_core.engines.tumor.prepare import learned_prior
from medsynth_core.engines.tumor.presets import get_preset
from medsynth_core.engines.tumor.recipe import TumorRecipe
from medsynth_core.engines.tumor.shape import measure
from medsynth_core.engines.tumor.slabs import CONTEXT, draw_slabs
from medsynth_core.engines.tumor.stacks import Stack
from medsynth_core.engines.tumor.starters import CARD
from medsynth_core.engines.tumor.views import View, described, seen_as
from medsynth_core.errors import ParameterError
from medsynth_core.training.loop import Pace, train


def head_with_tumor(seed: int, slices: int = 7) -> Stack:
    """Return a bright ball in a grey one."""
    rng = np.random.default_rng(seed)
    z, y, x = np.mgrid[:slices, :128, :128]
    z = (z - (slices - 1) / 2) * 20
    head = (z / 75) ** 2 + ((y - 64) / 45) ** 2 + ((x - 64) / 38) ** 2 < 1
    cy, cx = rng.uniform(52, 76, 2)
    tumor = (z / 45) ** 2 + ((y - cy) / 13) ** 2 + ((x - cx) / 11) ** 2 < 1
    image = 0.35 * head + 0.4 * tumor + rng.normal(0, 0.02, head.shape) * head
    return Stack(image.clip(0, 1).astype(np.float32), tumor.astype(np.float32), 20.0)


@pytest.fixture(scope="module")
def stacks() -> tuple[Stack, ...]:
    return tuple(head_with_tumor(seed) for seed in range(3))


@pytest.fixture(scope="module")
def views(stacks: tuple[Stack, ...]) -> list[list[View]]:
    return [[described(seen, torch.zeros(7, 8, 32, 32)) for seen in (seen_as(s, v, 1) for v in range(2))] for s in stacks]


def recipe(stacks: tuple[Stack, ...], preset: str = "toy", **changes: object) -> TumorRecipe:
    return TumorRecipe(
        dataclasses.replace(get_preset("toy"), name=preset, **changes),  # type: ignore[arg-type]
        stacks[:2],
        stacks[2:],
        learned_prior(stacks),
        dataclasses.replace(CARD, id="toy"),
    )


def test_the_first_view_is_the_patient_and_the_second_a_mirror_image(stacks: tuple[Stack, ...]) -> None:
    stack = stacks[0]
    assert seen_as(stack, 0, 5) is stack
    seen = seen_as(stack, 1, 5)
    left = measure(stack.mask, stack.spacing_mm).center_mm[0]
    assert measure(seen.mask > 0.5, seen.spacing_mm).center_mm[0] == pytest.approx(-left, abs=14)
    np.testing.assert_array_equal(seen.image, seen_as(stack, 1, 5).image)


def test_a_view_is_told_what_it_shows_not_what_the_patient_was(stacks: tuple[Stack, ...]) -> None:
    seen = seen_as(stacks[0], 3, 9)
    view = described(seen, torch.zeros(7, 8, 32, 32))
    assert view.shape == measure(seen.mask > 0.5, seen.spacing_mm)
    assert view.slice_mm == seen.slice_mm
    assert view.region.shape == (7, 1, 32, 32)
    assert float(view.region.float().sum()) * 16 == pytest.approx(float(seen.mask.sum()), rel=0.01)


def test_known_slices_come_first_and_are_less_noisy(views: list[list[View]]) -> None:
    generator = torch.Generator().manual_seed(3)
    for _ in range(20):
        batch = draw_slabs(views, 2, 6, 0.0, generator)
        times = draw_times(batch.free, generator)
        new = batch.free[:, :, 0, 0, 0]
        assert bool((new.diff(dim=1) >= 0).all()), "a known slice after a new one"
        assert bool((new[:, -1] == 1).all())
        assert float(new[0].sum()) >= new.shape[1] - CONTEXT
        assert float(times[batch.free < 0.5].max() if (batch.free < 0.5).any() else 0) <= CONTEXT_TIME
        first = times.amin(dim=(3, 4)).squeeze(2)
        assert bool((first[:, :1] <= times.amax(dim=(1, 2, 3, 4))[:, None] + 1e-6).all())


def test_slabs_are_grown_upwards_and_downwards(views: list[list[View]]) -> None:
    generator, ways = torch.Generator().manual_seed(1), set()
    for _ in range(12):
        place = draw_slabs(views, 1, 6, 0.0, generator).hints[0, :, 4, 0, 0]
        ways.add(bool(place[-1] > place[0]))
    assert ways == {True, False}


def test_an_inpainting_slab_keeps_what_is_far_from_the_tumor_in_every_slice(views: list[list[View]]) -> None:
    batch = draw_slabs(views, 3, 6, 1.0, torch.Generator().manual_seed(0))
    assert bool((batch.free[:, :, 0, 0, 0] == 0).all())
    enclosed = batch.hints[:, :, 1:2] > 0
    assert bool((batch.free[enclosed] == 1).all())


def test_what_counts_more_follows_from_the_request_not_from_the_truth(views: list[list[View]]) -> None:
    batch = draw_slabs(views, 1, 6, 0.0, torch.Generator().manual_seed(0))
    seen: list[Tensor] = []

    def network(x_t: Tensor, *_: Tensor) -> Tensor:
        seen.append(x_t.clone().requires_grad_())
        return seen[-1]

    times, asked = torch.full_like(batch.free, 0.5), torch.ones(1, dtype=torch.bool)
    free = dataclasses.replace(batch, free=torch.ones_like(batch.free))
    flow_loss(network, free, times, asked).backward()  # type: ignore[arg-type]
    weights = (seen[0].grad / (seen[0].detach() - batch.latents)).abs()[:, :, 0]  # type: ignore[operator]
    inside = kept_free(batch.hints)[:, :, 0] > 0.5
    assert float(weights[inside].min()) > 1.1 * float(weights[~inside].max()) or bool(inside.all())


def test_a_perfect_copy_has_a_structural_similarity_of_1() -> None:
    picture = torch.rand(2, 1, 32, 32)
    assert float(ssim(picture, picture)) == pytest.approx(1)
    assert float(ssim(picture, torch.rand(2, 1, 32, 32))) < 0.3


def test_the_autoencoder_learns() -> None:
    torch.manual_seed(0)
    autoencoder, generator = SliceAutoencoder((8, 16)), torch.Generator().manual_seed(0)
    runs = torch.randn(1, 4, 2, 4, 4).flatten(0, 1)
    runs = torch.nn.functional.interpolate(runs, scale_factor=8.0).unflatten(0, (1, 4)).clamp(-1, 1)
    optimizer = torch.optim.Adam(autoencoder.parameters(), 1e-2)
    losses = []
    for _ in range(25):
        total = torch.stack(list(autoencoder_loss(autoencoder, runs, generator).values())).sum()
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        losses.append(float(total.detach()))
    assert losses[-1] < 0.6 * losses[0]


def test_a_training_that_was_cut_between_and_in_both_stages_ends_with_the_same_bytes(
    stacks: tuple[Stack, ...], tmp_path: Path
) -> None:
    train(recipe(stacks), tmp_path / "whole", lambda _: None)
    for _ in range(7):  # each run saves after one step and stops: 3 of the first stage, 3 of the second
        train(recipe(stacks), tmp_path / "cut", lambda _: None, Pace(seconds=0.0))
    for name in ("autoencoder", "slabs"):
        weights = f"{name}/diffusion_pytorch_model.safetensors"
        assert (tmp_path / "whole" / weights).read_bytes() == (tmp_path / "cut" / weights).read_bytes()
    model = load_model(tmp_path / "whole")
    assert model.autoencoder.is_standardized
    assert model.prior == recipe(stacks).prior
    assert model.latent_shape == (8, 32, 32)


def test_the_second_stage_leaves_the_autoencoder_as_it_is(stacks: tuple[Stack, ...]) -> None:
    plan = recipe(stacks)
    networks = plan.build()
    plan.before(3, networks, networks)
    losses = plan.loss(networks, 3, torch.Generator().manual_seed(0))
    torch.stack(list(losses.values())).sum().backward()
    assert all(p.grad is None for p in networks["autoencoder"].parameters())
    assert any(p.grad is not None for p in networks["slabs"].parameters())


def test_the_joint_preset_learns_whole_stacks_and_its_model_says_so(stacks: tuple[Stack, ...], tmp_path: Path) -> None:
    plan = recipe(stacks, joint=True)
    train(plan, tmp_path / "joint", lambda _: None)
    assert load_model(tmp_path / "joint").whole_stack


def test_going_on_from_a_model_trains_the_slab_network_only(stacks: tuple[Stack, ...], tmp_path: Path) -> None:
    train(recipe(stacks), tmp_path / "base", lambda _: None)
    plan = dataclasses.replace(recipe(stacks), base=tmp_path / "base")
    assert set(plan.loss(plan.build(), 0, torch.Generator().manual_seed(0))) == {"flow"}


def test_an_unknown_preset_is_refused_with_those_there_are() -> None:
    with pytest.raises(ParameterError, match=r"preset is 'huge': it must be one of compact, inpaint, joint"):
        get_preset("huge")


def test_a_base_of_the_other_kind_gives_its_autoencoder(stacks: tuple[Stack, ...], tmp_path: Path) -> None:
    train(recipe(stacks), tmp_path / "base", lambda _: None)
    networks = dataclasses.replace(recipe(stacks, joint=True), base=tmp_path / "base").build()
    assert isinstance(networks["slabs"], JointNetwork)
    assert torch.equal(networks["autoencoder"].spread, load_model(tmp_path / "base").autoencoder.spread)

"""The Siamese objective: who learns from what, and when."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from medsynth_core.diffusion.flow import velocity_loss
from medsynth_core.engines.synthesize.network import Denoiser, HintEncoder
from medsynth_core.engines.synthesize.objective import (
    CONDITION_DROPOUT,
    Batch,
    Draw,
    draw,
    image_hint,
    mask_branch_loss,
    mask_hint,
    siamese_loss,
)

SIDE, WIDTHS, OPTIONS = 32, (32, 32), (3,)


def alive(network: nn.Module) -> nn.Module:
    """Give zero-initialized layers a value: at zero, half of the gradients are zero by design."""
    generator = torch.Generator().manual_seed(2)
    for parameter in network.parameters():
        if not parameter.any():
            parameter.data.normal_(std=0.1, generator=generator)
    return network


@pytest.fixture
def networks() -> tuple[nn.Module, nn.Module]:
    torch.manual_seed(0)
    return alive(HintEncoder(2 + 1, WIDTHS, 4, hidden=16)), alive(Denoiser(1, WIDTHS, 1, OPTIONS, patch=4))


def batch_of(count: int = 4) -> Batch:
    generator = torch.Generator().manual_seed(1)
    lesion = torch.zeros(count, 1, SIDE, SIDE)
    lesion[:, :, 8:16, 8:16] = 1
    images = torch.rand(count, 1, SIDE, SIDE, generator=generator) * 2 - 1
    return Batch(images, torch.cat([1 - lesion, lesion], dim=1), torch.tensor([[0], [1], [2], [0]])[:count])


def drawn(t: list[float], batch: Batch) -> Draw:
    noise = torch.randn(batch.images.shape, generator=torch.Generator().manual_seed(3))
    return Draw(torch.tensor(t), noise, torch.ones(len(t), dtype=torch.bool), batch.options)


def losses_at(networks: tuple[nn.Module, nn.Module], done: float, t: list[float], share: float = 1.0) -> dict[str, torch.Tensor]:
    batch = batch_of(len(t))
    return siamese_loss(*networks, batch, drawn(t, batch), done, share, torch.Generator().manual_seed(4))


def reached(network: nn.Module) -> bool:
    return any(p.grad is not None and bool(p.grad.any()) for p in network.parameters())


@pytest.mark.parametrize("done", [0.1, 0.5, 1.0])
def test_the_image_branch_teaches_the_hint_encoder_and_never_the_denoiser(
    networks: tuple[nn.Module, nn.Module], done: float
) -> None:
    losses_at(networks, done, [0.5, 0.9])["image"].backward()
    assert reached(networks[0])
    assert all(p.grad is None for p in networks[1].parameters())


def test_the_mask_branch_and_the_consistency_teach_both(networks: tuple[nn.Module, nn.Module]) -> None:
    for term in ("mask", "consistency"):
        for network in networks:
            network.zero_grad()
        losses_at(networks, 0.5, [0.5, 0.9])[term].backward()
        assert reached(networks[0]), term
        assert reached(networks[1]), term


def test_the_image_hint_gets_no_gradient_through_the_mask_control(networks: tuple[nn.Module, nn.Module]) -> None:
    """At done = 0 the image's features weigh nothing and the mask's are detached: nothing learns from the image branch."""
    losses_at(networks, 0.0, [0.5])["image"].backward()
    assert not reached(networks[0])


def test_the_branches_agree_at_the_start_and_part_later(networks: tuple[nn.Module, nn.Module]) -> None:
    start = losses_at(networks, 0.0, [0.4, 0.8])
    assert float(start["consistency"].detach()) < 1e-10
    assert float(start["mask"].detach()) == pytest.approx(float(start["image"].detach()), rel=1e-5)
    assert float(losses_at(networks, 1.0, [0.4, 0.8])["consistency"].detach()) > 1e-6


@pytest.mark.parametrize(
    ("done", "t", "late"),
    [(0.3, [0.1], False), (1 / 3, [0.1], False), (0.34, [0.1], True), (0.9, [0.21, 0.9], False), (0.9, [0.2, 0.9], True)],
)
def test_the_late_term_waits_for_a_third_and_for_little_noise(
    networks: tuple[nn.Module, nn.Module], done: float, t: list[float], late: bool
) -> None:
    assert ("late" in losses_at(networks, done, t)) is late


def test_the_late_term_counts_only_the_items_with_little_noise(networks: tuple[nn.Module, nn.Module]) -> None:
    alone = losses_at(networks, 0.9, [0.15])["late"].detach()
    diluted = losses_at(networks, 0.9, [0.15, 0.9])["late"].detach()
    assert float(diluted) == pytest.approx(float(alone) / 2, rel=0.05)


def test_the_share_limits_the_image_branch_not_the_mask_branch(networks: tuple[nn.Module, nn.Module]) -> None:
    whole, quarter = (losses_at(networks, 0.5, [0.3, 0.5, 0.7, 0.9], share) for share in (1.0, 0.25))
    assert torch.equal(whole["mask"], quarter["mask"])
    assert not torch.equal(whole["image"], quarter["image"])


def test_the_ablation_is_the_mask_branch_alone(networks: tuple[nn.Module, nn.Module]) -> None:
    batch = batch_of(2)
    d = drawn([0.3, 0.7], batch)
    assert torch.equal(mask_branch_loss(*networks, batch, d)["mask"], losses_at(networks, 0.5, [0.3, 0.7])["mask"])


def test_a_dropped_condition_forgets_mask_and_option(networks: tuple[nn.Module, nn.Module]) -> None:
    encoder, denoiser = networks
    batch, nothing = batch_of(2), torch.zeros(2, dtype=torch.bool)
    first = encoder(mask_hint(batch.masks, 1), nothing)
    other = encoder(mask_hint(batch.masks.flip(1), 1), nothing)
    assert all(torch.equal(a, b) for a, b in zip(first, other, strict=True))
    x_t, t = torch.zeros(2, 1, SIDE, SIDE), torch.full((2,), 0.5)
    nulls = torch.full((2, 1), OPTIONS[0])
    assert torch.equal(denoiser(x_t, t, first, nulls), denoiser(x_t, t, first, None))


def test_no_condition_is_not_an_empty_mask(networks: tuple[nn.Module, nn.Module]) -> None:
    background = torch.zeros(1, 2, SIDE, SIDE)
    background[:, 0] = 1
    hint = mask_hint(background, 1)
    null, empty = networks[0](hint, torch.zeros(1, dtype=torch.bool)), networks[0](hint)
    assert not torch.allclose(null[0], empty[0])


def test_conditions_are_dropped_as_often_as_said() -> None:
    batch = batch_of(4)
    many = Batch(*(part.repeat(500, *[1] * (part.ndim - 1)) for part in (batch.images[..., :4, :4], batch.masks, batch.options)))
    d = draw(many, OPTIONS, torch.Generator().manual_seed(0))
    assert (~d.keep).float().mean().item() == pytest.approx(CONDITION_DROPOUT, abs=0.02)
    assert (d.options[~d.keep] == OPTIONS[0]).all(), "a dropped mask drops its options too"
    kept = d.options[d.keep]
    assert (kept == OPTIONS[0]).float().mean().item() == pytest.approx(CONDITION_DROPOUT, abs=0.02)
    assert (kept[kept != OPTIONS[0]] == many.options[d.keep][kept != OPTIONS[0]]).all()


def test_the_same_generator_draws_the_same_step() -> None:
    first, again = (draw(batch_of(), OPTIONS, torch.Generator().manual_seed(9)) for _ in range(2))
    assert torch.equal(first.noise, again.noise)
    assert torch.equal(first.t, again.t)


def test_half_of_the_patches_of_an_image_hint_are_blank() -> None:
    hint = image_hint(torch.ones(64, 3, 64, 64), 2, torch.Generator().manual_seed(0))
    assert hint.shape == (64, 5, 64, 64)
    assert not hint[:, :2].any(), "where the mask would be"
    patches = hint[:, 2:].unflatten(-1, (4, 16)).unflatten(-3, (4, 16))
    kept = patches.abs().amax(dim=(1, 3, 5)) > 0
    assert kept.float().mean().item() == pytest.approx(0.5, abs=0.05)
    assert (hint[:, 2:][hint[:, 2:] != 0] == 1).all()


def test_an_image_hint_has_lost_its_detail() -> None:
    checkers = (torch.arange(32)[:, None] + torch.arange(32)) % 2 * 2.0 - 1
    assert image_hint(checkers.expand(1, 1, 32, 32), 0, torch.Generator().manual_seed(0)).abs().max() < 1e-6


def test_a_perfect_denoiser_has_no_loss() -> None:
    x = torch.randn(2, 1, 4, 4)
    assert velocity_loss(x, x, torch.tensor([0.1, 0.9])).tolist() == [0, 0]

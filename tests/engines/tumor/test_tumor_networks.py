"""The networks keep their promises about shapes, neighbors, times and the null."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from medsynth_core.engines.tumor.autoencoder import SliceAutoencoder
from medsynth_core.engines.tumor.joint import JointNetwork, joint_sample
from medsynth_core.engines.tumor.network import NUMBERS, STYLE, SlabNetwork


def shaken(module: torch.nn.Module) -> torch.nn.Module:
    """Return the module with all weights at random: blocks start as the identity, which would hide what they see."""
    generator = torch.Generator().manual_seed(0)
    for p in module.parameters():
        p.data = torch.randn(p.shape, generator=generator) * 0.2
    return module.eval()


@pytest.fixture(scope="module")
def slabs() -> SlabNetwork:
    network = shaken(SlabNetwork((16, 48), 8, 1))
    assert isinstance(network, SlabNetwork)
    return network


def given(n: int, side: int = 8, seed: int = 1, batch: int = 1) -> dict[str, Tensor]:
    g = torch.Generator().manual_seed(seed)
    return {
        "x_t": torch.randn(batch, n, 8, side, side, generator=g),
        "times": torch.full((batch, n, 1, side, side), 0.5),
        "hints": torch.randn(batch, n, 5, side, side, generator=g),
        "numbers": torch.randn(batch, NUMBERS, generator=g),
        "style": torch.randn(batch, STYLE, generator=g),
        "slice_mm": torch.full((batch,), 4.0),
        "asked": torch.ones(batch, dtype=torch.bool),
    }


@torch.no_grad()
def test_a_slice_is_encoded_to_a_quarter_of_its_side() -> None:
    autoencoder = SliceAutoencoder((8, 16))
    assert autoencoder.encode(torch.zeros(3, 2, 32, 48)).shape == (3, 8, 8, 12)
    assert autoencoder.decode(torch.zeros(5, 8, 8, 12)).shape == (3, 2, 32, 48)


@torch.no_grad()
def test_a_slice_is_decoded_from_its_own_latent_and_both_neighbors_only() -> None:
    autoencoder, latents = shaken(SliceAutoencoder((8, 16))), torch.randn(6, 8, 8, 8)
    before = autoencoder.decode(latents)  # slices 1 to 4
    changed = latents.clone()
    changed[0] += 1
    after = autoencoder.decode(changed)
    assert not torch.equal(before[0], after[0])
    assert torch.equal(before[1:], after[1:])


@torch.no_grad()
def test_a_slice_is_decoded_alike_in_any_batch() -> None:
    autoencoder, latents = shaken(SliceAutoencoder((8, 16))), torch.randn(7, 8, 8, 8)
    torch.testing.assert_close(autoencoder.decode(latents)[2:3], autoencoder.decode(latents[2:5]), rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_standardized_latents_have_mean_0_and_spread_1_and_decode_as_before() -> None:
    autoencoder, slices = SliceAutoencoder((8, 16)), torch.randn(9, 2, 32, 32)
    latents = autoencoder.encode(slices)
    before = autoencoder.decode(latents)
    assert not autoencoder.is_standardized
    autoencoder.standardize(latents)
    again = autoencoder.encode(slices)
    assert autoencoder.is_standardized
    torch.testing.assert_close(again.mean(dim=(0, 2, 3)), torch.zeros(8), atol=1e-4, rtol=0)
    torch.testing.assert_close(again.std(dim=(0, 2, 3)), torch.ones(8), atol=1e-4, rtol=0)
    torch.testing.assert_close(autoencoder.decode(again), before, atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("n", [1, 2, 4, 12])
@torch.no_grad()
def test_a_slab_may_have_any_number_of_slices(slabs: SlabNetwork, n: int) -> None:
    assert slabs(**given(n)).shape == (1, n, 8, 8, 8)


@torch.no_grad()
def test_every_slice_of_a_slab_sees_every_other(slabs: SlabNetwork) -> None:
    case = given(6)
    before = slabs(**case)
    case["x_t"] = case["x_t"].clone()
    case["x_t"][0, 0] += 1
    changed = (slabs(**case) - before).abs().amax(dim=(2, 3, 4))[0]
    assert (changed > 1e-6).all(), changed


@torch.no_grad()
def test_volumes_of_a_batch_do_not_see_each_other(slabs: SlabNetwork) -> None:
    case = given(4, batch=2)
    both = slabs(**case)
    alone = slabs(**{name: value[:1] for name, value in case.items()})
    torch.testing.assert_close(both[:1], alone, rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_without_a_request_neither_numbers_nor_bodies_matter_but_the_place_does(slabs: SlabNetwork) -> None:
    case = given(3) | {"asked": torch.zeros(1, dtype=torch.bool)}
    before = slabs(**case)
    other = case | {"numbers": case["numbers"] + 1, "hints": case["hints"].clone()}
    other["hints"][:, :, :2] += 1
    assert torch.equal(slabs(**other), before)
    other["hints"][:, :, 2:] += 1
    assert not torch.equal(slabs(**other), before)


@torch.no_grad()
def test_the_noise_time_of_a_single_position_is_seen(slabs: SlabNetwork) -> None:
    case = given(3)
    before = slabs(**case)
    case["times"] = case["times"].clone()
    case["times"][0, 1, 0, 2, 2] = 0.05
    assert not torch.equal(slabs(**case), before)


@torch.no_grad()
def test_a_joint_stack_of_any_height_is_sampled_to_that_height() -> None:
    network = JointNetwork((8, 8, 16))
    for height in (3, 4, 9):
        made = joint_sample(network, torch.randn(height, 8, 8, 8), torch.zeros(1, NUMBERS), steps=2)
        assert made.shape == (height, 8, 8, 8)
        assert torch.isfinite(made).all()

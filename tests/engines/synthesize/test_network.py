"""The compact backbone: its control reaches every level, and nothing of a small lesion is lost on the way."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch.nn import functional

from medsynth_core.engines.synthesize.network import Denoiser, HintEncoder, LinearHint, control_widths
from medsynth_core.engines.synthesize.presets import COMPACT, PRESETS, get_preset
from medsynth_core.errors import ParameterError


def test_control_has_the_width_of_the_level_it_enters() -> None:
    assert control_widths((64, 128, 192)) == (64, 64, 128)
    encoder = HintEncoder(5, (32, 64, 96), 4, hidden=16)
    shapes = [tuple(c.shape) for c in encoder(torch.zeros(2, 5, 64, 32))]
    assert shapes == [(2, 32, 16, 8), (2, 32, 8, 4), (2, 64, 4, 2)]


@pytest.mark.parametrize("encoder", [HintEncoder, LinearHint])
def test_both_hint_encoders_fit_the_denoiser(encoder: type) -> None:
    widths = (32, 32)
    denoiser = Denoiser(3, widths, 1, (2, 4), patch=4)
    control = encoder(5, widths, 4)(torch.randn(2, 5, 32, 48))
    predicted = denoiser(torch.randn(2, 3, 32, 48), torch.rand(2), control, torch.tensor([[0, 3], [1, 0]]))
    assert predicted.shape == (2, 3, 32, 48)


@pytest.mark.parametrize("patch", [2, 4, 8])
def test_the_patch_decides_the_grid(patch: int) -> None:
    side = 8 * patch
    encoder, denoiser = HintEncoder(2, (32, 32), patch, hidden=16), Denoiser(1, (32, 32), 1, patch=patch)
    control = encoder(torch.zeros(1, 2, side, side))
    assert control[0].shape[-2:] == (8, 8)
    assert denoiser(torch.randn(1, 1, side, side), torch.tensor([0.5]), control).shape == (1, 1, side, side)


def test_space_to_depth_comes_back_exactly() -> None:
    x = torch.randn(2, 3, 16, 24)
    folded = functional.pixel_unshuffle(x, 8)
    assert folded.shape == (2, 192, 2, 3)
    assert torch.equal(functional.pixel_shuffle(folded, 8), x)


def test_training_starts_from_the_uncontrolled_denoiser() -> None:
    control = HintEncoder(3, (32, 32), 4, hidden=16)(torch.randn(1, 3, 32, 32))
    assert not any(features.any() for features in control)


def test_a_lesion_of_one_pixel_reaches_the_control() -> None:
    torch.manual_seed(0)
    encoder = HintEncoder(2, (32, 32), 4, hidden=16)
    for projection in encoder.projections:
        torch.nn.init.normal_(projection.weight)
    empty = torch.zeros(1, 2, 32, 32)
    for y, x in itertools.product((0, 13, 31), repeat=2):
        dotted = empty.clone()
        dotted[0, 1, y, x] = 1
        assert not torch.equal(encoder(dotted)[0], encoder(empty)[0])


def test_the_last_entry_of_an_option_is_its_null() -> None:
    denoiser = Denoiser(1, (32, 32), 1, (3,), patch=4)
    assert denoiser.options[0].num_embeddings == 4
    control = HintEncoder(2, (32, 32), 4, hidden=16)(torch.zeros(1, 2, 16, 16))
    x_t, t = torch.randn(1, 1, 16, 16), torch.tensor([0.5])
    null = denoiser(x_t, t, control, torch.tensor([[3]]))
    assert torch.equal(null, denoiser(x_t, t, control, None))
    assert not torch.equal(null, denoiser(x_t, t, control, torch.tensor([[2]])))
    with pytest.raises(IndexError):
        denoiser(x_t, t, control, torch.tensor([[4]]))


@pytest.mark.parametrize("widths", [(32, 32), (64, 64)])
def test_time_and_options_are_heard_whatever_the_width(widths: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    denoiser = Denoiser(1, widths, 1, (2,), patch=4)
    control = HintEncoder(2, widths, 4, hidden=16)(torch.zeros(1, 2, 16, 16))
    x_t, t, first = torch.randn(1, 1, 16, 16), torch.tensor([0.5]), torch.tensor([[0]])
    plain = denoiser(x_t, t, control, first)
    assert (denoiser(x_t, t, control, first + 1) - plain).abs().max() > 1e-4
    assert (denoiser(x_t, t * 0.2, control, first) - plain).abs().max() > 1e-4


def test_a_new_network_does_not_see_where_it_jumps_to() -> None:
    """The flow map's arguments enter through a zero-initialized layer: a distillation starts from its teacher."""
    denoiser = Denoiser(1, (32, 32), 1, patch=4)
    control = HintEncoder(2, (32, 32), 4, hidden=16)(torch.zeros(1, 2, 16, 16))
    x_t, t = torch.randn(1, 1, 16, 16), torch.tensor([0.5])
    jumped = denoiser(x_t, t, control, None, torch.tensor([0.0]), torch.tensor([3.0]))
    assert torch.equal(jumped, denoiser(x_t, t, control))


@pytest.mark.parametrize("side", [30, 31, 33])
def test_a_side_that_does_not_fold_is_refused_not_cut(side: int) -> None:
    with pytest.raises(RuntimeError):
        HintEncoder(2, (32, 32), 4, hidden=16)(torch.zeros(1, 2, side, 32))


def test_the_default_stays_small() -> None:
    networks = [HintEncoder(5, COMPACT.widths), Denoiser(3, COMPACT.widths, COMPACT.layers_per_block)]
    assert sum(2 * p.numel() for network in networks for p in network.parameters()) <= 16 * 2**20, "in half precision"


def test_stages_grow_over_the_steps() -> None:
    toy = get_preset("toy")
    assert [toy.side_at(step) for step in range(toy.steps)] == [16, 16, 16, 32, 32, 32]
    assert toy.side_at(10_000) == 32
    for preset in PRESETS.values():
        assert sum(share for share, _ in preset.stages) == pytest.approx(1)
        assert all(side % (preset.patch * 2 ** (len(preset.widths) - 1)) == 0 for _, side in preset.stages)


def test_a_preset_that_is_not_there_is_named() -> None:
    with pytest.raises(ParameterError, match="preset is 'large': it must be one of compact"):
        get_preset("large")

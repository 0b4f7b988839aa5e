"""Both networks by one command: what they are taught, what is split, and that a killed training ends like an undisturbed one."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from medsynth_core.engines.nuclei.batches import draw_free, image_batch, structure_batch
from medsynth_core.engines.nuclei.field import Keep, assembled
from medsynth_core.engines.nuclei.model import NucleiModel, load_model
from medsynth_core.engines.nuclei.network import Denoiser, HintEncoder, Spade
from medsynth_core.engines.nuclei.objective import KNOWN_TIME, draw, flow_loss
from medsynth_core.engines.nuclei.presets import get_preset
from medsynth_core.engines.nuclei.prior import Prior
from medsynth_core.engines.nuclei.subset import chosen, features_of
from medsynth_core.engines.nuclei.tiles import Tile, patches
from medsynth_core.errors import InputError, ModelError, ParameterError
from medsynth_core.imaging.nuclei_maps import maps_of
from medsynth_core.training.loop import Pace, train
from tests.engines.nuclei.conftest import make_recipe, tile

WEIGHTS = "diffusion_pytorch_model.safetensors"


def test_a_training_cut_at_every_step_ends_with_the_same_bytes(tiles: tuple[Tile, ...], tmp_path: Path) -> None:
    train(make_recipe(tiles, steps=2), tmp_path / "whole", lambda _: None)
    for _ in range(2):
        train(make_recipe(tiles, steps=2), tmp_path / "cut", lambda _: None, Pace(seconds=0.0))
    for part in ("structures", "images", "hints"):
        assert (tmp_path / "whole" / part / WEIGHTS).read_bytes() == (tmp_path / "cut" / part / WEIGHTS).read_bytes()


def test_steps_alternate_by_their_share() -> None:
    preset = get_preset("compact")
    taught = [preset.teaches_structures(step) for step in range(1000)]
    assert sum(taught) == pytest.approx(1000 * preset.structure_share, abs=1)
    assert all(any(taught[i : i + 3]) and not all(taught[i : i + 3]) for i in range(900))


def test_a_step_teaches_one_network_only(tiles: tuple[Tile, ...]) -> None:
    recipe = make_recipe(tiles)
    networks = recipe.build()
    for step, name in ((0, "image"), (1, "structure")):
        networks.zero_grad(set_to_none=True)
        losses = recipe.loss(networks, step, torch.Generator().manual_seed(step))
        assert set(losses) == {name}
        losses[name].backward()
        taught = {part for part, network in networks.items() if any(p.grad is not None for p in network.parameters())}
        assert taught == ({"structures"} if name == "structure" else {"images", "hints"})


def test_known_positions_are_hardly_noisy_and_free_ones_share_a_time(tiles: tuple[Tile, ...]) -> None:
    batch = structure_batch(tiles, 12, np.random.default_rng(0))
    chance = draw(batch, torch.Generator().manual_seed(0))
    for free, times in zip(batch.free, chance.times, strict=True):
        assert len(torch.unique(times[free > 0.5])) <= 1
        assert float(times[free < 0.5].max() if (free < 0.5).any() else 0) <= KNOWN_TIME
    assert 0 < float(batch.free.mean()) < 1


def test_an_error_in_a_nucleus_counts_as_one_beside_it_while_structures_are_taught(tiles: tuple[Tile, ...]) -> None:
    """A weight that follows the truth pulls the mean towards nuclei: too many, and too large."""
    batch = structure_batch(tiles, 4, np.random.default_rng(0))
    batch = dataclasses.replace(batch, free=torch.ones_like(batch.free))
    chance = draw(batch, torch.Generator().manual_seed(0))
    chance = dataclasses.replace(chance, times=torch.full_like(chance.times, 0.5))
    inside = (batch.region > 0.5).float()

    def loss(where: torch.Tensor) -> float:
        class Wrong(torch.nn.Module):
            def forward(self, *_: object) -> torch.Tensor:
                return batch.clean + where / where.sum().sqrt()

        return float(flow_loss(Wrong(), None, batch, chance))

    assert loss(inside) == pytest.approx(loss(1 - inside), rel=1e-4)


def test_the_hint_of_an_image_batch_is_the_structure_of_its_nuclei(tiles: tuple[Tile, ...]) -> None:
    batch = image_batch(tiles, 4, np.random.default_rng(1))
    dark = [
        float(image[:, inside > 0.5].mean() - image[:, inside < 0.5].mean())
        for image, inside in zip(batch.clean, batch.region[:, 0], strict=True)
    ]
    assert max(dark) < -0.2, "the image was turned otherwise than its nuclei"
    assert float(batch.hint[:, 3].mean()) > 0


def test_batches_follow_from_their_step_alone(tiles: tuple[Tile, ...]) -> None:
    a, b = (make_recipe(tiles).batch_at(4) for _ in range(2))
    assert torch.equal(a.clean, b.clean)
    assert torch.equal(a.free, b.free)


def test_what_is_free_is_everything_a_part_or_all_but_some_nuclei(tiles: tuple[Tile, ...]) -> None:
    rng, field = np.random.default_rng(0), tiles[0].instances
    shares = [draw_free(field, rng).mean() for _ in range(60)]
    assert 15 < sum(share == 1 for share in shares) < 45
    assert min(shares) > 0
    assert draw_free(np.zeros_like(field), rng).any()


def test_the_modulation_of_spade_is_the_same_for_all_steps_and_reaches_every_level() -> None:
    torch.manual_seed(0)
    spade, denoiser = Spade(widths=(16, 16, 32)), Denoiser(3, 11, (16, 16, 32), patch=4)
    for layer in spade.modulations:
        torch.nn.init.normal_(layer.weight, std=0.5)
    hint = torch.zeros(1, 4, 64, 64)
    hint[:, 0] = -1
    control = spade(hint)
    assert [tuple(gamma.shape[1:]) for gamma, _ in control.modulating] == [(32, 4, 4), (32, 8, 8), (16, 16, 16)]
    x, times, numbers = torch.randn(1, 3, 64, 64), torch.full((1, 1, 64, 64), 0.5), torch.zeros(1, 11)
    made = [denoiser(x, times, numbers, numbers == 0, c) for c in (control, spade(hint, torch.tensor([False])))]
    assert not torch.allclose(made[0], made[1])


def test_the_spade_preset_is_trained_saved_and_loaded(tiles: tuple[Tile, ...], tmp_path: Path) -> None:
    train(make_recipe(tiles, hint="Spade", steps=2), tmp_path / "spade", lambda _: None)
    assert isinstance(load_model(tmp_path / "spade").hints, Spade)


def test_a_saved_model_is_loaded_with_its_prior(toy: NucleiModel, tiles: tuple[Tile, ...]) -> None:
    assert isinstance(toy.hints, HintEncoder)
    for a, b in zip(toy.prior.rows, Prior.fit(tiles).rows, strict=True):
        assert a.density == pytest.approx(b.density, abs=1e-4)
        np.testing.assert_allclose(a.stain.vector(), b.stain.vector(), atol=1e-4)


def test_a_damaged_prior_is_refused() -> None:
    with pytest.raises(ModelError, match="prior"):
        Prior.from_json({"rows": [[1.0]]})


def test_what_is_asked_is_drawn_like_and_the_rest_comes_from_tiles_that_are_near(tiles: tuple[Tile, ...]) -> None:
    prior = Prior.fit(tiles)
    assert prior.draw(5) == prior.draw(5)
    row = prior.draw(5, density=17.0)
    assert row.density == 17.0
    assert row.size_px in {r.size_px for r in prior.rows}


def test_the_sizes_of_the_networks_fit_the_files() -> None:
    preset = get_preset("compact")
    parts = (Denoiser(widths=preset.widths), Denoiser(3, 11, preset.widths, 4), HintEncoder(widths=preset.widths))
    for part in parts:
        assert sum(p.numel() for p in part.parameters()) <= 8_000_000


def test_subsets_of_labels_are_as_large_as_asked_and_repeatable() -> None:
    cells = tuple(patch for seed in range(5) for patch in patches(tile(seed, 512)))
    assert len(cells) == 20
    few = chosen(cells, 10, seed=1)
    assert [c.name for c in few] == [c.name for c in chosen(cells, 10, seed=1)]
    assert [len(chosen(cells, percent)) for percent in (10, 20, 50, 100)] == [2, 4, 10, 20]
    with pytest.raises(ParameterError, match="label percent is 0"):
        chosen(cells, 0)


def test_features_are_the_same_bits_however_a_picture_lies_in_memory() -> None:
    planes = np.random.default_rng(0).integers(0, 256, (3, 256, 256), np.uint8)
    interleaved = np.moveaxis(np.ascontiguousarray(np.moveaxis(planes, 0, -1)), -1, 0)
    assert features_of(planes).tobytes() == features_of(interleaved).tobytes()


def test_new_nuclei_take_only_free_places_and_new_numbers() -> None:
    kept = np.zeros((20, 20), np.int32)
    kept[2:8, 2:8] = 7
    found = np.zeros((20, 20), np.int32)
    found[3:9, 3:9], found[10:18, 4:10], found[10:18, 10:18] = 1, 2, 3  # the first is the kept one again
    free = np.ones((20, 20), bool)
    free[:, 12:] = False
    field = assembled(Keep(kept, free), found)
    assert (field == 7).sum() == 36
    assert set(np.unique(field)) == {0, 7, 8}
    np.testing.assert_array_equal(field == 8, found == 2)


def test_more_nuclei_than_16_bit_can_number_are_refused() -> None:
    kept = np.zeros((20, 20), np.int32)
    kept[0, 0] = 65_535
    with pytest.raises(InputError, match="renumber"):
        assembled(Keep(kept, np.ones((20, 20), bool)), maps_of(kept)[0].astype(np.int32) * 0 + 1)


def test_an_unknown_preset_is_refused_with_those_there_are() -> None:
    with pytest.raises(ParameterError, match="one of compact, spade, gpu, toy"):
        get_preset("huge")


def test_going_on_from_a_model_begins_with_its_weights(tiles: tuple[Tile, ...], toy_folder: Path) -> None:
    networks = dataclasses.replace(make_recipe(tiles), base=toy_folder).build()
    toy = load_model(toy_folder)
    assert torch.equal(networks["images"].null, toy.images.null)

"""Training a refiner: batches that repeat, a split that does not leak, a loss that falls, the same bytes when resumed."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from medsynth_core.engines.refine.batches import make_batch
from medsynth_core.engines.refine.items import Item
from medsynth_core.engines.refine.model import Refiner, load_model
from medsynth_core.engines.refine.objective import draw_state, loss_terms, near_boundary, refine_loss
from medsynth_core.engines.refine.prepare import prepare
from medsynth_core.engines.refine.processes import DISCRETE, GAUSSIAN
from medsynth_core.engines.refine.recipe import RefineRecipe
from medsynth_core.engines.refine.sources import SOURCES, items_of
from medsynth_core.errors import ModelError, ParameterError, TrainingDataError
from medsynth_core.models.card import read_card
from medsynth_core.models.folder import finish_folder, verify
from medsynth_core.training.loop import Pace, train
from medsynth_core.training.order import TrainingOrder
from medsynth_core.training.pairs import is_held_out, read_pairs
from medsynth_core.training.sides import SIDES, side_of
from tests.toy_pairs import disc, write_pairs

EVERY_STEP = Pace(report_every=1, look_every=3, save_every=1)


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fourteen color pairs of 64 pixels a side, masks of 0 and 255."""
    return write_pairs(tmp_path_factory.mktemp("refine") / "data", 14, side=64)


def toy(data: Path, **order: object) -> RefineRecipe:
    recipe = prepare(data, TrainingOrder(preset=str(order.pop("preset", "toy")), **order))  # type: ignore[arg-type]
    assert isinstance(recipe, RefineRecipe)
    return recipe


def test_a_batch_is_the_same_whenever_it_is_asked_for(data: Path) -> None:
    recipe = toy(data)
    first, again, other = recipe.batch_at(4), toy(data).batch_at(4), recipe.batch_at(5)
    assert torch.equal(first.image, again.image)
    assert torch.equal(first.coarse, again.coarse)
    assert not torch.equal(first.image, other.image)


def test_a_batch_is_masks_of_minus_one_and_one_and_images_within_them(data: Path) -> None:
    batch = toy(data, batch=6).batch_at(0)
    assert batch.image.shape == (6, 3, 32, 32)
    assert float(batch.image.abs().max()) <= 1
    for mask in (batch.fine, batch.coarse):
        assert mask.shape == (6, 1, 32, 32)
        assert set(mask.unique().tolist()) <= {-1.0, 1.0}
    assert torch.equal(batch.distance > 0, batch.coarse > 0)
    assert float(batch.distance.abs().max()) <= 1


def test_fine_mask_and_image_are_cut_alike() -> None:
    mask = disc(64, (30, 36), 15)
    image = np.repeat((mask * 255).astype(np.uint8)[None], 3, axis=0)
    batch = make_batch([Item("toy", "a", "a", image, mask.astype(np.uint16))] * 8, 48, seed=0, augment=False)
    agree = ((batch.image[:, :1] > 0) == (batch.fine > 0)).float().mean()
    assert float(agree) > 0.97


def test_states_take_the_shares_they_are_to_take(data: Path) -> None:
    batch = toy(data, batch=64).batch_at(0)
    state = draw_state(batch, 0.5, torch.Generator().manual_seed(0))
    assert 20 < int((state.process == GAUSSIAN).sum()) < 44
    discrete = state.process == DISCRETE
    at_start = discrete & (state.t == 1)
    assert torch.equal(state.x_t[at_start], batch.coarse[at_start])
    assert 0.4 < float(at_start.sum() / discrete.sum()) < 0.85
    plain = draw_state(batch, 0.0, torch.Generator(), one_pass=True)
    assert torch.equal(plain.x_t, batch.coarse)
    assert bool((plain.t == 1).all())


def test_the_loss_is_small_for_the_truth_and_large_for_its_opposite(data: Path) -> None:
    fine = toy(data).batch_at(0).fine
    right, wrong = (sum(float(v) for v in loss_terms(sign * 20 * fine, fine).values()) for sign in (1, -1))
    assert right < 0.02
    assert wrong > 5


def test_the_boundary_counts_more() -> None:
    half = torch.zeros(1, 1, 32, 32)
    half[..., 16:] = 1
    weight = near_boundary(half)[0, 0, 16]
    assert float(weight[15]) > 0.9
    assert float(weight[3]) < 0.01


def test_an_untrained_network_gives_the_coarse_mask_back(data: Path) -> None:
    recipe = toy(data, batch=8)
    networks, batch = recipe.build(), recipe.batch_at(0)
    logits = networks["masks"](
        batch.coarse, torch.ones(8), batch.distance, networks["encoder"](batch.image), torch.zeros(8).long()
    )
    assert float(((logits > 0) == (batch.coarse > 0)).float().mean()) > 0.8


def test_every_parameter_gets_a_gradient(data: Path) -> None:
    recipe = toy(data, batch=8)
    networks, batch = recipe.build(), recipe.batch_at(0)
    state = draw_state(batch, 0.5, torch.Generator().manual_seed(0))
    sum(refine_loss(networks["encoder"], networks["masks"], batch, state).values()).backward()  # type: ignore[union-attr]
    silent = [name for name, p in networks.named_parameters() if p.grad is None]
    assert silent == []


def test_a_killed_training_ends_with_the_same_bytes(data: Path, tmp_path: Path) -> None:
    def dies(progress: object) -> None:
        if getattr(progress, "step", 0) == 3:
            raise KeyboardInterrupt

    whole = train(toy(data, steps=5), tmp_path / "whole", lambda p: None, EVERY_STEP)
    with pytest.raises(KeyboardInterrupt):
        train(toy(data, steps=5), tmp_path / "cut", dies, EVERY_STEP)
    assert train(toy(data, steps=5), tmp_path / "cut", lambda p: None, EVERY_STEP).sha256 == whole.sha256
    assert (tmp_path / "cut" / "training" / "strip-000005.png").is_file()


def test_training_lowers_the_loss(data: Path, tmp_path: Path) -> None:
    validations: list[float] = []
    pace = Pace(report_every=30, look_every=30, save_every=120)
    train(toy(data, steps=120, batch=4), tmp_path / "model", lambda p: validations.append(p.validation), pace)
    assert validations[-1] < 0.8 * validations[0]


def test_a_trained_model_loads_as_a_refiner_and_can_be_the_base_of_the_next(data: Path, tmp_path: Path) -> None:
    train(toy(data, steps=2), tmp_path / "first", lambda p: None, EVERY_STEP)
    model = load_model(tmp_path / "first")
    assert isinstance(model, Refiner)
    assert verify(tmp_path / "first").labels == ()
    recipe = toy(data, steps=2, base=tmp_path / "first")
    built = recipe.build()["masks"].state_dict()
    assert all(torch.allclose(value, built[name]) for name, value in model.masks.state_dict().items())
    card = train(recipe, tmp_path / "second", lambda p: None, EVERY_STEP)
    assert card.steps == 4
    assert "Weights derived from" in card.notes


def test_a_folder_of_another_kind_is_refused(refiner_folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(refiner_folder, other)
    (other / "model_index.json").write_text('{"_class_name": "CompactSynthesizer"}', "utf-8")
    finish_folder(other, read_card(other))
    with pytest.raises(ModelError, match="CompactSynthesizer"):
        load_model(other)


def test_no_group_is_on_two_sides_and_held_out_means_the_same_for_every_engine() -> None:
    groups = [f"patient {i}" for i in range(400)]
    assert {side_of(group) for group in groups} == set(SIDES)
    assert all((side_of(group) == SIDES[2]) == is_held_out(group) for group in groups)


def test_what_is_held_out_of_a_users_folder_is_not_trained_on(data: Path) -> None:
    recipe = toy(data)
    trained = {item.name for part in recipe.training for item in part}
    assert trained
    assert trained.isdisjoint(item.name for item in recipe.validation)


def test_masks_of_0_and_255_become_labels_and_grey_becomes_three_channels(data: Path, tmp_path: Path) -> None:
    items = list(items_of(read_pairs(data)[:2], "toy"))
    assert all(set(np.unique(item.mask)) == {0, 1} and item.image.shape == (3, 64, 64) and item.color for item in items)


def test_the_starter_says_which_data_set_it_lacks(tmp_path: Path) -> None:
    with pytest.raises(TrainingDataError, match=SOURCES[0].folder):
        prepare(tmp_path, TrainingOrder(starter="refiner"))


def test_an_unknown_preset_or_starter_is_named(data: Path) -> None:
    with pytest.raises(ParameterError, match="preset is 'nonsense'"):
        prepare(data, TrainingOrder(preset="nonsense"))
    with pytest.raises(ParameterError, match="starter is 'nonsense'"):
        prepare(data, TrainingOrder(starter="nonsense"))

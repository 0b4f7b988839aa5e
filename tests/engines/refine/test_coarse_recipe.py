"""Training a coarse network: no leak across the split, images normalized as at work, the same bytes when resumed."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
import torch

from medsynth_core.engines.refine.coarse_model import CoarseModel
from medsynth_core.engines.refine.coarse_presets import COARSE_PRESETS, COARSE_STARTERS
from medsynth_core.engines.refine.coarse_recipe import CoarseArrays, CoarseRecipe, prepare_coarse
from medsynth_core.engines.synthesize.prepare import prepare as prepare_synthesize
from medsynth_core.engines.synthesize.recipe import SynthesizeRecipe
from medsynth_core.errors import ParameterError, TrainingDataError
from medsynth_core.formats import read
from medsynth_core.imaging.preprocess import percentile_normalized
from medsynth_core.models.folder import verify
from medsynth_core.protocol import ModelCard
from medsynth_core.training.loop import Pace, TrainingProgress, train
from medsynth_core.training.order import TrainingOrder
from tests.toy_pairs import picture, save, write_pairs

EVERY_STEP = Pace(report_every=1, look_every=3, save_every=1)


def toy(data: Path, **order: object) -> CoarseRecipe:
    return prepare_coarse(data, TrainingOrder(preset="coarse-toy", **order))  # type: ignore[arg-type]


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve color pairs of 32 pixels a side, masks of 0 and 255."""
    return write_pairs(tmp_path_factory.mktemp("coarse") / "data", 12)


@pytest.fixture
def with_table(tmp_path: Path) -> Path:
    """A training folder as the starters have it, with a metadata.csv of scenes, doubles, look-alikes, tumors and planes."""
    folder = write_pairs(tmp_path / "train", 30)
    rows = ["file,dup_group,tumour,plane"]
    for part in ("images", "masks"):
        shutil.copy(folder / part / "case03.png", folder / part / "twin03.png")
    brighter = np.clip(picture(4)[0].astype(int) + 3, 0, 255).astype(np.uint8)
    save(brighter, folder / "images" / "alike04.png")
    shutil.copy(folder / "masks" / "case04.png", folder / "masks" / "alike04.png")
    for path in sorted((folder / "images").iterdir()):
        number = int(path.stem[-2:])
        rows.append(f"{path.name},scene {number // 2},{('glioma', 'none')[number % 2]},axial")
    (tmp_path / "metadata.csv").write_text("\n".join(rows) + "\n", "utf-8")
    return folder


def shown(masks: np.ndarray) -> set[bytes]:
    """What tells one toy picture from another: its mask."""
    return {mask.tobytes() for mask in masks}


@pytest.mark.parametrize(("coarse", "starter"), [("polyp-coarse", "polyp"), ("brain-slice-coarse", "brain-slice")])
def test_what_the_synthesizer_holds_out_teaches_no_coarse_network(with_table: Path, coarse: str, starter: str) -> None:
    ours = toy(with_table, starter=coarse)
    theirs = prepare_synthesize(with_table, TrainingOrder(preset="toy", starter=starter))
    assert isinstance(theirs, SynthesizeRecipe)
    assert len(theirs.validation) >= 1
    assert shown(theirs.validation.masks) == shown(ours.validation.shares[:, 0] // 255)
    assert shown(theirs.training.masks) == shown(ours.training.shares[:, 0] // 255)
    assert not shown(ours.training.shares) & shown(ours.validation.shares)
    assert ours.blank_card.trained_on == theirs.blank_card.trained_on
    assert (ours.blank_card.data, ours.blank_card.split) == (theirs.blank_card.data, theirs.blank_card.split)


def sixteen_bit(folder: Path) -> Path:
    """Ten grey 16-bit slices of an odd size, in a range that no 8-bit picture has."""
    for part in ("images", "masks"):
        (folder / part).mkdir(parents=True)
    for i in range(10):
        pixels, lesion = picture(i, 48)
        tifffile.imwrite(folder / "images" / f"case{i}.tif", (900 + 13 * pixels[:41, :, 0].astype(np.uint16)))
        save(lesion[:41], folder / "masks" / f"case{i}.png")
    return folder


def test_an_image_at_work_reaches_the_network_as_it_did_in_training(tmp_path: Path) -> None:
    folder = sixteen_bit(tmp_path / "data")
    recipe = toy(folder, grey=True)
    seen: list[torch.Tensor] = []
    network = recipe.build()["segmenter"]
    network.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    model = CoarseModel(network, recipe.blank_card)
    for path in sorted((folder / "images").iterdir()):
        model.draw(percentile_normalized(read(path).array)[:, 0])
    at_work = {part[0].numpy().astype(np.float16).tobytes() for part in seen}
    in_training = {image.tobytes() for side in (recipe.training, recipe.validation) for image in side.images}
    assert len(in_training) == 7, "three of ten are held out"
    assert in_training <= at_work
    assert all(float(part.min()) >= -1 and float(part.max()) <= 1 for part in seen)


def dies_after(step: int) -> Callable[[TrainingProgress], None]:
    def report(progress: TrainingProgress) -> None:
        if progress.step == step:
            raise KeyboardInterrupt

    return report


def test_a_killed_training_ends_with_the_same_bytes(data: Path, tmp_path: Path) -> None:
    whole = train(toy(data), tmp_path / "whole", lambda progress: None, EVERY_STEP)
    with pytest.raises(KeyboardInterrupt):
        train(toy(data), tmp_path / "killed", dies_after(4), EVERY_STEP)
    card = train(toy(data), tmp_path / "killed", lambda progress: None, EVERY_STEP)
    assert card == whole == verify(tmp_path / "killed")
    assert card.sha256["segmenter/diffusion_pytorch_model.safetensors"]


def test_training_lowers_the_loss_on_pairs_it_never_saw(data: Path, tmp_path: Path) -> None:
    recipe = toy(data, steps=120)
    reports: list[TrainingProgress] = []
    torch.manual_seed(0)
    before = recipe.validation_loss(recipe.build())
    train(recipe, tmp_path, reports.append, Pace(report_every=10, look_every=120, save_every=120))
    assert reports[-1].validation < 0.9 * before
    assert reports[-1].losses["dice"] < reports[0].losses["dice"]
    assert set(reports[0].losses) == {"bce", "dice"}


def test_another_step_brings_another_batch_and_the_same_step_the_same(data: Path) -> None:
    recipe = toy(data)
    networks = recipe.build()

    def loss(seed: int) -> float:
        return float(recipe.loss(networks, 0, torch.Generator().manual_seed(seed))["bce"].detach())

    assert loss(1) == loss(1)
    assert loss(1) != loss(2)


def test_the_card_says_what_it_is(data: Path) -> None:
    card = toy(data, model_id="mine", license="CC0", label_names={1: "cyst"}).card(6)
    assert (card.id, card.engine, card.role, card.steps) == ("mine", "refine", "coarse", 6)
    assert (card.channels, card.size, card.license) == (3, (32, 32), "CC0")
    assert [(label.value, label.name) for label in card.labels] == [(0, "background"), (1, "cyst")]
    assert card.trained_on == "8 pairs, 1 to choose by, 3 held out"


@pytest.mark.parametrize("name", COARSE_STARTERS)
def test_the_card_of_a_starter_names_data_and_license(with_table: Path, name: str) -> None:
    card: ModelCard = toy(with_table, starter=name).blank_card
    assert (card.id, card.engine, card.role, len(card.labels)) == (name, "refine", "coarse", 2)
    assert card.attribution
    assert "CC BY 4.0" in card.license
    assert card.commercial_use


def test_a_starter_keeps_its_own_length_and_light(with_table: Path) -> None:
    starter = COARSE_STARTERS["polyp-coarse"].preset
    assert prepare_coarse(with_table, TrainingOrder(starter="polyp-coarse")).preset == starter
    assert toy(with_table, starter="polyp-coarse").preset.jitter == starter.jitter


def test_color_pictures_can_be_learned_in_grey(data: Path) -> None:
    recipe = toy(data, grey=True)
    assert recipe.training.images.shape == (8, 1, 32, 32)
    assert float(recipe.training.images.std()) > 0.1


def several_labels(folder: Path) -> Path:
    """Eight pairs whose disc is label 1 on its left and label 3 on its right."""
    write_pairs(folder, 8)
    for i in range(8):
        lesion = picture(i)[1]
        lesion[:, 16:] *= 3
        save(lesion, folder / "masks" / f"case{i:02d}.png")
    return folder


def test_each_label_has_a_channel_of_its_own_in_the_order_of_the_card(tmp_path: Path) -> None:
    recipe = toy(several_labels(tmp_path / "data"))
    assert [label.value for label in recipe.blank_card.labels] == [0, 1, 3]
    left, right = recipe.training.shares[:, 0], recipe.training.shares[:, 1]
    assert left[..., :16].any()
    assert not left[..., 16:].any()
    assert right[..., 16:].any()
    assert not right[..., :16].any()
    assert recipe.build()["segmenter"].config.labels == 2
    assert math.isfinite(recipe.validation_loss(recipe.build()))


def test_the_strip_shows_images_predictions_and_truth(data: Path) -> None:
    recipe = toy(data)
    strip = recipe.strip(recipe.build())
    assert strip.shape == (3 * 34, 34, 3), "the one case it chooses by, once"
    image, truth = strip[1:33, 1:33], strip[2 * 34 + 1 : 3 * 34 - 1, 1:33, 0]
    assert np.ptp(image) > 50
    assert set(np.unique(truth)) == {0, 255}


def test_a_lesion_thinner_than_the_grid_is_faint_not_lost(tmp_path: Path) -> None:
    line = np.zeros((256, 256), np.uint8)
    line[:, 100] = 1
    save(np.where(np.arange(256) < 128, 90, 91).astype(np.uint8)[:, None].repeat(256, 1), tmp_path / "data" / "images" / "a.png")
    save(line, tmp_path / "data" / "masks" / "a.png")
    recipe = toy(tmp_path / "data", grey=True)
    assert recipe.training.shares.max() == round(255 / 8)


def test_without_pairs_to_choose_by_there_is_no_validation(tmp_path: Path) -> None:
    recipe = toy(write_pairs(tmp_path / "data", 1))
    assert len(recipe.validation) == 0
    assert math.isnan(recipe.validation_loss(recipe.build()))
    assert recipe.strip(recipe.build()).shape[2] == 3


def test_masks_with_other_labels_are_all_named(tmp_path: Path) -> None:
    folder = several_labels(tmp_path / "data")
    with_three = [i for i in range(8) if picture(i)[1][:, 16:].any()]
    with pytest.raises(TrainingDataError) as caught:
        toy(folder, label_names={1: "cyst"})
    assert sorted(line.split(":")[0] for line in caught.value.offenders) == [f"case{i:02d}.png" for i in with_three]
    assert all("mask holds the label 3" in line for line in caught.value.offenders)


@pytest.mark.parametrize(
    ("order", "said"),
    [
        (TrainingOrder(preset="compact"), "preset is 'compact': it must be one of coarse, coarse-published, coarse-toy"),
        (TrainingOrder(starter="liver"), "starter is 'liver': it must be one of polyp-coarse, brain-slice-coarse"),
    ],
)
def test_an_order_that_cannot_be_met_is_one_sentence(data: Path, order: TrainingOrder, said: str) -> None:
    with pytest.raises(ParameterError, match=said):
        prepare_coarse(data, order)


def test_a_number_of_steps_or_images_is_obeyed(data: Path) -> None:
    recipe = toy(data, steps=9, batch=2)
    assert (recipe.steps, recipe.preset.batch) == (9, 2)
    assert COARSE_PRESETS["coarse-toy"].steps == 6


def test_a_batch_gives_back_what_was_put_in() -> None:
    arrays = CoarseArrays(np.full((2, 1, 4, 4), 0.5, np.float16), np.full((2, 1, 4, 4), 255, np.uint8))
    images, truth = arrays.batch(torch.tensor([1, 0, 1]))
    assert images.shape == truth.shape == (3, 1, 4, 4)
    assert float(images.mean()) == 0.5
    assert float(truth.min()) == 1

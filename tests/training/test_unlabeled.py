"""Images without masks teach how images look, and nothing that is held out is among them."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from medsynth_core.cli import BAD_INPUT, main
from medsynth_core.engines._base import get_engine
from medsynth_core.engines.synthesize.recipe import SynthesizeRecipe
from medsynth_core.errors import ParameterError, TrainingDataError
from medsynth_core.training.guard import check_apart
from medsynth_core.training.ledger import going_on, read_ledger, sealed, write_ledger
from medsynth_core.training.order import TrainingOrder
from medsynth_core.training.pair_survey import survey_pairs
from medsynth_core.training.pairs import Columns
from medsynth_core.training.sides import read_sides
from tests.toy_pairs import picture, save, write_pairs

COUNT = 16


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return write_pairs(tmp_path / "data", COUNT)


def recipe_for(data: Path, unlabeled: Path | None, **order: object) -> SynthesizeRecipe:
    engine = get_engine("synthesize")
    assert engine.recipe is not None
    made = engine.recipe(data, TrainingOrder(preset="toy", steps=2, unlabeled=unlabeled, **order))  # type: ignore[arg-type]
    assert isinstance(made, SynthesizeRecipe)
    return made


def test_the_rest_of_a_folder_teaches_without_its_masks_but_for_what_is_kept_apart(data: Path) -> None:
    sides = read_sides(data, Columns())
    items = tuple(pair.stem for pair in sides.training[:3])
    recipe = recipe_for(data, data / "images", items=items)
    assert recipe.unlabeled is not None
    assert recipe.ledger is not None
    assert len(recipe.training) == 3
    assert len(recipe.unlabeled) == len(sides.training) - 3
    assert not recipe.unlabeled.masks.any()
    apart = survey_pairs(data).marks(sides.held_out + sides.tuning)
    assert {sealed(mark).pixels for mark in apart}.isdisjoint(entry.pixels for entry in recipe.ledger.images_only)


def test_a_test_case_that_was_seen_without_its_mask_is_known_to_the_model(data: Path, tmp_path: Path) -> None:
    more = save(picture(99)[0], tmp_path / "more" / "seen.png").parent
    recipe = recipe_for(data, more)
    assert recipe.ledger is not None
    write_ledger(recipe.ledger, tmp_path)
    assert read_ledger(tmp_path) == recipe.ledger
    shutil.copytree(more, tmp_path / "test" / "images")
    save(picture(99)[1] * np.uint8(255), tmp_path / "test" / "masks" / "seen.png")
    survey = survey_pairs(tmp_path / "test")
    with pytest.raises(TrainingDataError, match="1 of 1"):
        check_apart(recipe.ledger, survey.marks(survey.sides.seen + survey.sides.held_out))


def test_a_model_that_goes_on_remembers_the_images_of_its_base(data: Path, tmp_path: Path) -> None:
    recipe = recipe_for(data, save(picture(99)[0], tmp_path / "more" / "seen.png").parent)
    later = recipe_for(data, None)
    assert recipe.ledger is not None
    assert later.ledger is not None
    write_ledger(recipe.ledger, tmp_path)
    assert going_on(later.ledger, tmp_path).images_only == recipe.ledger.images_only != ()


def test_images_without_masks_move_the_denoiser_and_the_null_but_never_the_reading_of_masks(data: Path, tmp_path: Path) -> None:
    recipe = recipe_for(data, save(picture(99)[0], tmp_path / "more" / "seen.png").parent)
    torch.manual_seed(0)
    networks = recipe.build()
    loss = recipe.loss(networks, 0, torch.Generator().manual_seed(0))["unlabeled"]
    loss.backward()
    assert any(p.grad is not None and p.grad.any() for p in networks["denoiser"].parameters())
    reading = [p for name, p in networks["hint_encoder"].named_parameters() if not name.startswith("null")]
    assert not any(p.grad is not None and p.grad.any() for p in reading)


def test_the_losses_are_of_one_batch_of_the_preset_s_size(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counts = []
    monkeypatch.setattr(
        "medsynth_core.engines.synthesize.dataset.PairArrays.batch",
        lambda self, rows, *rest: counts.append(len(rows)) or (_ for _ in ()).throw(InterruptedError),
    )
    recipe = recipe_for(data, save(picture(99)[0], tmp_path / "more" / "seen.png").parent)
    with pytest.raises(InterruptedError):
        recipe.loss(recipe.build(), 0, torch.Generator())
    assert counts == [recipe.preset.batch // 2]


def test_a_file_that_is_no_image_is_named_before_anything_starts(data: Path, tmp_path: Path) -> None:
    more = save(picture(99)[0], tmp_path / "more" / "seen.png").parent
    (more / "broken.png").write_bytes(b"not a picture")
    with pytest.raises(TrainingDataError) as told:
        recipe_for(data, more)
    assert [text.split(":")[0] for text in told.value.offenders] == ["broken.png"]


def test_a_folder_with_nothing_new_is_refused(data: Path) -> None:
    with pytest.raises(TrainingDataError, match="no image to learn from"):
        recipe_for(data, data / "images")


def test_a_distillation_refuses_them_since_its_teacher_should_have_had_them(data: Path, tmp_path: Path) -> None:
    prepare = get_engine("synthesize").recipe
    assert prepare is not None
    with pytest.raises(ParameterError, match="teacher"):
        prepare(data, TrainingOrder(preset="flow-map", unlabeled=tmp_path))


def test_other_engines_do_not_take_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    order = ["train", "refine", str(tmp_path), "-o", str(tmp_path / "model"), "--unlabeled", str(tmp_path)]
    assert main(order) == BAD_INPUT
    assert "--unlabeled is for synthesize" in capsys.readouterr().err

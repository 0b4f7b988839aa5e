"""`msynth evaluate badge`: a toy model gets its judge from its own data, and its engine then says how good a result is."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from medsynth_core import cli
from medsynth_core.engines._base import Task
from medsynth_core.engines.synthesize.engine import ENGINE, load
from medsynth_core.engines.synthesize.prepare import prepare
from medsynth_core.errors import ModelTamperedError, ParameterError
from medsynth_core.evaluation.badge import read_judge
from medsynth_core.evaluation.copies import CopySettings
from medsynth_core.evaluation.segmenter import SegmenterSettings
from medsynth_core.models.card import read_card
from medsynth_core.models.folder import finish_folder, verify
from medsynth_core.protocol import LabelInfo, ModelCard
from medsynth_core.quality import Badge
from medsynth_core.studies.badge_run import BadgeRun, run
from medsynth_core.studies.questioned import Question
from medsynth_core.training.ledger import read_ledger, write_ledger
from medsynth_core.training.order import TrainingOrder
from medsynth_core.volume import Volume
from tests.toy_pairs import write_pairs

QUICK = SegmenterSettings(steps=12, batch=4, widths=(8, 16))
QUICK_COPIES = CopySettings(steps=3, batch=8, widths=(8, 16), length=16)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_pairs(tmp_path_factory.mktemp("data"), count=30)


@pytest.fixture
def model(tmp_path: Path, data: Path) -> Path:
    recipe = prepare(data, TrainingOrder(preset="toy"))
    folder = tmp_path / "model"
    folder.mkdir()
    recipe.save(recipe.build(), folder)
    assert recipe.ledger is not None
    write_ledger(recipe.ledger, folder)
    finish_folder(folder, recipe.card(0))
    return folder


def judged(model: Path, data: Path, with_index: bool = True, least_found: float = 0.0) -> ModelCard:
    wish = BadgeRun(Question(data, str(model)), model.parent / "judges", with_index, least_found, QUICK, QUICK_COPIES)
    return run(wish, lambda far: None)


def test_a_model_gets_a_judge_and_its_results_a_badge(model: Path, data: Path) -> None:
    assert judged(model, data) == verify(model)
    card = verify(model)
    assert {"judge/segmenter.safetensors", "judge/copies.safetensors", "judge/index.safetensors"} <= set(card.sha256)
    assert card.quality.likeness is not None
    assert card.quality.intensity is not None

    mask = np.zeros((40, 44), np.uint8)
    mask[10:25, 10:25] = 1
    params, options = ENGINE.read_params({"steps": 1}, card)
    task = Task({"mask": Volume(mask[None, None])}, params, 3, load(model, "cpu"), options, judge=read_judge(model, card))
    *before, last = ENGINE.run(task)
    assert isinstance(last, Badge)
    assert last.may_be_a_copy is not None
    assert not any(isinstance(event, Badge) for event in before)


def test_the_index_holds_what_the_record_says_was_learned_from_and_no_held_out_image(model: Path, data: Path) -> None:
    card = judged(model, data)
    judge, ledger = read_judge(model, card), read_ledger(model)
    assert judge.known is not None
    assert ledger is not None
    assert judge.known.index.shape == (len(ledger.training), QUICK_COPIES.length)


def test_a_model_that_learned_from_the_tuning_side_too_knows_those_images_again(model: Path, data: Path) -> None:
    ledger = read_ledger(model)
    assert ledger is not None
    assert ledger.tuning
    write_ledger(replace(ledger, training=ledger.training + ledger.tuning, tuning=()), model)
    finish_folder(model, read_card(model))
    judge = read_judge(model, judged(model, data))
    assert judge.known is not None
    assert len(judge.known.index) == len(ledger.training) + len(ledger.tuning)


def test_the_same_data_give_the_same_judge(model: Path, data: Path) -> None:
    first = judged(model, data)
    (model.parent / "judges" / "segmenter.json").unlink()  # so that it is trained anew
    assert judged(model, data).sha256 == first.sha256


def test_without_an_index_nothing_is_kept_of_the_training_images(model: Path, data: Path) -> None:
    judged(model, data)
    card = judged(model, data, with_index=False)
    assert card.quality.likeness is None
    assert [name for name in card.sha256 if name.startswith("judge/")] == ["judge/judge.json", "judge/segmenter.safetensors"]


def test_a_likeness_that_misses_copies_is_not_used_at_all(model: Path, data: Path) -> None:
    card = judged(model, data, least_found=1.01)  # more than all of them
    assert card.quality.likeness is None
    assert not (model / "judge" / "index.safetensors").exists()


def test_a_folder_that_was_changed_gets_no_new_checksums(model: Path, data: Path) -> None:
    (model / "model_index.json").write_text(json.dumps({"_class_name": "Other"}), "utf-8")
    with pytest.raises(ModelTamperedError):
        judged(model, data)


def test_a_network_that_only_serves_others_is_refused(tmp_path: Path, data: Path) -> None:
    (tmp_path / "part.json").write_text("{}", "utf-8")
    labels = (LabelInfo(0, "background", "#000000"), LabelInfo(1, "disc", "#ff0000"))
    finish_folder(tmp_path, ModelCard("first", "First", "refine", 3, (32, 32), labels, "CC0", "none", role="coarse"))
    with pytest.raises(ParameterError, match="first is a coarse model of refine"):
        judged(tmp_path, data)


def test_the_command_says_what_is_not_judged(
    model: Path, data: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(BadgeRun.__init__, "__defaults__", (True, 0.0, QUICK, QUICK_COPIES))
    assert cli.main(["evaluate", "badge", str(data), "--model", str(model), "-o", str(model.parent / "out"), "--no-index"]) == 0
    assert "likeness at most not judged" in capsys.readouterr().out
    assert read_card(model).quality.likeness is None

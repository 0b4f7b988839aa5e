"""The training loop: a killed training ends like an undisturbed one, and what it leaves behind can be trusted."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from medsynth_core.engines.synthesize.prepare import prepare
from medsynth_core.errors import MedSynthError
from medsynth_core.models.folder import verify
from medsynth_core.protocol import ModelCard
from medsynth_core.training import checkpoint, ema
from medsynth_core.training.loop import Pace, TrainingProgress, train
from medsynth_core.training.order import TrainingOrder
from medsynth_core.training.recipe import Recipe
from tests.toy_pairs import write_pairs

EVERY_STEP = Pace(report_every=1, look_every=3, save_every=1)
STEPS = 4
WEIGHTS = "denoiser/diffusion_pytorch_model.safetensors"


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve pairs of 32 pixels a side."""
    return write_pairs(tmp_path_factory.mktemp("data"), 12)


def recipe_on(data: Path, **order: object) -> Recipe:
    return prepare(data, TrainingOrder(preset="toy", steps=STEPS, batch=2, **order))  # type: ignore[arg-type]


@pytest.fixture(scope="session")
def undisturbed(data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ModelCard, list[TrainingProgress]]:
    """A training from start to end: folder, card, reports."""
    out, reports = tmp_path_factory.mktemp("whole") / "model", []
    return out, train(recipe_on(data), out, reports.append, EVERY_STEP), reports


def dies_after(step: int) -> Callable[[TrainingProgress], None]:
    def report(progress: TrainingProgress) -> None:
        if progress.step == step:
            raise KeyboardInterrupt

    return report


def log_of(out: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (out / "training" / "log.jsonl").read_text("utf-8").splitlines()]


def test_a_killed_training_ends_with_the_same_bytes(
    data: Path, undisturbed: tuple[Path, ModelCard, list[TrainingProgress]], tmp_path: Path
) -> None:
    with pytest.raises(KeyboardInterrupt):
        train(recipe_on(data), tmp_path, dies_after(3), EVERY_STEP)
    card = train(recipe_on(data), tmp_path, lambda progress: None, EVERY_STEP)
    assert card == undisturbed[1]
    assert [row["step"] for row in log_of(tmp_path)] == [1, 2, 3, 4], "no step is logged twice"
    assert log_of(tmp_path)[-1] == log_of(undisturbed[0])[-1]


def test_a_training_out_of_time_goes_on_when_run_again(
    data: Path, undisturbed: tuple[Path, ModelCard, list[TrainingProgress]], tmp_path: Path
) -> None:
    first = train(recipe_on(data), tmp_path, lambda progress: None, Pace(seconds=0, report_every=1))
    assert first.steps == 1
    assert verify(tmp_path) == first, "the folder is a model after every session"
    whole = undisturbed[1].sha256
    assert first.sha256[WEIGHTS] != whole[WEIGHTS]
    assert train(recipe_on(data), tmp_path, lambda progress: None, EVERY_STEP).sha256 == whole


def test_a_finished_training_run_again_changes_nothing(
    data: Path, undisturbed: tuple[Path, ModelCard, list[TrainingProgress]], tmp_path: Path
) -> None:
    shutil.copytree(undisturbed[0], tmp_path, dirs_exist_ok=True)
    reports: list[TrainingProgress] = []
    assert train(recipe_on(data), tmp_path, reports.append, EVERY_STEP) == undisturbed[1]
    assert reports == []
    assert len(log_of(tmp_path)) == STEPS


def test_another_seed_starts_from_other_weights(data: Path) -> None:
    def weights(seed: int) -> torch.Tensor:
        torch.manual_seed(seed)
        return next(iter(recipe_on(data, seed=seed).build()["denoiser"].parameters()))

    assert torch.equal(weights(0), weights(0))
    assert not torch.equal(weights(0), weights(1))


def test_the_reports_count_up_and_say_the_time_left(undisturbed: tuple[Path, ModelCard, list[TrainingProgress]]) -> None:
    reports = undisturbed[2]
    assert [(report.step, report.steps) for report in reports] == [(step, STEPS) for step in range(1, STEPS + 1)]
    assert all(math.isfinite(value) for report in reports for value in report.losses.values())
    assert reports[-1].seconds_left == 0
    assert all((report.seconds_left or 0) > 0 for report in reports[:-1])
    assert math.isfinite(reports[2].validation)
    assert math.isnan(reports[0].validation), "looked at every third step"


def test_curves_and_strips_are_left_to_look_at(undisturbed: tuple[Path, ModelCard, list[TrainingProgress]]) -> None:
    training = undisturbed[0] / "training"
    assert sorted(path.name for path in training.iterdir()) == [
        "best-000004",
        "checkpoint.safetensors",
        "curves.png",
        "ledger.json",
        "log.jsonl",
        "strip-000003.png",
        "strip-000004.png",
    ]
    with Image.open(training / "strip-000004.png") as strip:
        assert strip.size == (34, 3 * 34), "the one case it chooses by, once"
        assert len(np.unique(np.asarray(strip))) > 10
    with Image.open(training / "curves.png") as curves:
        assert np.asarray(curves.convert("L")).std() > 1


def test_the_card_says_what_it_was_trained_on(undisturbed: tuple[Path, ModelCard, list[TrainingProgress]]) -> None:
    _, card, _ = undisturbed
    assert card == verify(undisturbed[0])
    assert (card.steps, card.size, card.channels) == (STEPS, (32, 32), 3)
    assert card.trained_on == "8 pairs, 1 to choose by, 3 held out"
    assert not [name for name in card.sha256 if name.startswith("training/")]


def test_a_single_pair_still_trains_without_a_side_to_choose_by(tmp_path: Path) -> None:
    recipe = prepare(write_pairs(tmp_path / "data", 1), TrainingOrder(preset="toy", steps=1, batch=1))
    reports: list[TrainingProgress] = []
    card = train(recipe, tmp_path / "model", reports.append)
    assert card.trained_on == "1 pairs, 0 to choose by, 0 held out"
    assert math.isnan(reports[-1].validation)
    assert log_of(tmp_path / "model")[-1]["validation"] is None


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_few_pairs_are_split_so_that_some_are_left_to_learn_from(tmp_path: Path, count: int) -> None:
    recipe = prepare(write_pairs(tmp_path / "data", count), TrainingOrder(preset="toy"))
    assert len(recipe.training) >= 1
    assert len(recipe.training) + len(recipe.validation) <= count


def test_a_full_disk_leaves_the_last_checkpoint_whole(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    train(recipe_on(data), tmp_path, lambda progress: None, Pace(seconds=0))
    before = (tmp_path / "training" / "checkpoint.safetensors").read_bytes()

    def half(tensors: object, path: Path, metadata: object) -> None:
        path.write_bytes(before[:1000])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoint, "save_file", half)
    with pytest.raises(OSError, match="space"):
        train(recipe_on(data), tmp_path, lambda progress: None, EVERY_STEP)
    assert (tmp_path / "training" / "checkpoint.safetensors").read_bytes() == before


def test_another_training_in_the_folder_is_refused_in_one_sentence(data: Path, tmp_path: Path) -> None:
    train(recipe_on(data), tmp_path, lambda progress: None, Pace(seconds=0))
    with pytest.raises(MedSynthError, match="another folder"):
        train(recipe_on(data, grey=True), tmp_path, lambda progress: None, EVERY_STEP)


def test_a_damaged_checkpoint_is_refused_in_one_sentence(data: Path, tmp_path: Path) -> None:
    train(recipe_on(data), tmp_path, lambda progress: None, Pace(seconds=0))
    (tmp_path / "training" / "checkpoint.safetensors").write_bytes(b"half")
    with pytest.raises(MedSynthError, match="checkpoint"):
        train(recipe_on(data), tmp_path, lambda progress: None, EVERY_STEP)


def test_a_log_cut_short_by_a_kill_is_mended(
    data: Path, undisturbed: tuple[Path, ModelCard, list[TrainingProgress]], tmp_path: Path
) -> None:
    train(recipe_on(data), tmp_path, lambda progress: None, Pace(seconds=0, report_every=1))
    with (tmp_path / "training" / "log.jsonl").open("a", encoding="utf-8") as stream:
        stream.write('{"step": 2, "mas')
    train(recipe_on(data), tmp_path, lambda progress: None, EVERY_STEP)
    assert [row["step"] for row in log_of(tmp_path)] == [1, 2, 3, 4]


def test_the_average_follows_the_published_profile() -> None:
    """β(step) = (1 − 1/step)^(γ+1), EDM2 equation 127: the first step is taken whole, later ones ever less."""
    assert ema.decay_at(1) == 0
    assert ema.decay_at(100) == pytest.approx(0.99**7.94)
    betas = [ema.decay_at(step) for step in (1, 2, 10, 100, 10_000)]
    assert betas == sorted(betas)
    assert betas[-1] < 1


def test_the_average_of_a_constant_is_the_constant() -> None:
    network, average = nn.Linear(2, 2), nn.Linear(2, 2)
    for step in range(1, 20):
        ema.update(average, network, step)
    assert all(torch.allclose(a, p, atol=1e-6) for a, p in zip(average.parameters(), network.parameters(), strict=True))


def test_the_average_weighs_recent_steps_most() -> None:
    network, average = nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False)
    seen = []
    for step in range(1, 51):
        network.weight.data.fill_(float(step))
        ema.update(average, network, step)
        seen.append(average.weight.item())
    assert seen[0] == 1
    assert 50 * 0.8 < seen[-1] < 50, "about 10 % of the run behind"


def test_a_checkpoint_brings_everything_back(tmp_path: Path) -> None:
    def three() -> tuple[nn.Module, nn.Module, torch.optim.Optimizer]:
        network, average = nn.Linear(3, 2), nn.Linear(3, 2)
        return network, average, torch.optim.AdamW(network.parameters(), lr=0.1)

    network, average, optimizer = three()
    network(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    checkpoint.save(tmp_path / "state.safetensors", 7, network, average, optimizer)
    again = three()
    assert checkpoint.load(tmp_path / "state.safetensors", *again) == 7
    for stored, loaded in ((network, again[0]), (average, again[1])):
        assert all(torch.equal(a, b) for a, b in zip(stored.parameters(), loaded.parameters(), strict=True))
    moments, loaded_moments = optimizer.state_dict()["state"], again[2].state_dict()["state"]
    assert all(torch.equal(moments[i][key], loaded_moments[i][key]) for i in moments for key in moments[i])
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["state.safetensors"]

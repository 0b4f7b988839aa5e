"""A training teaches its judge before its first step: a part of the model, without a trace in its weights."""

from __future__ import annotations

from pathlib import Path

import pytest

from medsynth_core.cli_train import train
from medsynth_core.engines import _judging
from medsynth_core.engines._base import discover
from medsynth_core.engines._judging import DONE, SAID, teach_judge
from medsynth_core.engines._training import order_of, prepared, run_training
from medsynth_core.models.folder import verify
from medsynth_core.protocol import Thresholds
from medsynth_core.protocol_training import TrainingRequest
from medsynth_core.training.control import NoControl, Wish
from medsynth_core.training.keeping import Keeping
from medsynth_core.training.recipe import FromPreset, Recipe
from tests.test_cli_train import read
from tests.toy_pairs import write_pairs

STEPS = 6


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_pairs(tmp_path_factory.mktemp("data"), count=30)


def no_trials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let toys of few steps teach a judge, too, in as few steps."""
    monkeypatch.setattr(_judging, "SHARE", 1)
    monkeypatch.setattr(_judging, "LEAST_STEPS", 1)
    monkeypatch.setattr(FromPreset, "is_trial", False)


@pytest.fixture
def always(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trials are trainings like any other."""
    no_trials(monkeypatch)


def recipe(data: Path) -> Recipe:
    request = TrainingRequest("synthesize", str(data), "mine", preset="toy", steps=STEPS, batch=2)
    return prepared(request, order_of(request))


def trained(data: Path, out: Path) -> list[str]:
    said: list[str] = []
    run_training(recipe(data), out, "cpu", lambda progress: None, say=said.append)
    return said


class Wants:
    """A control that wants something from its n-th question on."""

    def __init__(self, wish: Wish, after: int) -> None:
        self._wish, self._left = wish, after

    def wish(self, done: int) -> Wish:
        self._left -= 1
        return self._wish if self._left < 0 else Wish.GO_ON


@pytest.mark.usefixtures("always")
def test_a_finished_model_has_its_judge_and_the_thresholds_on_its_card(data: Path, tmp_path: Path) -> None:
    assert trained(data, tmp_path) == [f"{SAID}.", DONE]
    card = verify(tmp_path)
    assert card.quality.intensity is not None
    assert card.quality.count > 0
    assert "judge/segmenter.safetensors" in card.sha256


def test_the_weights_are_the_same_with_and_without_a_judge(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert trained(data, tmp_path / "without") == []
    no_trials(monkeypatch)
    trained(data, tmp_path / "with")
    plain, judged = (verify(tmp_path / name).sha256 for name in ("without", "with"))
    assert plain == {name: digest for name, digest in judged.items() if not name.startswith("judge/")}
    assert len(judged) > len(plain)


@pytest.mark.parametrize("what", ["few steps", "a toy"])
def test_a_trial_teaches_no_judge(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    no_trials(monkeypatch)
    monkeypatch.setattr(_judging, "LEAST_STEPS", STEPS + 1 if what == "few steps" else 1)
    monkeypatch.setattr(FromPreset, "is_trial", what == "a toy")
    assert trained(data, tmp_path) == []
    assert not (tmp_path / "judge").exists()


def test_presets_to_try_the_way_are_trials_and_others_are_not(data: Path) -> None:
    assert recipe(data).is_trial
    request = TrainingRequest("synthesize", str(data), "mine", preset="compact", steps=STEPS)
    assert not prepared(request, order_of(request)).is_trial


@pytest.mark.usefixtures("always")
@pytest.mark.parametrize("wish", [Wish.PAUSE, Wish.STOP])
def test_a_training_that_is_to_end_does_not_wait_for_its_judge(data: Path, tmp_path: Path, wish: Wish) -> None:
    keeping = Keeping(tmp_path)
    teach_judge(recipe(data), keeping, "cpu", Wants(wish, after=2), lambda words: None)
    assert keeping.thresholds is None
    teach_judge(recipe(data), keeping, "cpu", NoControl(), lambda words: None)
    assert keeping.thresholds is not None


@pytest.mark.usefixtures("always")
def test_who_waits_for_the_judge_hears_how_far_it_is_and_how_long_it_takes(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_judging, "SAY_SECONDS", 0.0)
    first, *steps, last = trained(data, tmp_path)
    assert (first, last) == (f"{SAID}.", DONE)
    assert steps[0] == f"{SAID}: how well they show their masks, step 1 of {STEPS}."
    assert steps[-1] == f"{SAID}: whether they are copies, step {STEPS} of {STEPS}, 0.0 s left."


@pytest.mark.usefixtures("always")
def test_a_judge_that_is_there_is_not_taught_again(data: Path, tmp_path: Path) -> None:
    assert trained(data, tmp_path)
    assert trained(data, tmp_path) == []
    assert "judge/judge.json" in verify(tmp_path).sha256


@pytest.mark.usefixtures("always")
def test_a_training_teaches_no_judge_where_nobody_wants_one(data: Path, tmp_path: Path) -> None:
    words, said = ("synthesize", str(data), "-o", str(tmp_path), "--preset", "toy", "--steps", str(STEPS)), list[str]()
    assert train(read(*words, "--no-judge"), said.append).quality == Thresholds()
    assert not any(SAID in line for line in said)
    assert not (tmp_path / "judge").exists()
    assert train(read(*words), said.append).quality.intensity is not None, "it may be taught later, by the same command without"


def test_every_engine_that_ships_declares_its_judge() -> None:
    engines, _ = discover()
    assert all(engines[name].judge is not None for name in ("synthesize", "refine", "tumor", "nuclei"))

"""A training that is told to end: a pause changes nothing of what comes out, a stop keeps what was best."""

from __future__ import annotations

from pathlib import Path

import pytest

from medsynth_core.engines.synthesize.prepare import prepare
from medsynth_core.models.folder import verify
from medsynth_core.protocol import ModelCard
from medsynth_core.training.control import Pace, Wish
from medsynth_core.training.keeping import Keeping
from medsynth_core.training.loop import train
from medsynth_core.training.order import TrainingOrder
from medsynth_core.training.recipe import Recipe
from tests.toy_pairs import write_pairs

STEPS = 6
PACE = Pace(report_every=2, look_every=2, save_every=3)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_pairs(tmp_path_factory.mktemp("data"), 8)


def toy(data: Path) -> Recipe:
    return prepare(data, TrainingOrder(preset="toy", steps=STEPS, batch=2))


class Wishes:
    """Wants something after a step."""

    def __init__(self, after: int, wish: Wish) -> None:
        self._after, self._wish = after, wish

    def wish(self, done: int) -> Wish:
        return self._wish if done == self._after else Wish.GO_ON


def run(data: Path, out: Path, *wishes: Wishes, recipe: Recipe | None = None) -> ModelCard:
    """Train in as many sessions as there are wishes, and one more."""
    for control in (*wishes, None):
        card = train(recipe or toy(data), out, lambda progress: None, PACE, control=control)
    return card


@pytest.fixture(scope="module")
def undisturbed(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("whole") / "model"
    run(data, out)
    return out


def kept(out: Path) -> dict[str, bytes]:
    """Every file but the picture of the curves and the checkpoint's order of keys."""
    return {
        path.relative_to(out).as_posix(): path.read_bytes()
        for path in sorted(out.rglob("*"))
        if path.is_file() and path.name != "curves.png"
    }


@pytest.mark.parametrize("moments", [(1,), (2,), (5,), (1, 4)])
def test_a_paused_training_leaves_the_same_files(data: Path, undisturbed: Path, tmp_path: Path, moments: tuple[int, ...]) -> None:
    run(data, tmp_path, *(Wishes(step, Wish.PAUSE) for step in moments))
    there, whole = kept(tmp_path), kept(undisturbed)
    assert sorted(there) == sorted(whole)
    assert [name for name in whole if there[name] != whole[name] and not name.endswith("log.jsonl")] == []


def test_a_paused_training_is_a_model_and_knows_its_place(data: Path, tmp_path: Path) -> None:
    card = train(toy(data), tmp_path, lambda progress: None, PACE, control=Wishes(1, Wish.PAUSE))
    assert card.steps == 1
    assert verify(tmp_path) == card
    assert Keeping(tmp_path).strips() == (), "a pause is no moment to look"


def test_a_stopped_training_looks_once_more_and_keeps_the_best(data: Path, tmp_path: Path) -> None:
    card = train(toy(data), tmp_path, lambda progress: None, PACE, control=Wishes(3, Wish.STOP))
    keeping = Keeping(tmp_path)
    best = keeping.best()
    assert best is not None
    assert best.step in (2, 3)
    assert (card.steps, verify(tmp_path)) == (best.step, card)
    assert keeping.strips() == (2, 3)
    assert keeping.lines()[-1].validation is not None


def test_the_model_of_a_training_that_got_worse_is_the_best_one(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe, losses = toy(data), iter([0.9, 0.2, 0.7])
    monkeypatch.setattr(type(recipe), "validation_loss", lambda self, networks: next(losses))
    card = run(data, tmp_path, recipe=recipe)
    assert card.steps == 4
    assert verify(tmp_path).steps == 4
    assert [line.validation for line in Keeping(tmp_path).lines()] == [0.9, 0.2, 0.7]


def test_a_session_that_was_out_of_time_chooses_as_if_it_had_not_ended(data: Path, undisturbed: Path, tmp_path: Path) -> None:
    train(toy(data), tmp_path, lambda progress: None, Pace(seconds=0, report_every=2, look_every=2, save_every=3))
    assert Keeping(tmp_path).best() is None
    assert run(data, tmp_path).sha256 == verify(undisturbed).sha256


class Killed(Exception):
    """Stands for the end of the process."""


class Kill:
    """Kills the training after a step, and remembers the steps that were done."""

    def __init__(self, after: int = 0) -> None:
        self._after = after
        self.done: list[int] = []

    def wish(self, done: int) -> Wish:
        self.done.append(done)
        if done == self._after:
            raise Killed
        return Wish.GO_ON


def test_a_slow_training_that_is_killed_loses_little_and_nothing_of_its_result(
    data: Path, undisturbed: Path, tmp_path: Path
) -> None:
    slow = Pace(report_every=2, look_every=2, save_every=100, save_seconds=0)
    with pytest.raises(Killed):
        train(toy(data), tmp_path, lambda progress: None, slow, control=Kill(after=5))
    went_on = Kill()
    train(toy(data), tmp_path, lambda progress: None, slow, control=went_on)
    assert went_on.done in ([3, 4, 5, 6], [5, 6]), "writing takes a while, and is not to take most of the time"
    there, whole = kept(tmp_path), kept(undisturbed)
    assert [name for name in whole if there[name] != whole[name]] == [], "the log, too"


@pytest.mark.parametrize(("steps", "look"), [(1, 1), (6, 1), (300, 15), (20_000, 500)])
def test_a_short_training_has_its_curves_and_strips_too(steps: int, look: int) -> None:
    pace = Pace.of(steps)
    assert (pace.look_every, pace.save_every) == (look, look)
    assert 1 <= pace.report_every <= 20

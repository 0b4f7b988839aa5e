"""A downstream study on toys: equal steps, nested fractions, a test side unseen, and going on where it was cut short."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest

from medsynth_core.errors import ParameterError
from medsynth_core.studies import lessons, made
from medsynth_core.studies.arms import ARMS, CLASSIC, ONLY, arm_of
from medsynth_core.studies.downstream import Cell, Findings, Plan, study
from medsynth_core.studies.generators import items_file
from medsynth_core.studies.items import Item, kept
from medsynth_core.studies.learners import Manner, learner_of
from medsynth_core.studies.lessons import Lesson, Share
from medsynth_core.studies.material import Material
from tests.studies.toy_study import ToyMaker, toy_generator, toy_material

QUICK = Plan(fractions=(20, 100), seeds=(0, 1), segmenters=("ours",), steps=2, batch=2)


@dataclass
class School:
    """Segmenters that learn nothing, and note what they are given; the `fails_at`-th training is interrupted."""

    fails_at: int = 0
    taught: list[tuple[Manner, tuple[str, ...]]] = field(default_factory=list)
    measured: set[str] = field(default_factory=set)
    steps_of: Callable[[Manner], int] = field(default=lambda manner: manner.steps)

    def __call__(self, manner: Manner) -> Pupil:
        return Pupil(self, manner)


@dataclass
class Pupil:
    school: School
    manner: Manner
    figures: tuple[str, ...] = ("dice",)
    known: int = 0

    def learn(self, items: Sequence[Item]) -> Iterator[float]:
        self.school.taught.append((self.manner, tuple(item.name for item in items)))
        if len(self.school.taught) == self.school.fails_at:
            raise KeyboardInterrupt
        self.known = len(items)
        yield from [1.0] * self.school.steps_of(self.manner)

    def score(self, item: Item) -> tuple[float, ...]:
        """The more it has learned from, the better; a little else for each item and seed."""
        self.school.measured.add(item.name)
        return (self.known / 100 + self.manner.seed / 1000 + len(item.name) / 1e4,)


@pytest.fixture
def maker(monkeypatch: pytest.MonkeyPatch) -> ToyMaker:
    toy = ToyMaker()
    monkeypatch.setattr(made, "_maker", toy)
    return toy


@pytest.fixture
def school(monkeypatch: pytest.MonkeyPatch) -> School:
    pupils = School()
    monkeypatch.setattr(lessons, "learner_of", pupils)
    return pupils


@pytest.fixture(scope="module")
def material() -> Material:
    return toy_material()


def done(material: Material, out: Path, plan: Plan = QUICK) -> Findings:
    generator = toy_generator(out.parent / "model")
    return study(material, plan, dict.fromkeys(plan.fractions, generator), out, 1, lambda far: None)


def test_each_arm_learns_from_what_its_name_says(tmp_path: Path, material: Material, school: School, maker: ToyMaker) -> None:
    done(material, tmp_path / "out", replace(QUICK, seeds=(0,), fractions=(20,)))
    real, classic, half, once, twice, only = (names for _, names in school.taught)
    assert len(real) == 4
    assert real == classic == half[:4] == once[:4] == twice[:4]
    assert twice[4:8] == real  # real ones stand twice beside eight made ones: half of a batch stays real
    assert [len(names) for names in (half, once, twice, only)] == [6, 8, 16, 8]
    assert only == twice[8:] == tuple(f"made {i}" for i in range(8))
    assert [manner.classic for manner, _ in school.taught] == [arm.classic for arm in ARMS]


def test_what_is_measured_on_is_neither_learned_from_nor_shown_to_the_generator(
    tmp_path: Path, material: Material, school: School, maker: ToyMaker
) -> None:
    done(material, tmp_path / "out")
    held_out = {item.name for item in material.test}
    assert school.measured == held_out
    assert not held_out & {name for _, names in school.taught for name in names}
    assert maker.given == {item.name for item in material.pool}


def test_a_generator_of_a_fraction_starts_from_masks_of_that_fraction_alone(
    tmp_path: Path, material: Material, school: School, maker: ToyMaker
) -> None:
    found = done(material, tmp_path / "out", replace(QUICK, fractions=(20,)))
    assert maker.given == set(found.names[20])


def test_every_segmenter_takes_equally_many_optimizer_steps(tmp_path: Path, material: Material, maker: ToyMaker) -> None:
    plan = replace(QUICK, fractions=(20,), seeds=(0,), arms=(ARMS[0], arm_of("x2")), steps=3)
    found = done(material, tmp_path / "out", plan)  # real networks
    told = [lessons.read_outcome(path) for path in (tmp_path / "out" / "lessons").glob("*.json")]
    assert [outcome.steps for outcome in told] == [3, 3] == [found.steps] * 2
    assert sorted(outcome.learned_from for outcome in told) == [4, 12]


def test_an_arm_that_was_trained_for_longer_spoils_the_study(
    tmp_path: Path, material: Material, school: School, maker: ToyMaker
) -> None:
    school.steps_of = lambda manner: manner.steps + manner.classic
    with pytest.raises(RuntimeError, match="the same number"):
        done(material, tmp_path / "out")


def test_a_study_cut_short_goes_on_and_gives_the_same_figures(
    tmp_path: Path, material: Material, school: School, maker: ToyMaker
) -> None:
    whole = done(material, tmp_path / "whole")
    trainings, makings = len(school.taught), len(maker.numbers)
    school.taught.clear()
    maker.numbers.clear()
    school.fails_at = 5
    with pytest.raises(KeyboardInterrupt):
        done(material, tmp_path / "cut")
    school.fails_at = 0
    rest = done(material, tmp_path / "cut")
    assert len(school.taught) == trainings + 1  # the one that was interrupted, again
    assert len(maker.numbers) == makings
    assert all((rest.scores[cell] == whole.scores[cell]).all() for cell in whole.scores)
    done(material, tmp_path / "cut")
    assert len(school.taught) == trainings + 1


def test_two_arms_of_one_meaning_are_trained_once(tmp_path: Path, material: Material, school: School, maker: ToyMaker) -> None:
    done(material, tmp_path / "out", replace(QUICK, arms=(arm_of("x1"), arm_of("x1.0")), fractions=(20,), seeds=(0,)))
    assert len(school.taught) == 1


def test_what_decides_a_figure_decides_where_it_is_kept(tmp_path: Path) -> None:
    manner = Manner("labels", "ours", 3, 2, 2, 2, 0, True)
    lesson = Lesson(manner, (Share(Path("a"), 3),), Path("t"), tmp_path)
    others = [
        replace(lesson, manner=replace(manner, **{name: value}))
        for name, value in (("network", "monai"), ("steps", 3), ("batch", 3), ("seed", 1), ("classic", False), ("device", "cuda"))
    ]
    others += [replace(lesson, learns=(Share(Path("a"), 4),)), replace(lesson, learns=(Share(Path("b"), 3),))]
    others += [replace(lesson, test=Path("u"))]
    assert len({one.key for one in (lesson, *others)}) == 10


def test_the_items_of_each_fraction_are_written_for_the_training_of_its_generator(
    tmp_path: Path, material: Material, school: School, maker: ToyMaker
) -> None:
    found = done(material, tmp_path / "out")
    for percent, names in found.names.items():
        assert tuple(items_file(tmp_path / "out", percent).read_text("utf-8").split("\n")[:-1]) == names


def test_the_filter_drops_what_shows_its_mask_worst(
    tmp_path: Path, material: Material, maker: ToyMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Strict(Pupil):
        def score(self, item: Item) -> tuple[float, ...]:
            return (0.1 if item.name in ("made 0", "made 5") else 0.9,)

    school = School()
    monkeypatch.setattr(lessons, "learner_of", lambda manner: Strict(school, manner))
    found = done(material, tmp_path / "out", replace(QUICK, fractions=(20,), arms=(CLASSIC, ONLY), dropped=0.2))
    batch = found.batches[20]
    assert batch.made == 10
    assert [item.name for item in kept(batch.path)] == [f"made {i}" for i in (1, 2, 3, 4, 6, 7, 8, 9)]
    assert batch.dropped_below == 0.9
    judge, names = school.taught[0]
    assert names == found.names[20]
    assert judge.seed not in QUICK.seeds


def test_items_of_one_name_are_refused(tmp_path: Path, school: School, maker: ToyMaker) -> None:
    twice = toy_material(4)
    with pytest.raises(ParameterError, match="one name"):
        done(replace(twice, pool=(*twice.pool, twice.pool[0])), tmp_path / "out")


@pytest.mark.parametrize("what", ["fractions", "arms", "seeds", "segmenters"])
def test_a_plan_names_each_thing_once_and_one_at_least(what: str) -> None:
    given = getattr(QUICK, what)
    for wrong in ((), (given[0], given[0])):
        with pytest.raises(ParameterError, match=f"--{what}"):
            replace(QUICK, **{what: wrong})


@pytest.mark.parametrize("network", ["ours", "monai"])
def test_both_networks_learn_to_see_a_disc(network: str, material: Material) -> None:
    learner = learner_of(Manner("labels", network, 3, 2, 60, 4, 0, True))
    losses = list(learner.learn(material.pool))
    assert losses[-1] < losses[0]
    assert np.mean([learner.score(item)[0] for item in material.test]) > 0.7


def test_the_same_seed_trains_the_same_segmenter(material: Material) -> None:
    manner = Manner("labels", "monai", 3, 2, 3, 2, 4, True)
    first, again, other = (learner_of(m) for m in (manner, manner, replace(manner, seed=5)))
    told = [list(learner.learn(material.pool)) for learner in (first, again, other)]
    assert told[0] == told[1] != told[2]


def test_cells_come_in_the_order_of_the_plan(tmp_path: Path, material: Material, school: School, maker: ToyMaker) -> None:
    found = done(material, tmp_path / "out")
    assert list(found.scores) == [Cell("ours", percent, arm) for percent in (20, 100) for arm in ARMS]
    assert {scores.shape for scores in found.scores.values()} == {(2, 6, 1)}

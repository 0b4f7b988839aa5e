"""Does synthetic data help? Arms, fractions, seeds and segmenters of one study, trained and scored (methods.md 5.1).

    OUT/items-10.txt      the real items of a fraction, one name a line, for msynth train … --items
    OUT/generator-10/     where its generator is trained to, unless another is named
    OUT/sets  made  lessons     what was read, made and scored; a study that was cut short goes on from there

Split before anything is cut: measured is on one side of training/sides.py, learned from on the training side alone. All arms take
equally many optimizer steps, with the same network, batch and, where they are augmented, augmentation; items are drawn from the
union of real and made ones; where there are more made ones, real ones count as often as made it half and half (studies/arms.py).
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from medsynth_core.errors import ParameterError
from medsynth_core.protocol import Scalar
from medsynth_core.studies.arms import ARMS, Arm
from medsynth_core.studies.at_work import Report
from medsynth_core.studies.fractions import ALL_PERCENT, nested
from medsynth_core.studies.generators import Generator, items_file
from medsynth_core.studies.items import digest_of, keep
from medsynth_core.studies.learners import NUCLEI, Manner, learner_of
from medsynth_core.studies.lessons import Lesson, Outcome, Share, outcomes
from medsynth_core.studies.made import Batch, Judge, batch_of
from medsynth_core.studies.makers import Wish
from medsynth_core.studies.material import Material

FRACTIONS = (10, 20, 50, ALL_PERCENT)
SEGMENTERS = ("ours", "monai")
STEPS, BATCH = 1500, 16
NUCLEI_STEPS, NUCLEI_BATCH = 600, 8
MOST_DROPPED = 0.9

Scores = npt.NDArray[np.float64]
"""(seeds, items measured on, figures)."""


@dataclass(frozen=True)
class Plan:
    """What is compared. `steps` and `batch` None are those that suit the data; `dropped` is the share that the filter drops;
    `values` are parameters of the generators' engine; `subset_seed` draws which groups come first."""

    fractions: tuple[int, ...] = FRACTIONS
    arms: tuple[Arm, ...] = ARMS
    seeds: tuple[int, ...] = (0, 1, 2)
    segmenters: tuple[str, ...] = SEGMENTERS
    steps: int | None = None
    batch: int | None = None
    dropped: float = 0.0
    subset_seed: int = 0
    values: tuple[tuple[str, Scalar], ...] = ()
    device: str = "cpu"

    def __post_init__(self) -> None:
        for what in ("fractions", "arms", "seeds", "segmenters"):
            given = getattr(self, what)
            if not given or len(set(given)) != len(given):
                raise ParameterError(f"--{what} is {', '.join(map(str, given)) or 'empty'}: name one or more, each once")
        if not 0 <= self.dropped <= MOST_DROPPED:
            raise ParameterError(f"--filter is {self.dropped:g}: the share to drop lies between 0 and {MOST_DROPPED:g}")

    @property
    def makes(self) -> bool:
        """Whether an arm takes synthetic pairs."""
        return any(arm.times for arm in self.arms)

    def manner(self, material: Material, network: str, seed: int, classic: bool) -> Manner:
        """Return how a segmenter of this material is trained."""
        usual = (NUCLEI_STEPS, NUCLEI_BATCH) if material.kind == NUCLEI else (STEPS, BATCH)
        steps, batch = self.steps or usual[0], self.batch or usual[1]
        return Manner(material.kind, network, material.channels, material.labels, steps, batch, seed, classic, self.device)


@dataclass(frozen=True)
class Cell:
    """One place of the table: a segmenter of an arm at a fraction."""

    segmenter: str
    percent: int
    arm: Arm


@dataclass(frozen=True, eq=False)
class Findings:
    """What came of a study: scores by cell, the real items and groups of each fraction, what was made, and the cost in seconds of
    one core (training and scoring, making)."""

    figures: tuple[str, ...]
    scores: dict[Cell, Scores]
    groups: tuple[str, ...]
    names: dict[int, tuple[str, ...]]
    real: dict[int, int]
    batches: dict[int, Batch]
    steps: int
    learning_seconds: float
    wall_seconds: float
    digest: str = field(default="")


def fractions_of(material: Material, plan: Plan, out: Path) -> dict[int, tuple[str, ...]]:
    """Return the names of each fraction's items, and write them to `out`. Raises ParameterError where two have one name."""
    if len(material.groups) != len(material.pool):
        raise ParameterError("two items of the data have one name: a fraction's list could not tell them apart; rename the files")
    names = nested(material.groups, plan.fractions, plan.subset_seed)
    out.mkdir(parents=True, exist_ok=True)
    for percent, chosen in names.items():
        items_file(out, percent).write_text("".join(f"{name}\n" for name in chosen), "utf-8")
    return names


def study(
    material: Material, plan: Plan, generators: Mapping[int, Generator], out: Path, workers: int, report: Report
) -> Findings:
    """Return what all segmenters score; `generators` has one for each fraction if an arm takes synthetic pairs."""
    began = time.monotonic()
    names = fractions_of(material, plan, out)
    real = {percent: material.pieces(chosen) for percent, chosen in names.items()}
    places = {percent: keep(items, out / "sets") for percent, items in real.items()}
    batches = {}
    if plan.makes:
        for percent, place in places.items():
            wish = Wish(generators[percent].folder, place, plan.values, plan.device)
            count = max(arm.made(len(real[percent])) for arm in plan.arms)
            batches[percent] = batch_of(wish, count, _judge(material, plan), out, workers, report)
    test = keep(material.test, out / "sets")
    cells = dict(_lessons(material, plan, {p: len(items) for p, items in real.items()}, places, batches, test, out))
    done = outcomes([lesson for lessons in cells.values() for lesson in lessons], workers, "segmenters", report)
    scores, at = {}, iter(done)
    for cell, lessons in cells.items():
        scores[cell] = np.array([next(at).figures for _ in lessons])
    steps = _equal_steps(done)
    figures = learner_of(plan.manner(material, plan.segmenters[0], 0, True)).figures
    cost = sum(outcome.seconds for outcome in done)
    groups = tuple(item.group for item in material.test)
    counted = {percent: len(items) for percent, items in real.items()}
    wall = time.monotonic() - began
    return Findings(figures, scores, groups, names, counted, batches, steps, cost, wall, digest_of(material.test))


def _lessons(
    material: Material,
    plan: Plan,
    real: Mapping[int, int],
    places: Mapping[int, Path],
    batches: Mapping[int, Batch],
    test: Path,
    out: Path,
) -> Iterator[tuple[Cell, list[Lesson]]]:
    """Yield each cell with its lessons, one for each seed."""
    for segmenter in plan.segmenters:
        for percent in plan.fractions:
            for arm in plan.arms:
                shares = [Share(places[percent], times=arm.repeats)] * arm.real
                shares += [Share(batches[percent].path, arm.made(real[percent]))] if arm.times else []
                manners = [plan.manner(material, segmenter, seed, arm.classic) for seed in plan.seeds]
                lessons = [Lesson(manner, tuple(shares), test, out / "lessons") for manner in manners]
                yield Cell(segmenter, percent, arm), lessons


def _judge(material: Material, plan: Plan) -> Judge | None:
    return Judge(plan.dropped, plan.manner(material, plan.segmenters[0], 0, True)) if plan.dropped else None


def _equal_steps(done: list[Outcome]) -> int:
    """Return the optimizer steps that every segmenter took. Raises RuntimeError when they differ: no arm may have more."""
    taken = {outcome.steps for outcome in done}
    if len(taken) != 1:
        raise RuntimeError(f"segmenters took {sorted(taken)} steps: all arms must take the same number")
    return taken.pop()

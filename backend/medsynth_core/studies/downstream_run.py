"""The whole of `msynth evaluate downstream`: read, check, study, write the report.

OUT/report.html     for people         OUT/report.json     every figure with its recipe, and what each item scored
"""

from __future__ import annotations

import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from medsynth_core.errors import ModelError, ParameterError
from medsynth_core.evaluation.machine import machine
from medsynth_core.models.card import read_card
from medsynth_core.models.folder import write_json
from medsynth_core.protocol import ModelCard, to_json
from medsynth_core.studies.at_work import Report
from medsynth_core.studies.downstream import Findings, Plan, fractions_of, study
from medsynth_core.studies.downstream_page import EXAMPLES, Recipe, answers, downstream_page
from medsynth_core.studies.engines import model_folder
from medsynth_core.studies.fractions import ALL_PERCENT
from medsynth_core.studies.generators import Generator, Known, checked, generator_folder, training_words
from medsynth_core.studies.items import Item, kept
from medsynth_core.studies.material import HELD_OUT, Grid, Material, read_material, unmet_by
from medsynth_core.studies.table import Row, rows_of
from medsynth_core.training.ledger import read_ledger
from medsynth_core.training.order import TrainingOrder

DEFAULT_ENGINE = "synthesize"
UNMODELED_SIZE = 128


@dataclass(frozen=True)
class Run:
    """One command: what is asked, of which data, with which generators (`models` by percent, else `model`, else OUT's own).

    `training_words` are options of a generator's training besides its items, `first_steps` its steps if not those of the preset.
    With `more_steps` the generators of larger fractions go on for so many from that of the next smaller one. They see
    the images of `unlabeled`, too, except at 100 % where that folder is part of the data: then all of them have masks.
    """

    data: Path
    out: Path
    plan: Plan
    engine: str = ""
    model: str = ""
    models: dict[int, str] = field(default_factory=dict)
    reading: TrainingOrder = field(default_factory=TrainingOrder)
    training_words: tuple[str, ...] = ()
    unlabeled: Path | None = None
    first_steps: int | None = None
    more_steps: int | None = None
    side: str = HELD_OUT
    size: int | None = None
    workers: int = 1
    command: str = ""

    def folder(self, percent: int) -> Path:
        """Return the generator's folder of a fraction; there need not be one."""
        named = self.models.get(percent) or self.model
        return model_folder(named) if named else generator_folder(self.out, percent)

    def training(self, engine: str, percent: int) -> list[str]:
        """Return the words of the command that trains the generator of a fraction; nobody asks for the badges of its results."""
        smaller = max((p for p in self.plan.fractions if p < percent), default=None)
        steps, base = self.first_steps, None
        if self.more_steps and smaller:
            steps, base = self.more_steps, self.folder(smaller)
        seen = None if percent == ALL_PERCENT and self._are_labeled(self.unlabeled) else self.unlabeled
        asked = (("--unlabeled", seen), ("--steps", steps), ("--base", base))
        options = [word for flag, value in asked if value for word in (flag, str(value))]
        return training_words(self.data, engine, self.out, percent, [*self.training_words, "--no-judge", *options])

    def _are_labeled(self, folder: Path | None) -> bool:
        return folder is not None and folder.resolve().is_relative_to(self.data.resolve())

    def card(self) -> ModelCard | None:
        """Return the card of the first generator that is there."""
        folders = (self.folder(percent) for percent in self.plan.fractions)
        return next((read_card(folder) for folder in folders if (folder / "card.json").is_file()), None)


@dataclass(frozen=True)
class Answer:
    """What came of it: sentences, and the report for people."""

    answers: tuple[str, ...]
    page: Path


def run(order: Run, report: Report) -> Answer:
    """Return the answer, and write the report. Raises InputError and ModelError before anything is trained."""
    if unasked := sorted(set(order.models) - set(order.plan.fractions)):
        raise ParameterError(f"--model-at names {unasked[0]} %, which is not among --fractions: add it there, or leave it out")
    material, engine = _material(order)
    generators = _generators(order, engine, material) if order.plan.makes else {}
    found = study(material, order.plan, generators, order.out, order.workers, report)
    rows = rows_of(found)
    recipe = _recipe(order, material, found, generators)
    _write(order, material, found, rows, recipe)
    page = order.out / "report.html"
    partial = page.with_suffix(".partial")
    partial.write_text(downstream_page(rows, recipe), "utf-8")
    partial.replace(page)
    return Answer(tuple(answers(rows)), page)


def commands(order: Run) -> list[str]:
    """Return the commands that train the generators that are not named otherwise, and write the items of each fraction."""
    return [shlex.join(["msynth", *words]) for words in _trainings(order).values()]


def trained(order: Run, say: Callable[[Sequence[str]], None]) -> None:
    """Train the generators that are not named otherwise, one after the other; each goes on where it stopped.

    Raises ModelError for a training that failed.
    """
    for percent, words in _trainings(order).items():
        say(["msynth", *words])
        if subprocess.run([sys.executable, "-m", "medsynth_core.cli", *words], check=False).returncode:
            raise ModelError(f"the training of the generator of {percent} % failed, see above: run the command again to go on")


def _trainings(order: Run) -> dict[int, list[str]]:
    material, engine = _material(order)
    fractions_of(material, order.plan, order.out)
    unnamed = (percent for percent in sorted(order.plan.fractions) if not (order.models.get(percent) or order.model))
    return {percent: order.training(engine, percent) for percent in unnamed}


def _material(order: Run) -> tuple[Material, str]:
    card = order.card()
    engine = order.engine or (card.engine if card else DEFAULT_ENGINE)
    channels = card.channels if card else 1 if order.reading.grey else 3
    side = order.size or (card.size[0] if card else UNMODELED_SIZE)
    size = (side, side) if order.size or card is None else card.size
    material = read_material(engine, order.data, order.reading, Grid(size, channels), order.side)
    return (_unmet(order, material) if order.reading.starter else material), engine


def _unmet(order: Run, material: Material) -> Material:
    """Return the material without what the models named have met: those that ship know a split without mirror images."""
    for folder in {model_folder(named) for named in (*order.models.values(), order.model) if named}:
        if ledger := read_ledger(folder):
            material = unmet_by(ledger, material)
    return material


def _generators(order: Run, engine: str, material: Material) -> dict[int, Generator]:
    names = fractions_of(material, order.plan, order.out)
    marks, measured = material.marks, {item.name for item in material.test}
    spare = [marks[name] for name in (*material.tuning, *material.met) if name not in measured]
    known = Known(marks, [marks[name] for name in sorted(measured)], spare)
    made = {}
    for percent, items in names.items():
        words = shlex.join(order.training(engine, percent))
        way_out = f"train one on these items alone with --train-generators, or by msynth {words}"
        folder = order.folder(percent)
        if not (folder / "card.json").is_file():
            raise ModelError(f"there is no generator for {percent} %: name one with --model-at {percent}=FOLDER, or {way_out}")
        made[percent] = checked(folder, engine, percent, items, known, way_out)
    return made


def _recipe(order: Run, material: Material, found: Findings, generators: dict[int, Generator]) -> Recipe:
    plan = order.plan
    manner = plan.manner(material, plan.segmenters[0], 0, True)
    held, groups = len(set(found.groups)), len(set(material.groups.values()))
    settings = {
        "Data": f"{_title(order.data)}: {len(material.pool)} training items of {groups} groups",
        "Measured on": f"{len(material.test)} items of {held} groups, the {order.side} side (sha256 of the group)"
        + (f"; {len(material.met)} left out that a generator has met" if material.met else ""),
        "Fractions": "; ".join(f"{p} %: {len(names)} items" for p, names in found.names.items()),
        "Segmenters": f"{', '.join(plan.segmenters)}; {found.steps} steps of {manner.batch} each, seeds {list(plan.seeds)}",
        "Intervals": "95 %, percentile bootstrap of 2000 draws over items (over groups beside it) of the mean over seeds",
        "Filter": f"the worst {plan.dropped:.0%} by adherence dropped" if plan.dropped else "none",
        "Device": plan.device,
        "Engine": ", ".join(f"{name} {value}" for name, value in plan.values) or "its defaults",
    }
    examples = {p: (_some(material.pieces(found.names[p])), _some(kept(b.path))) for p, b in found.batches.items()}
    cost = found.learning_seconds + sum(batch.seconds for batch in found.batches.values())
    command = order.command
    return Recipe(_title(order.data), command, settings, generators, examples, machine(), cost, found.wall_seconds)


def _title(data: Path) -> str:
    """Return the name of a folder, with its parent's where it is only called train."""
    whole = data.resolve()
    return f"{whole.parent.name}/{whole.name}" if whole.name == "train" else whole.name


def _some(items: Sequence[Item]) -> list[Item]:
    places = np.linspace(0, len(items) - 1, min(EXAMPLES, len(items))).round().astype(int)
    return [items[int(i)] for i in places]


def _write(order: Run, material: Material, found: Findings, rows: Sequence[Row], recipe: Recipe) -> None:
    """Write report.json. Items stand by their place among those measured on: names may be names of people."""
    groups = sorted(set(found.groups))
    scores = [
        {"segmenter": cell.segmenter, "percent": cell.percent, "arm": cell.arm.key, "figures": np.round(values, 5).tolist()}
        for cell, values in found.scores.items()
    ]
    content = {
        "question": "downstream",
        "synthetic": "arms with synthetic items learned from images that no patient has",
        "made": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "command": order.command,
        "machine": dict(recipe.machine),
        "core_hours": round(recipe.core_seconds / 3600, 3),
        "answers": answers(rows),
        "settings": dict(recipe.settings),
        "plan": to_json(order.plan),
        "generators": {
            str(p): {"id": g.card.id, "sha256": g.card.sha256, "steps": g.card.steps, "note": g.note, "license": g.card.license}
            for p, g in recipe.generators.items()
        },
        "batches": {str(p): {"made": b.made, "dropped_below": b.dropped_below} for p, b in found.batches.items()},
        "test": {"digest": found.digest, "group_of_item": [groups.index(group) for group in found.groups]},
        "figures": list(found.figures),
        "rows": [to_json(row) for row in rows],
        "scores_by_seed_item_figure": scores,
    }
    write_json(order.out / "report.json", content)

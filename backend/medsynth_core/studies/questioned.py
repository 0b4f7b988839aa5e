"""The model that is questioned, beside the data it learned from: the split by its own record, never by what is said about it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from medsynth_core.evaluation.lesson import LessonReport, LessonStep, TimeLeft
from medsynth_core.evaluation.machine import machine
from medsynth_core.models.card import read_card
from medsynth_core.protocol import ModelCard
from medsynth_core.studies.at_work import HowFar, Report
from medsynth_core.studies.engines import model_folder
from medsynth_core.studies.material import HELD_OUT, Grid, Material, read_material, unmet_by
from medsynth_core.training.guard import check_apart
from medsynth_core.training.ledger import Ledger, read_ledger
from medsynth_core.training.order import TrainingOrder

NO_RECORD = "It has no record of what it learned from: that the split of DATA is its own rests on the word of its card."


@dataclass(frozen=True)
class Question:
    """A model and the folder it was trained on, read as its training read it; figures are of `side`."""

    data: Path
    model: str
    reading: TrainingOrder = field(default_factory=TrainingOrder)
    side: str = HELD_OUT


@dataclass(frozen=True, eq=False)
class Questioned:
    """The model's folder and card, the real items, and what there is to say about what it has seen."""

    folder: Path
    card: ModelCard
    material: Material
    note: str

    @property
    def facts(self) -> dict[str, str]:
        """What a report tells of the model."""
        terms = self.card.license + ("" if self.card.commercial_use else ", no commercial use")
        return {
            "Model": f"{self.card.title} ({self.card.id}), {self.card.steps} steps",
            "What it has learned from": self.note,
            "License": terms,
            "Data": self.card.data,
        }

    def record(self, question: str, command: str, seconds: float) -> dict[str, Any]:
        """Return how report.json begins: what was asked of which model, when, by which command, where and how long it took."""
        return {
            "question": question,
            "made": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "command": command,
            "machine": machine(),
            "seconds": round(seconds, 1),
            "model": {"id": self.card.id, "sha256": self.card.sha256, "steps": self.card.steps, "note": self.note},
        }


def questioned(question: Question) -> Questioned:
    """Return the model with the real items.

    Held-out items that the model has met are left out and counted where it is one that ships: the rule of the split has changed
    since it was trained. For any other, TrainingDataError names them: its folder is then read in another way than it was.
    """
    folder = model_folder(question.model)
    card = read_card(folder)
    material = read_material(card.engine, question.data, question.reading, Grid(card.size, card.channels), question.side)
    ledger = read_ledger(folder)
    if ledger is None:
        return Questioned(folder, card, material, NO_RECORD)
    if question.reading.starter:
        material = unmet_by(ledger, material)
    check_apart(ledger, [material.marks[item.name] for item in material.test if item.name in material.marks])
    return Questioned(folder, card, material, _recorded(ledger, len(material.met), question.side))


def _recorded(ledger: Ledger, met: int, side: str) -> str:
    said = f"By its record: {ledger.counted}; none of the items measured on is among the first."
    if met:
        said += f" {met} others of the {side} side are left out: it has met them, their mirror image or another of their group."
    if not ledger.unlisted:
        return said
    return f"{said} It goes on from {ledger.unlisted[0]}, which has no record: whether that has met them, nobody can tell."


def title_of(data: Path) -> str:
    """Return the name of a folder, with its parent's where it is only called train."""
    whole = data.resolve()
    return f"{whole.parent.name}/{whole.name}" if whole.name == "train" else whole.name


def training_told(report: Report, every: int = 50) -> LessonReport:
    """Return what the judges tell of their lessons."""
    left = TimeLeft()

    def tell(at: LessonStep) -> None:
        seconds = left(at)
        if at.step % every == 0 or at.step == at.steps:
            report(HowFar(f"training the judge {at.network}, loss {at.loss:.2f}, steps", at.step, at.steps, seconds))

    return tell

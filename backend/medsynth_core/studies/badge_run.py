"""Gives a model that is there its judge: taught from its data as its training would teach it, written into its folder.

A training makes the judge by itself (`engines/_judging.py`); this is for models that have none, and to leave the index out.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field, replace
from pathlib import Path

from medsynth_core.engines._base import get_engine
from medsynth_core.errors import ParameterError
from medsynth_core.evaluation.copies import CopySettings
from medsynth_core.evaluation.segmenter import SegmenterSettings
from medsynth_core.evaluation.teaching import LEAST_FOUND, SMALL, Found, Teaching
from medsynth_core.models.folder import JUDGE, finish_folder, verify
from medsynth_core.protocol import ModelCard
from medsynth_core.studies.at_work import HowFar, Report
from medsynth_core.studies.engines import model_folder
from medsynth_core.studies.questioned import Question, training_told
from medsynth_core.training.ledger import read_ledger
from medsynth_core.training.order import TrainingOrder
from medsynth_core.training.recipe import Recipe

EVERY = 100


@dataclass(frozen=True)
class BadgeRun:
    """Which model gets its judge, from which data, where networks are kept meanwhile, and whether it knows training images.

    `least_found` is the share of planted copies that the likeness must find to be used at all.
    """

    question: Question
    judges: Path
    with_index: bool = True
    least_found: float = LEAST_FOUND
    segmenter: SegmenterSettings = SMALL
    copies: CopySettings = field(default_factory=CopySettings)


def run(wish: BadgeRun, report: Report) -> ModelCard:
    """Write the judge into the model's folder and return the card with its thresholds.

    Raises ParameterError for a model whose results are not judged, TrainingDataError, ModelError.
    """
    folder = model_folder(wish.question.model)
    card = verify(folder)  # what is not as it was written must not get new checksums
    recipe = _recipe(card, wish.question)
    teaching = Teaching(
        wish.judges,
        training_told(report, EVERY),
        card.id,
        wish.with_index,
        _knows_tuning(folder, recipe),
        wish.least_found,
        wish.segmenter,
        wish.copies,
        found=_found(report),
    )
    made = wish.judges / JUDGE
    shutil.rmtree(made, ignore_errors=True)
    thresholds = recipe.judge(made, teaching)
    if thresholds is None:
        raise ParameterError(f"model {card.id} is a {card.role} model of {card.engine}: its results are not judged")
    shutil.rmtree(folder / JUDGE, ignore_errors=True)
    if made.is_dir():
        shutil.copytree(made, folder / JUDGE)
    return finish_folder(folder, replace(card, quality=thresholds))


def _recipe(card: ModelCard, question: Question) -> Recipe:
    """Return the recipe of a training on the model's data: its judge must know the same labels and channels as the model."""
    engine = get_engine(card.engine)
    if engine.recipe is None or engine.judge is None:
        raise ParameterError(f"model {card.id} is of {card.engine}, whose results are not judged")
    labels = {label.value: label.name for label in card.labels if label.value}
    order: TrainingOrder = replace(question.reading, model_id=card.id, grey=card.channels == 1, preset=card.role)
    if not order.starter and card.engine == "synthesize":
        order = replace(order, label_names=labels)
    recipe: Recipe = engine.recipe(question.data, order)
    return recipe


def _knows_tuning(folder: Path, recipe: Recipe) -> bool:
    """Whether the model's own record says that it has learned from the side to choose by, too, as the models that ship have."""
    ledger = read_ledger(folder)
    if ledger is None or recipe.ledger is None:
        return False
    learned = {entry.pixels for entry in ledger.training + ledger.images_only}
    return any(entry.pixels in learned for entry in recipe.ledger.tuning)


def _found(report: Report) -> Found:
    def tell(planted: int, share: float) -> None:
        report(HowFar("likeness, copies found of those planted", round(share * planted), planted, 0.0))

    return tell

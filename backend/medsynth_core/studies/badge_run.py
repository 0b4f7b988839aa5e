"""Gives a model its judge: trained on its real training images, thresholds of its tuning side, written into its folder.

    segmenter    learns on the training side; threshold: the adherence that 95 % of the tuning side reach
    likeness     the copy network learns on the training side; threshold: what 95 % of the tuning side stays below. The index
                 holds all that the model has learned from, by its own record: for the models that ship the tuning side, too
    intensity    the grey levels between which 95 % of the training images lie

Nothing that is held out is looked at, so that figures measured there stay honest.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from medsynth_core.errors import ParameterError
from medsynth_core.evaluation.badge import Known, adherence_of, halved, range_of, write_judge
from medsynth_core.evaluation.copies import PERCENTILE, CopySettings, disguised, vectors
from medsynth_core.evaluation.copies_search import shrunk
from medsynth_core.evaluation.generator import Images, Pairs
from medsynth_core.evaluation.judges import prepare_copy_network, prepare_segmenter
from medsynth_core.evaluation.plain_unet import PlainUNet
from medsynth_core.evaluation.segmenter import SegmenterSettings
from medsynth_core.evaluation.tensors import image_array, image_tensor
from medsynth_core.models.card import read_card
from medsynth_core.models.folder import finish_folder, verify
from medsynth_core.protocol import ModelCard, Thresholds
from medsynth_core.studies.at_work import HowFar, Report
from medsynth_core.studies.engines import model_folder
from medsynth_core.studies.items import Item
from medsynth_core.studies.material import TUNING, Grid, Material, read_material
from medsynth_core.studies.questioned import Question, training_told
from medsynth_core.training.ledger import read_ledger, sealed
from medsynth_core.vocabulary import one_hot_channels

ENGINE, RESIZED = "synthesize", "resize"
SMALL = SegmenterSettings(steps=1000, widths=(16, 32, 48, 64))
"""0.2 M parameters: 0.45 MB as it is kept, and 10 ms an image at work."""
PLANTED, LEAST_FOUND = 200, 0.5
"""Training images, slightly warped and recolored; a likeness that misses most of them would call copies good."""
CHANCE = 0.5
"""A judge that does no better than chance in more than 5 % of real images says nothing of a made one."""


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
    copies: CopySettings = dataclasses.field(default_factory=CopySettings)


def run(wish: BadgeRun, report: Report) -> ModelCard:
    """Write the judge into the model's folder and return the card with its thresholds.

    Raises ParameterError for a model that cannot be judged, TrainingDataError, ModelError.
    """
    folder = model_folder(wish.question.model)
    card = read_card(folder)
    if card.engine != ENGINE or card.fit != RESIZED:
        raise ParameterError(f"model {card.id} is of {card.engine} ({card.fit}): only results of {ENGINE} on one grid are judged")
    verify(folder)  # what is not as it was written must not get new checksums
    material = read_material(card.engine, wish.question.data, wish.question.reading, Grid(card.size, card.channels), TUNING)
    told, labels = training_told(report), one_hot_channels(card.labels)
    segmenter, _ = prepare_segmenter(wish.judges, card.id, _pairs(material.pool, labels), wish.segmenter, told)
    halved(segmenter)
    known = _known(wish, folder, material, report) if wish.with_index else None
    card = dataclasses.replace(card, quality=_thresholds(material, segmenter, known))
    write_judge(folder, labels, segmenter, wish.segmenter.widths, known[0] if known else None)
    return finish_folder(folder, card)


def _known(wish: BadgeRun, folder: Path, material: Material, report: Report) -> tuple[Known, float] | None:
    """Return what was learned from, and the threshold of the likeness; None where too few copies are more alike than that."""
    network, _ = prepare_copy_network(
        wish.judges, read_card(folder).id, _small(material.pool), wish.copies, training_told(report)
    )
    halved(network)
    pool = Known(network, _rounded(vectors(network, _small(material.pool))))
    threshold = float(np.percentile(pool.likeness(_small(material.test)), PERCENTILE, method="higher"))
    found = float((pool.likeness(_planted(material, wish.copies)) > threshold).mean())
    report(HowFar(f"copies found of {PLANTED} planted: {found:.0%}", 1, 1, 0.0))
    if found < wish.least_found:
        return None
    also = [item for item in material.test if item.name in _learned(folder, material)]
    index = np.concatenate([pool.index, _rounded(vectors(network, _small(also)))]) if also else pool.index
    return Known(network, index), threshold


def _thresholds(material: Material, segmenter: PlainUNet, known: tuple[Known, float] | None) -> Thresholds:
    shown = [item for item in material.test if item.labels.any()]
    found = [adherence_of(segmenter, item.image[0], item.labels[0].astype(np.uint8)) for item in shown]
    least = float(np.percentile(found, 100 - PERCENTILE, method="lower")) if found else CHANCE
    ranges = np.array([range_of(item.image[0]) for item in material.pool])  # (n, 2)
    spare = (100 - PERCENTILE) / 2
    dark, bright = np.percentile(ranges[:, 0], spare), np.percentile(ranges[:, 1], 100 - spare)
    contrast = np.percentile(ranges[:, 1] - ranges[:, 0], 100 - PERCENTILE, method="lower")
    return Thresholds(
        adherence=round(least, 4) if least > CHANCE else None,
        intensity=(round(float(dark), 2), round(float(bright), 2)),
        likeness=round(known[1], 4) if known else None,
        contrast=round(float(contrast), 2),
    )


def _learned(folder: Path, material: Material) -> set[str]:
    """Return the names of the cases that the model's record says it has learned from."""
    ledger = read_ledger(folder)
    entries = {entry.pixels for entry in ledger.training + ledger.images_only} if ledger else set()
    return {name for name, mark in material.marks.items() if sealed(mark).pixels in entries}


def _pairs(items: Sequence[Item], labels: int) -> Pairs:
    masks = np.concatenate([item.labels for item in items]).astype(np.uint8)
    return Pairs(np.concatenate([item.image for item in items]), masks, np.zeros((len(items), 0), np.int64), labels)


def _small(items: Sequence[Item]) -> Images:
    return np.stack([shrunk(item.image[0]) for item in items])


def _planted(material: Material, settings: CopySettings) -> Images:
    """Return up to 200 training images (n, c, 64, 64) as a model that has memorized them might show them."""
    learned = image_tensor(_small(material.pool[:: max(1, len(material.pool) // PLANTED)][:PLANTED]))
    return image_array(disguised(learned, settings, torch.Generator().manual_seed(settings.seed)))


def _rounded(found: np.ndarray) -> np.ndarray:
    """Return vectors as they are read back."""
    return found.astype(np.float16).astype(np.float32)

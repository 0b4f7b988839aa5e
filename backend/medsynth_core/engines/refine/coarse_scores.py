"""How well a coarse network does on images it was not trained on, each measured in its own size."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from medsynth_core.engines.refine.coarse_model import CoarseModel
from medsynth_core.engines.refine.coarse_recipe import normalized_image, true_labels
from medsynth_core.errors import InputError
from medsynth_core.evaluation.metrics import dice
from medsynth_core.training.pairs import Pair

Labels = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class CoarseScores:
    """Means over images of the mean over the labels that an image holds; `missed` is the share of images with Dice 0."""

    images: int
    dice: float
    iou: float
    missed: float


def scores(model: CoarseModel, pairs: tuple[Pair, ...]) -> CoarseScores:
    """Return the scores of a model on pairs. Raises InputError when there are none."""
    if not pairs:
        raise InputError("there is no held-out pair: a figure needs images that were not trained on")
    found = np.array([_of_one(model, pair) for pair in pairs])  # (images, 2)
    mean_dice, mean_iou = found.mean(axis=0)
    return CoarseScores(len(pairs), float(mean_dice), float(mean_iou), float((found[:, 0] == 0).mean()))


def label_overlap(drawn: Labels, truth: Labels) -> tuple[float, float]:
    """Return Dice and IoU of two label maps (y, x), each a mean over the labels that the truth holds: IoU = D / (2 − D)."""
    found = [float(dice((drawn == value)[None], (truth == value)[None])[0]) for value in np.unique(truth) if value]
    return float(np.mean(found)), float(np.mean([d / (2 - d) for d in found]))


def _of_one(model: CoarseModel, pair: Pair) -> tuple[float, float]:
    drawn = model.draw(normalized_image(pair, model.card.channels)).labels
    return label_overlap(drawn, true_labels(pair, model.card))

"""What a judge sees of an image made for a mask, and what it learns from."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from medsynth_core.engines.synthesize.dataset import PairArrays
from medsynth_core.evaluation.looks import Look, at_most, labels_at_most, small_of
from medsynth_core.evaluation.teaching import Lessons, lent, pairs_of
from medsynth_core.evaluation.tensors import image_array
from medsynth_core.imaging.grid import labels_to_grid
from medsynth_core.protocol import ModelCard
from medsynth_core.vocabulary import one_hot_channels

RESIZED = "resize"


def look_of(image: Tensor, labels: npt.NDArray[np.uint8], card: ModelCard) -> Look:
    """Return what is seen of an image (c, y, x) in [−1, 1] on the model's grid, made for labels (y, x).

    A model that tiles paints larger pictures than its judge knows: of these the levels alone are looked at.
    """
    pictures = at_most(image_array(image[None]))
    size = pictures.shape[2], pictures.shape[3]
    if card.fit != RESIZED:
        return Look(pictures, np.zeros((1, *size), np.uint8), small_of(pictures)[:0])
    shares = labels_to_grid(labels, one_hot_channels(card.labels), size)
    return Look(pictures, shares.argmax(dim=0).to(torch.uint8).numpy()[None], small_of(pictures))


def lessons_of(training: PairArrays, tuning: PairArrays, bare: PairArrays | None, labels: int) -> Lessons:
    """Return what a judge learns from: pairs of both sides, and images without masks (`bare`) that a model has seen, too."""
    learned, also = lent(_looks(training), chosen_by := _looks(tuning))
    known = np.concatenate([look.small for look in learned])
    more = [look.small for look in also] + ([small_of(bare.images)] if bare is not None and len(bare) else [])
    return Lessons(
        pairs_of(learned, labels),
        known,
        known,
        tuple(learned),
        chosen_by,
        tuple(also),
        np.concatenate(more) if more else None,
    )


def _looks(arrays: PairArrays) -> tuple[Look, ...]:
    """Return each pair as a look; area means of whole arrays at once would take the memory of all of them."""
    pairs = ((image[None], mask[None]) for image, mask in zip(arrays.images, arrays.masks, strict=True))
    return tuple(Look(at_most(image), labels_at_most(mask), small_of(image)) for image, mask in pairs)

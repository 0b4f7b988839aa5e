"""How the shared loop trains a coarse network on a folder of images and masks."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from medsynth_core.engines.refine.coarse_model import on_grid, save_coarse
from medsynth_core.engines.refine.coarse_network import CoarseNetwork
from medsynth_core.engines.refine.coarse_objective import coarse_loss
from medsynth_core.engines.refine.coarse_presets import (
    COARSE,
    COARSE_NOTE,
    CoarsePreset,
    get_coarse_preset,
    get_coarse_starter,
)
from medsynth_core.errors import LabelError, TrainingDataError
from medsynth_core.evaluation.jitter import move
from medsynth_core.formats import read, read_mask
from medsynth_core.imaging.grid import labels_to_grid
from medsynth_core.imaging.preprocess import FloatImage, percentile_normalized
from medsynth_core.protocol import LabelInfo, ModelCard
from medsynth_core.training.curves import mosaic, samples_shown
from medsynth_core.training.labels import vocabulary_of
from medsynth_core.training.ledger import Ledger
from medsynth_core.training.order import TrainingOrder
from medsynth_core.training.pair_survey import survey_order
from medsynth_core.training.pairs import Pair
from medsynth_core.training.recipe import FromPreset
from medsynth_core.training.sides import Sides
from medsynth_core.vocabulary import foreground, one_hot_channels, understand

STRIP_SAMPLES = 8
VALIDATION_ITEMS = 128
BATCH_AT_TEST = 32
LUMA = np.array([0.299, 0.587, 0.114])
"""Shares of red, green and blue in the brightness (ITU-R BT.601)."""


@dataclass(frozen=True)
class CoarseArrays:
    """images (n, C, y, x) float16 in [−1, 1]; shares (n, K, y, x) uint8: how much of each pixel a foreground label covers."""

    images: npt.NDArray[np.float16]
    shares: npt.NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.images)

    def part(self, start: int, stop: int | None) -> CoarseArrays:
        """Return the pairs from `start` up to `stop`, None for the end."""
        return CoarseArrays(self.images[start:stop], self.shares[start:stop])

    def batch(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Return images and truth of the rows, both float32."""
        chosen = rows.numpy()
        return torch.from_numpy(self.images[chosen]).float(), torch.from_numpy(self.shares[chosen]).float() / 255


@dataclass(frozen=True)
class CoarseRecipe(FromPreset):
    """A preset, the pairs to learn from and those to choose by (`validation`), and the card to be."""

    preset: CoarsePreset
    training: CoarseArrays
    validation: CoarseArrays
    blank_card: ModelCard
    seed: int = 0
    device: str = "cpu"
    ledger: Ledger | None = None

    def build(self) -> nn.ModuleDict:
        """Return a new network."""
        labels = len(foreground(self.blank_card.labels))
        return nn.ModuleDict(
            {"segmenter": CoarseNetwork(self.blank_card.channels, labels, self.preset.widths, self.preset.patch)}
        )

    def loss(self, networks: nn.ModuleDict, step: int, generator: torch.Generator) -> dict[str, Tensor]:
        """Return both terms of the loss on the batch of this step, in new places and another light."""
        rows = torch.randint(len(self.training), (self.preset.batch,), generator=generator)
        images, truth = (part.to(self.device) for part in self.training.batch(rows))
        jitter = self.preset.jitter
        theta = jitter.geometry(len(rows), generator)
        images, truth = jitter.relight(move(theta, images), generator), move(theta, truth)
        return coarse_loss(networks["segmenter"](images), truth)

    @torch.no_grad()
    def validation_loss(self, networks: nn.ModuleDict) -> float:
        """Return the mean loss of up to 128 pairs of the tuning side as they are."""
        if not len(self.validation):
            return math.nan
        rows = torch.linspace(0, len(self.validation) - 1, min(VALIDATION_ITEMS, len(self.validation))).round().long()
        losses = []
        for some in rows.split(BATCH_AT_TEST):
            images, truth = (part.to(self.device) for part in self.validation.batch(some))
            losses += [torch.stack(list(coarse_loss(networks["segmenter"](images), truth).values())).sum() * len(some)]
        return float(torch.stack(losses).sum() / len(rows))

    @torch.no_grad()
    def strip(self, networks: nn.ModuleDict) -> np.ndarray:
        """Return three rows: images, what the network makes of them, true masks; of the tuning side where there is one."""
        source = self.validation if len(self.validation) else self.training
        rows = samples_shown(len(source), STRIP_SAMPLES)
        images, truth = (part.to(self.device) for part in source.batch(rows))
        return mosaic([images, _pictured(networks["segmenter"](images).sigmoid()), _pictured(truth)])

    def save(self, networks: nn.ModuleDict, folder: Path) -> None:
        """Write the network, in half precision, as the part of a model folder."""
        save_coarse(networks["segmenter"], folder)


def prepare_coarse(data: Path, order: TrainingOrder) -> CoarseRecipe:
    """Return the recipe for a training folder. Raises TrainingDataError with the list of offenders before anything starts."""
    starter = get_coarse_starter(order.starter) if order.starter else None
    preset = _preset(order)
    survey = survey_order(data, order, starter.source.columns(data) if starter else None)
    sides = survey.admit(recipe_drops=starter is not None).sides
    card = starter.card if starter else _own_card(data, order, sides)
    card = replace(card, size=(preset.pixels, preset.pixels), trained_on=sides.counted)
    arrays, learned = load(sides.seen, card), len(sides.training)  # read together: all offenders are named at once
    taught, chosen_by = arrays.part(0, learned), arrays.part(learned, None)
    return CoarseRecipe(preset, taught, chosen_by, card, order.seed, order.device, survey.ledger(sides))


def load(pairs: tuple[Pair, ...], card: ModelCard) -> CoarseArrays:
    """Return the pairs on the model's grid. Raises TrainingDataError naming every mask with a label the card does not know."""
    values = [label.value for label in foreground(card.labels)]
    images = np.empty((len(pairs), card.channels, *card.size), np.float16)
    shares = np.empty((len(pairs), len(values), *card.size), np.uint8)
    offenders = []
    for i, pair in enumerate(pairs):
        images[i] = on_grid(normalized_image(pair, card.channels), card.size)
        try:
            labels = true_labels(pair, card)
        except LabelError as problem:
            offenders.append(f"{pair.mask.name}: {problem}")
            continue
        covered = labels_to_grid(labels, one_hot_channels(card.labels), card.size)[values]
        shares[i] = (covered * 255).round().byte().numpy()
    if offenders:
        raise TrainingDataError("the masks hold labels outside the vocabulary: name each with --label", tuple(offenders))
    return CoarseArrays(images, shares)


def normalized_image(pair: Pair, channels: int) -> FloatImage:
    """Return the image of a pair, (channels, y, x) in [−1, 1], in its own size: as an image at work is normalized."""
    pixels = read(pair.image).array
    if len(pixels) == 3 and channels == 1:
        pixels = np.tensordot(LUMA, pixels.astype(np.float64), axes=1)[None]
    normalized = percentile_normalized(pixels)[:, 0]
    return normalized if len(normalized) == channels else np.repeat(normalized, channels, axis=0)


def true_labels(pair: Pair, card: ModelCard) -> npt.NDArray[np.uint8]:
    """Return the mask of a pair, (y, x), in label values of the card. Raises LabelError."""
    return understand(read_mask(pair.mask).array[0, 0], card.labels)


def _preset(order: TrainingOrder) -> CoarsePreset:
    """Return the starter's preset or the one named; with both, the named one under the starter's jitter."""
    of_starter = get_coarse_starter(order.starter).preset if order.starter else COARSE
    named = replace(get_coarse_preset(order.preset), jitter=of_starter.jitter) if order.preset else of_starter
    return replace(named, steps=order.steps or named.steps, batch=order.batch or named.batch)


def _own_card(data: Path, order: TrainingOrder, sides: Sides[Pair]) -> ModelCard:
    return ModelCard(
        id=order.model_id,
        title=order.title or order.model_id,
        engine="refine",
        channels=1 if order.grey else 3,
        size=(COARSE.pixels, COARSE.pixels),
        labels=_labels(order, sides),
        license=order.license,
        data=f"{sides.count} pairs of the user's folder {data.resolve().name}",
        role="coarse",
        split=order.split_said,
        notes=COARSE_NOTE,
    )


def _labels(order: TrainingOrder, sides: Sides[Pair]) -> tuple[LabelInfo, ...]:
    if order.label_names is not None:
        return vocabulary_of(order.label_names, set())
    found = {int(value) for pair in sides.seen for value in np.unique(read_mask(pair.mask).array)}
    return vocabulary_of(None, {1} if found <= {0, 255} else found)


def _pictured(shares: Tensor) -> Tensor:
    """Return shares (B, K, y, x) as one picture in [−1, 1], each label in a brightness of its own."""
    count = shares.shape[1]
    weights = torch.arange(1, count + 1, device=shares.device).view(1, -1, 1, 1) / count
    return ((shares * weights).sum(dim=1, keepdim=True) * 2 - 1).clamp(-1, 1)

"""Segmenters of a study: each learns from items for a number of steps and is scored on one item at a time.

Of one kind of data both networks learn in the same way: same loss, batches, augmentation and steps; the rate is the network's.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass
from typing import Protocol

import numpy as np

from medsynth_core.evaluation.generator import Pairs
from medsynth_core.evaluation.jitter import STILL, Jitter
from medsynth_core.evaluation.nuclei_scores import FIGURES, score
from medsynth_core.evaluation.nuclei_segmenter import NucleiSegmenterSettings, find_nuclei, train_nuclei_segmenter
from medsynth_core.evaluation.nuclei_views import CLASSIC, NONE, Labeled
from medsynth_core.evaluation.segmenter import SegmenterSettings, segment, train_segmenter
from medsynth_core.evaluation.unets import COARSE, build_unet, learning_rate
from medsynth_core.evaluation.volume_segmenter import telling_slices, volume_dice
from medsynth_core.studies.items import Item

LABELS, NUCLEI = "labels", "nuclei"


@dataclass(frozen=True)
class Manner:
    """How a segmenter is trained: what it tells apart (`labels` counts the background), by which network, for how long."""

    kind: str
    network: str
    channels: int
    labels: int
    steps: int
    batch: int
    seed: int
    classic: bool
    device: str = "cpu"


class Learner(Protocol):
    """A segmenter with its way to learn."""

    @property
    def figures(self) -> tuple[str, ...]:
        """Return the names of what `score` gives; the first one decides."""

    def learn(self, items: Sequence[Item]) -> Iterator[float]:
        """Train on items, yielding the loss of each step."""

    def score(self, item: Item) -> tuple[float, ...]:
        """Return the figures of what is found in the image of an item, from 0 to 1."""


def learner_of(manner: Manner) -> Learner:
    """Return an untrained segmenter."""
    return NucleiLearner(manner) if manner.kind == NUCLEI else LabelLearner(manner)


class LabelLearner:
    """Segments label values, slice by slice; a volume is scored as one."""

    figures = ("dice",)

    def __init__(self, manner: Manner) -> None:
        self._manner = manner
        self._network = build_unet(manner.network, manner.channels, manner.labels, manner.seed, COARSE).to(manner.device)

    def learn(self, items: Sequence[Item]) -> Iterator[float]:
        """Train on the slices of the items, all equally often drawn."""
        m = self._manner
        jitter = Jitter() if m.classic else STILL
        rate = learning_rate(m.network, COARSE)
        settings = SegmenterSettings(m.steps, m.batch, learning_rate=rate, seed=m.seed, jitter=jitter)
        yield from train_segmenter(self._network, pairs_of(items, m.labels, m.seed), settings)

    def score(self, item: Item) -> tuple[float, ...]:
        """Return the Dice over all slices, the mean of the labels that the item shows; 1 where it and what is found are empty."""
        found = segment(self._network, item.image)
        shown = [int(value) for value in np.unique(item.labels) if value] or [1]
        return (float(np.mean([volume_dice(found == value, item.labels == value) for value in shown])),)


class NucleiLearner:
    """Finds nuclei one by one."""

    figures = FIGURES

    def __init__(self, manner: Manner) -> None:
        self._manner = manner
        self._network = build_unet(manner.network, manner.channels, 3, manner.seed).to(manner.device)

    def learn(self, items: Sequence[Item]) -> Iterator[float]:
        """Train on pieces of the tiles, all tiles equally often drawn."""
        m = self._manner
        augmentation = CLASSIC if m.classic else NONE
        settings = NucleiSegmenterSettings(
            m.steps, m.batch, learning_rate=learning_rate(m.network), seed=m.seed, augmentation=augmentation
        )
        yield from train_nuclei_segmenter(self._network, [Labeled(item.image[0], item.labels[0]) for item in items], settings)

    def score(self, item: Item) -> tuple[float, ...]:
        """Return Dice, aggregated Jaccard index and panoptic quality of a tile."""
        return astuple(score(find_nuclei(self._network, item.image[0]), item.labels[0]))


def pairs_of(items: Sequence[Item], labels: int, seed: int = 0) -> Pairs:
    """Return the slices to learn from: a picture as it is; of a volume those with labels and as many without, drawn by chance."""
    rng = np.random.default_rng(seed)
    images, masks = [], []
    for item in items:
        rows = telling_slices(item.labels, rng) if len(item.labels) > 1 else np.arange(1)
        images.append(item.image[rows])
        masks.append(item.labels[rows].astype(np.uint8))
    x = np.concatenate(images)
    return Pairs(x, np.concatenate(masks), np.zeros((len(x), 0), np.int64), labels)

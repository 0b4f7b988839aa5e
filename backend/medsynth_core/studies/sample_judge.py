"""Judges new samples against the real data of their model: does the image show its mask, is it as bright, is it a copy?

adherence   Dice of a segmenter that knows only real training images, on the sample, as a share of what it reaches on real images
            of the side that nothing was learned from; for models that paint a mask
brightness  mean and spread of the image lie within those of the real training images
likeness    to the nearest training image once aligned; above what 95 % of real images of the other side reach it is a copy
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from medsynth_core.evaluation.copies import PERCENTILE, SIDE
from medsynth_core.evaluation.copies_tiles import pieces_of, quartered
from medsynth_core.evaluation.generator import Images, Masks, Pairs
from medsynth_core.evaluation.judges import prepare_segmenter
from medsynth_core.evaluation.metrics import label_dice
from medsynth_core.evaluation.segmenter import SegmenterSettings, segment
from medsynth_core.imaging.grid import labels_to_grid
from medsynth_core.imaging.preprocess import resized
from medsynth_core.protocol import ModelCard
from medsynth_core.studies.at_work import Report
from medsynth_core.studies.copies import Memory, memory_of, views
from medsynth_core.studies.items import Item
from medsynth_core.studies.learners import NUCLEI
from medsynth_core.studies.material import Material, volume_item
from medsynth_core.studies.questioned import Question, questioned, title_of, training_told
from medsynth_core.studies.samples import pieces
from medsynth_core.volume import Volume

MARGIN = 0.1
"""How far beyond the range of real images brightness may lie, as a share of that range."""
TUMOR, SYNTHESIZE = "tumor", "synthesize"
Picture = npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Opinion:
    """What is measured on a sample, with what is not as it should be, and whether it is a copy."""

    figures: dict[str, float]
    flags: tuple[str, ...]
    copy: bool


class SampleJudge:
    """Judges samples of one model; `terms` say by what. `segmented` gives the labels (n, y, x) seen in images, if any is used."""

    def __init__(
        self,
        material: Material,
        memory: Memory,
        card: ModelCard,
        least_adherence: float,
        segmented: Callable[[Images], Masks] | None = None,
    ) -> None:
        self._material, self._memory, self._segmented, self._least = material, memory, segmented, least_adherence
        self._engine, self._size = card.engine, card.size
        usual = [self._likeness(item) for item in pieces(material, held_out=True)]
        self._threshold = float(np.percentile(usual, PERCENTILE, method="higher"))
        self._range = _range_of(material)
        self._real_dice = float(np.mean([self._dice(item) for item in material.test if item.labels.any()])) if segmented else 0.0
        self.terms: dict[str, Any] = {
            "real_images": {"learned_from": len(material.pool), "beside": len(material.test)},
            "copy_threshold": round(self._threshold, 4),
            "least_adherence": least_adherence if segmented else None,
            "dice_on_real_images": round(self._real_dice, 4),
            "brightness_and_contrast": [[round(float(value), 2) for value in row] for row in self._range],
        }

    def opinion(self, image: Volume, labels: Volume) -> Opinion:
        """Return what is thought of an image (c, z, y, x) with labels (1, z, y, x)."""
        item = self._item(image, labels)
        likeness = self._likeness(item)
        figures, flags = {"likeness": round(likeness, 4)}, []
        if self._segmented is not None and item.labels.any():  # a lesion below a pixel of the grid cannot be measured
            adherence = self._dice(item) / max(self._real_dice, 1e-6)
            figures["adherence"] = round(adherence, 4)
            flags += [f"adherence below {self._least:g}"] if adherence < self._least else []
        low, high = self._range
        seen = _brightness(item)
        for name, value, least, most in zip(("brightness", "contrast"), seen, low, high, strict=True):
            figures[name] = round(float(value), 2)
            flags += [f"{name} beyond that of real images"] if not least <= value <= most else []
        return Opinion(figures, tuple(flags), likeness > self._threshold)

    def _dice(self, item: Item) -> float:
        assert self._segmented is not None
        return float(label_dice(self._segmented(item.image), item.labels.astype(np.uint8))[0])

    def _likeness(self, item: Item) -> float:
        """Return the largest likeness of what is looked at of an item to a training image."""
        if self._material.kind == NUCLEI:
            small = pieces_of(quartered(item.image[0]), SIDE)
        else:
            small = np.stack([view.small for view in views(item, every=False)])
        return float(self._memory.library.nearest(small).likeness.max())

    def _item(self, image: Volume, labels: Volume) -> Item:
        """Return a sample as the real items are: on the grid of the model, in 8 bits."""
        if self._engine == TUMOR:
            from medsynth_core.engines.tumor.frame import frame_of

            frame = frame_of(image)
            grown, tumor = (np.asarray(frame.canonical(volume.array[0])) for volume in (image, labels))
            return volume_item("sample", "", grown, tumor != 0)
        pixels: Picture = image.array[:, 0].astype(np.uint8)
        field = labels.array[0, 0].astype(np.int32)
        if self._engine == SYNTHESIZE and pixels.shape[1:] != self._size:
            pixels = resized(image.array, self._size)[:, 0].round().clip(0, 255).astype(np.uint8)
            shares = labels_to_grid(field.astype(np.uint8), self._material.labels, self._size)
            field = shares.argmax(dim=0).numpy().astype(np.int32)
        return Item("sample", "", pixels[None], field[None])


def sample_judge(question: Question, judges: Path, least_adherence: float, report: Report) -> SampleJudge:
    """Return the judge of a model, trained on its data or read from `judges`. Raises TrainingDataError, ModelError."""
    asked, data, told = questioned(question), title_of(question.data).replace("/", "-"), training_told(report)
    memory, copies_by = memory_of(asked.material, judges, data, told)
    segmented, names = None, {"copies_by": copies_by, "record": asked.note}
    if asked.card.engine == SYNTHESIZE:
        network, names["adherence_by"] = prepare_segmenter(judges, data, _pairs(asked.material), SegmenterSettings(), told)
        segmented = partial(segment, network)
    judge = SampleJudge(asked.material, memory, asked.card, least_adherence, segmented)
    judge.terms |= names
    return judge


def _pairs(material: Material) -> Pairs:
    items = material.pool
    masks = np.concatenate([item.labels for item in items]).astype(np.uint8)
    return Pairs(np.concatenate([item.image for item in items]), masks, np.zeros((len(items), 0), np.int64), material.labels)


def _range_of(material: Material) -> npt.NDArray[np.float64]:
    """Return [least, most] of mean and spread (2, 2) over the real training items, with the margin."""
    values = np.array([_brightness(item) for item in material.pool])
    low, high = values.min(axis=0), values.max(axis=0)
    return np.stack([low - MARGIN * (high - low), high + MARGIN * (high - low)])


def _brightness(item: Item) -> tuple[float, float]:
    return float(item.image.mean()), float(item.image.std())

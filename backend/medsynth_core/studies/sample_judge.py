"""Judges new samples against the real data of their model: does the image show its mask, is it as bright, is it a copy?

adherence   Dice of a segmenter that knows only real training images, on the sample, as a share of what it reaches on real images
            of the side that nothing was learned from; for models that paint a mask
brightness  mean and spread of the image lie within those of the real training images
likeness    to the nearest training image once aligned; above what 95 % of real images of the other side reach it is a copy
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from medsynth_core.evaluation.copies import PERCENTILE, SIDE
from medsynth_core.evaluation.copies_tiles import pieces_of, quartered
from medsynth_core.evaluation.generator import Pairs
from medsynth_core.evaluation.judges import prepare_segmenter
from medsynth_core.evaluation.metrics import label_dice
from medsynth_core.evaluation.segmenter import SegmenterSettings, segment
from medsynth_core.imaging.grid import labels_to_grid
from medsynth_core.imaging.preprocess import resized
from medsynth_core.studies.at_work import Report
from medsynth_core.studies.copies import memory_of, views
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
    """Judges samples of one model; `name` and `terms` say by what."""

    def __init__(self, question: Question, judges: Path, least_adherence: float, report: Report) -> None:
        """Train what judges, or read it from the folder `judges`. Raises TrainingDataError, ModelError."""
        asked, data = questioned(question), title_of(question.data).replace("/", "-")
        self.engine, self._size = asked.card.engine, asked.card.size
        self._material, self._least = asked.material, least_adherence
        told = training_told(report)
        self._memory, copies_by = memory_of(asked.material, judges, data, told)
        usual = [self._likeness(item) for item in pieces(asked.material, held_out=True)]
        self._threshold = float(np.percentile(usual, PERCENTILE, method="higher"))
        self._dice, self._real_dice, adherence_by = _adherence(asked.material, self.engine, judges, data, told)
        self._range = _range_of(asked.material)
        self.terms: dict[str, Any] = {
            "real_data": {"learned": len(asked.material.pool), "beside": len(asked.material.test), "record": asked.note},
            "copies_by": copies_by,
            "copy_threshold": round(self._threshold, 4),
            "adherence_by": adherence_by,
            "least_adherence": least_adherence if self._dice else None,
            "dice_on_real_images": round(self._real_dice, 4),
            "brightness": [round(float(value), 2) for value in self._range.ravel()],
        }

    def opinion(self, image: Volume, labels: Volume) -> Opinion:
        """Return what is thought of an image (c, z, y, x) with labels (1, z, y, x)."""
        item = self._item(image, labels)
        likeness = self._likeness(item)
        figures, flags = {"likeness": round(likeness, 4)}, []
        if self._dice is not None and item.labels.any():  # a lesion below a pixel of the grid cannot be measured
            adherence = self._dice(item) / max(self._real_dice, 1e-6)
            figures["adherence"] = round(adherence, 4)
            flags += [f"adherence below {self._least:g}"] if adherence < self._least else []
        low, high = self._range
        seen = _brightness(item)
        for name, value, least, most in zip(("brightness", "contrast"), seen, low, high, strict=True):
            figures[name] = round(float(value), 2)
            flags += [f"{name} beyond that of real images"] if not least <= value <= most else []
        return Opinion(figures, tuple(flags), likeness > self._threshold)

    def _likeness(self, item: Item) -> float:
        """Return the largest likeness of what is looked at of an item to a training image."""
        if self._material.kind == NUCLEI:
            small = pieces_of(quartered(item.image[0]), SIDE)
        else:
            small = np.stack([view.small for view in views(item, every=False)])
        return float(self._memory.library.nearest(small).likeness.max())

    def _item(self, image: Volume, labels: Volume) -> Item:
        """Return a sample as the real items are: on the grid of the model, in 8 bits."""
        if self.engine == TUMOR:
            from medsynth_core.engines.tumor.frame import frame_of

            frame = frame_of(image)
            grown, tumor = (np.asarray(frame.canonical(volume.array[0])) for volume in (image, labels))
            return volume_item("sample", "", grown, tumor != 0)
        pixels: Picture = image.array[:, 0].astype(np.uint8)
        field = labels.array[0, 0].astype(np.int32)
        if self.engine == SYNTHESIZE and pixels.shape[1:] != self._size:
            pixels = resized(image.array, self._size)[:, 0].round().clip(0, 255).astype(np.uint8)
            shares = labels_to_grid(field.astype(np.uint8), self._material.labels, self._size)
            field = shares.argmax(dim=0).numpy().astype(np.int32)
        return Item("sample", "", pixels[None], field[None])


def _adherence(
    material: Material, engine: str, judges: Path, data: str, told: Callable[[str, int, float], None]
) -> tuple[Callable[[Item], float] | None, float, str]:
    """Return what measures the Dice of a segmenter on an item, its mean on real items, and its name; None where none is used."""
    if engine != SYNTHESIZE:
        return None, 0.0, "not measured"
    network, name = prepare_segmenter(judges, data, _pairs(material), SegmenterSettings(), told)

    def dice(item: Item) -> float:
        return float(label_dice(segment(network, item.image), item.labels.astype(np.uint8))[0])

    return dice, float(np.mean([dice(item) for item in material.test if item.labels.any()])), name


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

"""How well instances were found: panoptic quality, aggregated Jaccard index, Dice.

Sources: Kirillov et al. 2019 (arXiv 1801.00868) for PQ, Kumar et al. 2017 (IEEE TMI 36(7), algorithm 1) for AJI.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from medsynth_core.errors import ShapeError

Field = npt.NDArray[np.integer]


@dataclass(frozen=True)
class PanopticQuality:
    """Sum of the IoU of matched pairs, and how many matched, were missed and were made up; fields may be added up."""

    iou_sum: float
    matched: int
    missed: int
    invented: int

    @property
    def value(self) -> float:
        """PQ from 0 to 1; 1 where nothing was to be found and nothing was."""
        return self.iou_sum / weight if (weight := self.matched + (self.missed + self.invented) / 2) else 1.0

    @property
    def segmentation(self) -> float:
        """SQ, the mean IoU of what matched; 0 if nothing did."""
        return self.iou_sum / self.matched if self.matched else 0.0

    def __add__(self, other: PanopticQuality) -> PanopticQuality:
        return PanopticQuality(
            self.iou_sum + other.iou_sum,
            self.matched + other.matched,
            self.missed + other.missed,
            self.invented + other.invented,
        )


def panoptic_quality(found: Field, true: Field) -> PanopticQuality:
    """Compare two instance maps (y, x), 0 = background; a pair matches above an IoU of 0.5, so none matches twice."""
    common, area_true, area_found = _overlaps(found, true)
    iou = common / np.maximum(area_true[:, None] + area_found[None, :] - common, 1)
    hits = iou > 0.5
    matched = int(hits.sum())
    return PanopticQuality(float(iou[hits].sum()), matched, len(area_true) - matched, len(area_found) - matched)


def aggregated_jaccard(found: Field, true: Field) -> float:
    """Return the AJI: each true nucleus with its best match, what is left over on top of the union; 1 for two empty fields."""
    common, area_true, area_found = _overlaps(found, true)
    if not len(area_true) or not len(area_found):
        return float(len(area_true) == len(area_found))
    union = area_true[:, None] + area_found[None, :] - common
    best = np.argmax(common / union, axis=1)
    rows = np.arange(len(area_true))
    alone = common[rows, best] == 0
    used = np.unique(best[~alone])
    below = float(np.where(alone, area_true, union[rows, best]).sum() + np.delete(area_found, used).sum())
    return float(common[rows, best].sum()) / below


def foreground_dice(found: Field, true: Field) -> float:
    """Return the Dice of nuclei against background; 1 for two empty fields."""
    a, b = found > 0, true > 0
    total = int(a.sum() + b.sum())
    return 2 * int((a & b).sum()) / total if total else 1.0


def _overlaps(found: Field, true: Field) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return common pixels (true, found) and the areas of both, of the instances that are there."""
    if found.shape != true.shape:
        raise ShapeError(f"found instances are {found.shape}, true ones {true.shape}: they must match")
    (t_values, t), (f_values, f) = (np.unique(field, return_inverse=True) for field in (true, found))
    table = np.bincount(t.ravel() * len(f_values) + f.ravel(), minlength=len(t_values) * len(f_values))
    table = table.reshape(len(t_values), len(f_values))
    areas_true, areas_found = table.sum(axis=1)[t_values > 0], table.sum(axis=0)[f_values > 0]
    return table[t_values > 0][:, f_values > 0], areas_true, areas_found

"""The rows of a downstream study: what each arm scores, and by how much it is above classic augmentation.

An item's figure is the mean of its seeds. Intervals are percentile bootstraps of 95 %: over items, and over their groups
(patients, sequences), which are fewer and so give wider ones. A difference is paired: item by item, same segmenter and fraction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from medsynth_core.evaluation.bootstrap import Interval, bootstrap
from medsynth_core.studies.arms import CLASSIC
from medsynth_core.studies.downstream import Cell, Findings

HELPS, HARMS, UNCLEAR = "helps", "harms", "makes no clear difference"
FEWEST_SEEDS, FEWEST_GROUPS = 3, 10


@dataclass(frozen=True)
class Estimate:
    """A mean with its interval over items and over groups, × 100."""

    items: Interval
    groups: Interval


@dataclass(frozen=True)
class Row:
    """One arm at one fraction, one figure. `above` is None for the arm that the others are held against, or where it is left out.

    `seeds` are the means over items of each seed, × 100; `above_seeds` what they are above classic augmentation with that seed.
    """

    segmenter: str
    percent: int
    arm: str
    title: str
    figure: str
    real: int
    made: int
    mean: Estimate
    above: Estimate | None
    seeds: tuple[float, ...]
    above_seeds: tuple[float, ...]
    measured_groups: int

    @property
    def verdict(self) -> str:
        """Whether synthetic data helps: said only where both intervals are clear of zero and every seed agrees, of three seeds
        and ten groups at least: of fewer, an interval says little."""
        assert self.above is not None
        if len(self.seeds) < FEWEST_SEEDS or self.measured_groups < FEWEST_GROUPS:
            return UNCLEAR
        over, groups = self.above.items, self.above.groups
        if min(over.low, groups.low, *self.above_seeds) > 0:
            return HELPS
        return HARMS if max(over.high, groups.high, *self.above_seeds) < 0 else UNCLEAR


def rows_of(found: Findings) -> tuple[Row, ...]:
    """Return the rows of all cells and figures, in the order of the plan."""
    return tuple(_row(found, cell, k) for cell in found.scores for k in range(len(found.figures)))


def _row(found: Findings, cell: Cell, k: int) -> Row:
    mine = 100 * found.scores[cell][..., k]  # (seeds, items)
    beside = found.scores.get(Cell(cell.segmenter, cell.percent, CLASSIC))
    apart = None if beside is None or cell.arm == CLASSIC else mine - 100 * beside[..., k]
    real = found.real[cell.percent]
    return Row(
        cell.segmenter,
        cell.percent,
        cell.arm.key,
        cell.arm.title,
        found.figures[k],
        real if cell.arm.real else 0,
        cell.arm.made(real),
        _estimate(mine.mean(axis=0), found.groups),
        None if apart is None else _estimate(apart.mean(axis=0), found.groups),
        _by_seed(mine),
        () if apart is None else _by_seed(apart),
        len(set(found.groups)),
    )


def _by_seed(values: np.ndarray) -> tuple[float, ...]:
    return tuple(round(float(v), 3) for v in values.mean(axis=1))


def _estimate(values: np.ndarray, groups: Sequence[str]) -> Estimate:
    apart = [str(i) for i in range(len(values))]
    return Estimate(bootstrap(values.tolist(), apart), bootstrap(values.tolist(), groups))

"""Both sides of a training folder: one rule for all engines, so that what one model holds out teaches no other."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from medsynth_core.training.duplicates import group_near_duplicates
from medsynth_core.training.pairs import HELD_OUT_PERCENT, Columns, Pair, read_pairs, split, without_duplicates

TUNING_PERCENT = 5
SIDES = ("training", "tuning", "held out")


@dataclass(frozen=True)
class Sides:
    """The pairs to learn from and those held out; whole groups on one side, no image twice."""

    training: tuple[Pair, ...]
    validation: tuple[Pair, ...]

    @property
    def pairs(self) -> tuple[Pair, ...]:
        """All pairs, those to learn from first."""
        return self.training + self.validation

    @property
    def counted(self) -> str:
        """How many pairs each side has, as a model's card says it."""
        return f"{len(self.training)} pairs, {len(self.validation)} held out"


def read_sides(folder: Path, columns: Columns) -> Sides:
    """Return both sides of a training folder; without a group column, look-alikes form the groups.

    A folder so small that its every group would be held out is learned from whole. Raises TrainingDataError with all offenders.
    """
    pairs = without_duplicates(read_pairs(folder, columns))
    grouped = pairs if columns.group else group_near_duplicates(pairs)
    training, validation = split(grouped)
    return Sides(training, validation) if training else Sides(grouped, ())


def side_of(group: str) -> str:
    """Return the side of the split a group is on: decided by its name alone, so it never changes.

    Held out: sha256 below 15 of 100, for figures only. Tuning: 15 to 19, for choosing settings. Training: the rest.
    """
    place = int(hashlib.sha256(group.encode()).hexdigest()[:8], 16) % 100
    if place < HELD_OUT_PERCENT:
        return SIDES[2]
    return SIDES[1] if place < HELD_OUT_PERCENT + TUNING_PERCENT else SIDES[0]

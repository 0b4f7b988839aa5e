"""The three sides of a training folder: one rule for all engines, so that what one model holds out teaches no other.

Training: learned from. Tuning: which of the states of a training is best, and settings; never learned from, never reported on.
Held out: for figures only; a training does not look at it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from medsynth_core.errors import TrainingDataError
from medsynth_core.training.duplicates import group_near_duplicates
from medsynth_core.training.pairs import HELD_OUT_PERCENT, Columns, Pair, read_pairs, without_duplicates

TUNING_PERCENT = 5
SIDES = ("training", "tuning", "held out")
FEWEST_TO_LEND = 5
"""Groups from which on a training side without a tuning side lends some to it."""

CaseT = TypeVar("CaseT")


@dataclass(frozen=True)
class Sides(Generic[CaseT]):
    """The cases to learn from, to choose by, and those held out; whole groups on one side."""

    training: tuple[CaseT, ...]
    tuning: tuple[CaseT, ...] = ()
    held_out: tuple[CaseT, ...] = ()

    @property
    def seen(self) -> tuple[CaseT, ...]:
        """All cases that a training looks at, those to learn from first."""
        return self.training + self.tuning

    @property
    def count(self) -> int:
        """How many cases there are on all sides."""
        return len(self.seen) + len(self.held_out)

    @property
    def counted(self) -> str:
        """How many pairs each side has, as a model's card says it."""
        return f"{len(self.training)} pairs, {len(self.tuning)} to choose by, {len(self.held_out)} held out"


def read_sides(folder: Path, columns: Columns) -> Sides[Pair]:
    """Return the sides of a training folder, no image twice; without a group column, look-alikes form the groups.

    Raises TrainingDataError with all offenders.
    """
    pairs = without_duplicates(read_pairs(folder, columns))
    return parted(pairs if columns.group else group_near_duplicates(pairs), lambda pair: pair.group)


def parted(cases: Iterable[CaseT], group_of: Callable[[CaseT], str]) -> Sides[CaseT]:
    """Return the cases by the side of their group.

    Few cases may leave a side empty. Without a tuning side, the training groups next to it lend a twentieth, one at least, where
    five or more are there. A folder whose every group would be tuning or held out is learned from, the held-out ones last.
    """
    on: dict[str, list[CaseT]] = {side: [] for side in SIDES}
    for case in cases:
        on[side_of(group_of(case))].append(case)
    training, tuning, held_out = (on[side] for side in SIDES)
    if not training:
        return Sides(tuple(tuning), (), tuple(held_out)) if tuning else Sides(tuple(held_out))
    lent = set() if tuning else _lent({group_of(case) for case in training})
    learned = tuple(case for case in training if group_of(case) not in lent)
    chosen_by = (*tuning, *(case for case in training if group_of(case) in lent))
    return Sides(learned, chosen_by, tuple(held_out))


def only(sides: Sides[CaseT], items: Sequence[str], name_of: Callable[[CaseT], str]) -> Sides[CaseT]:
    """Return the sides with the training cases named and no tuning side, so that no other label has a say; no names: as they are.

    Raises TrainingDataError naming those that are not on the training side.
    """
    if not items:
        return sides
    there = {name_of(case) for case in sides.training}
    if lost := [name for name in items if name not in there]:
        raise TrainingDataError(f"{len(lost)} of {len(items)} items are not on the training side: remove them", tuple(lost))
    wanted = set(items)
    return Sides(tuple(case for case in sides.training if name_of(case) in wanted), (), sides.held_out)


def side_of(group: str) -> str:
    """Return the side of the split a group is on: decided by its name alone, so it never changes.

    Held out: sha256 below 15 of 100, for figures only. Tuning: 15 to 19, for choosing settings. Training: the rest.
    """
    place = _number(group) % 100
    if place < HELD_OUT_PERCENT:
        return SIDES[2]
    return SIDES[1] if place < HELD_OUT_PERCENT + TUNING_PERCENT else SIDES[0]


def _lent(groups: set[str]) -> set[str]:
    if len(groups) < FEWEST_TO_LEND:
        return set()
    in_order = sorted(groups, key=lambda group: (_number(group) % 100, group))
    return set(in_order[: max(1, len(groups) * TUNING_PERCENT // 100)])


def _number(group: str) -> int:
    return int(hashlib.sha256(group.encode()).hexdigest()[:8], 16)

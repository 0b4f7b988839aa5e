"""Held-out images that a model has met none of: what a figure of it may be measured on.

The models of brain slices that ship were trained before the rule of the split knew mirror images, so some of what it holds out
today has taught them.
"""

from __future__ import annotations

from pathlib import Path

from medsynth_core.studies.marks import starter_marks
from medsynth_core.training.guard import unmet
from medsynth_core.training.ledger import read_ledger
from medsynth_core.training.pairs import Pair


def unmet_pairs(model: Path | None, pairs: tuple[Pair, ...]) -> tuple[Pair, ...]:
    """Return the pairs of groups that the model of a folder has not met, by its record; all where there is no record or model."""
    ledger = read_ledger(model) if model else None
    return pairs if ledger is None else unmet(ledger, pairs, starter_marks(pairs), lambda pair: pair.group)

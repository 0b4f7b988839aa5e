"""What the real items of a study are known by, as the ledgers of models keep it (training/ledger.py)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from medsynth_core.formats import read
from medsynth_core.training.ledger import Mark, mark_of
from medsynth_core.training.likeness import likeness_of
from medsynth_core.training.nuclei_sets import said_group
from medsynth_core.training.pairs import Pair, grey_or_color


def by_name(marks: Iterable[Mark]) -> dict[str, Mark]:
    """Return marks by the names of their cases."""
    return {mark.name: mark for mark in marks}


def starter_marks(pairs: Sequence[Pair]) -> tuple[Mark, ...]:
    """Return what tiles of the public nuclei sets are known by, with their groups as those sets say them."""
    return tuple(
        mark_of(pair.stem, said_group(pair), likeness_of(read(pair.image).array, grey_or_color(pair.image))) for pair in pairs
    )

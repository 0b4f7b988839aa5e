"""What the real items of a study are known by, as the ledgers of models keep it (training/ledger.py)."""

from __future__ import annotations

from collections.abc import Iterable

from medsynth_core.formats import read
from medsynth_core.training.ledger import Mark, mark_of
from medsynth_core.training.likeness import likeness_of
from medsynth_core.training.pairs import Columns, Pair, grey_or_color


def pair_marks(pairs: Iterable[Pair], columns: Columns | None) -> dict[str, Mark]:
    """Return the mark of each pair by its name; the group is named with its column, and left out where it is only a look."""
    column = columns.group if columns else ""
    return {pair.stem: _mark(pair, f"{column} {pair.group}" if column else "") for pair in pairs}


def _mark(pair: Pair, group: str) -> Mark:
    return mark_of(pair.stem, group, likeness_of(read(pair.image).array, grey_or_color(pair.image)))

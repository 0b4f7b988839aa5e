"""Which real items each fraction of the downstream study has: whole groups, and 10 % within 20 % within 50 % within all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate

import numpy as np

from medsynth_core.errors import ParameterError

ALL_PERCENT = 100


def nested(groups: Mapping[str, str], percents: Sequence[int], seed: int = 0) -> dict[int, tuple[str, ...]]:
    """Return the items of each percentage, sorted; `groups` has the group of each item by its name.

    Groups stand in an order that the seed draws; a fraction is as many of the first as come nearest to its share of the items,
    one at least. Raises ParameterError for a percentage out of 1 to 100.
    """
    if wrong := [percent for percent in percents if not 1 <= percent <= ALL_PERCENT]:
        raise ParameterError(f"fraction is {wrong[0]} %: it must lie between 1 and {ALL_PERCENT}")
    order = _drawn(sorted(set(groups.values())), seed)
    members: dict[str, list[str]] = {group: [] for group in order}
    for name, group in groups.items():
        members[group].append(name)
    counts = np.array(list(accumulate(len(members[group]) for group in order)))
    return {percent: tuple(sorted(_first(members, order, counts, percent))) for percent in percents}


def _first(members: Mapping[str, list[str]], order: Sequence[str], counts: np.ndarray, percent: int) -> list[str]:
    wanted = counts[-1] * percent / ALL_PERCENT
    taken = len(order) if percent == ALL_PERCENT else int(np.abs(counts - wanted).argmin()) + 1
    return [name for group in order[:taken] for name in members[group]]


def _drawn(groups: Sequence[str], seed: int) -> list[str]:
    return [groups[int(i)] for i in np.random.default_rng(seed).permutation(len(groups))]

"""Which cases the samples of a training are of."""

from __future__ import annotations

import pytest

from medsynth_core.training.curves import samples_shown


@pytest.mark.parametrize(("count", "most"), [(1, 8), (3, 8), (8, 8), (9, 8), (100, 8), (64, 4)])
def test_a_strip_shows_as_many_cases_as_there_are_from_the_first_to_the_last_and_none_twice(count: int, most: int) -> None:
    rows = samples_shown(count, most).tolist()
    assert len(rows) == len(set(rows)) == min(count, most)
    assert (rows[0], rows[-1]) == (0, count - 1)

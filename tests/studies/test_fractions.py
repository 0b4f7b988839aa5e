"""Fractions hold whole groups, lie within each other, and are the same for the same seed."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medsynth_core.errors import ParameterError
from medsynth_core.studies.fractions import nested

PERCENTS = (10, 20, 50, 100)
groupings = st.dictionaries(st.text(min_size=1, max_size=6), st.sampled_from([f"group {i}" for i in range(9)]), min_size=1)


@given(groupings, st.integers(0, 5))
def test_no_group_is_torn_and_each_fraction_holds_the_smaller_ones(groups: dict[str, str], seed: int) -> None:
    found = nested(groups, PERCENTS, seed)
    for chosen in found.values():
        inside = {groups[name] for name in chosen}
        assert chosen
        assert set(chosen) == {name for name, group in groups.items() if group in inside}
    for small, large in pairwise(PERCENTS):
        assert set(found[small]) <= set(found[large])
    assert set(found[100]) == set(groups)


@given(groupings, st.randoms(use_true_random=False))
def test_the_order_in_which_items_are_listed_decides_nothing(groups: dict[str, str], random: object) -> None:
    names = list(groups)
    random.shuffle(names)  # type: ignore[attr-defined]
    assert nested(groups, PERCENTS) == nested({name: groups[name] for name in names}, PERCENTS)


def test_a_share_is_met_as_nearly_as_whole_groups_allow() -> None:
    groups = {f"{g}-{i}": f"group {g}" for g in range(50) for i in range(2)}
    assert [len(chosen) for chosen in nested(groups, PERCENTS).values()] == [10, 20, 50, 100]


def test_another_seed_draws_other_groups() -> None:
    groups = {str(i): str(i) for i in range(100)}
    assert nested(groups, (10,), 0) != nested(groups, (10,), 1)


@pytest.mark.parametrize("percent", [0, 101, -5])
def test_a_percentage_out_of_range_is_refused(percent: int) -> None:
    with pytest.raises(ParameterError, match=f"fraction is {percent} %"):
        nested({"a": "a"}, (percent,))

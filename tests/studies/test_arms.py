"""Arms are named as the protocol names them, and take what their names say."""

from __future__ import annotations

import pytest

from medsynth_core.errors import ParameterError
from medsynth_core.studies.arms import ARMS, arm_of


def test_the_protocol_has_six_arms_with_titles_of_their_own() -> None:
    assert [arm.key for arm in ARMS] == ["real", "classic", "x0.5", "x1", "x2", "only"]
    assert len({arm.title for arm in ARMS}) == len(ARMS)
    assert [arm_of(arm.key) for arm in ARMS] == list(ARMS)


@pytest.mark.parametrize(
    ("key", "count"), [("real", 0), ("classic", 0), ("x0.5", 4), ("x1", 7), ("x2", 14), ("only", 14), ("x0.01", 1)]
)
def test_synthetic_pairs_are_counted_by_the_real_ones(key: str, count: int) -> None:
    assert arm_of(key).made(7) == count


def test_only_the_synthetic_arm_has_no_real_items_and_only_the_plain_one_no_augmentation() -> None:
    assert [arm.key for arm in ARMS if not arm.real] == ["only"]
    assert [arm.key for arm in ARMS if not arm.classic] == ["real"]


@pytest.mark.parametrize("key", ["", "x", "x0", "x21", "x-1", "x1e3", "half", "xnan"])
def test_an_unknown_arm_is_refused_with_those_there_are(key: str) -> None:
    with pytest.raises(ParameterError, match=r"real, classic, x0\.5, x1, x2, only"):
        arm_of(key)


@pytest.mark.parametrize(("key", "times"), [("real", 1), ("x0.5", 1), ("x1", 1), ("x2", 2), ("x8", 8), ("only", 1)])
def test_real_items_fill_half_a_batch_where_synthetic_ones_outnumber_them(key: str, times: int) -> None:
    arm = arm_of(key)
    assert arm.repeats == times
    if arm.real and arm.times > 1:
        assert arm.repeats * 10 == arm.made(10)

"""Asked beside got, on bodies whose answer is known beforehand."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medsynth_core.engines.tumor.shape import measure
from medsynth_core.errors import InputError
from medsynth_core.evaluation.asked_got import Sweep, agreement, box_iou, rank_correlation, summarize

Triple = tuple[float, float, float]


@dataclass(frozen=True)
class Numbers:
    volume_ml: float = 40.0
    sphericity: float = 0.7
    center_mm: Triple = (10.0, -20.0, 5.0)
    extent_mm: Triple = (40.0, 50.0, 45.0)


def ball(radius_mm: float, center: Triple = (0, 0, 0)) -> np.ndarray:
    z, y, x = (np.arange(48) - 23.5 for _ in range(3))
    return (x - center[0]) ** 2 + (y[:, None] - center[1]) ** 2 + (z[:, None, None] - center[2]) ** 2 <= radius_mm**2


def test_what_was_asked_agrees_with_itself() -> None:
    found = agreement(Numbers(), Numbers())
    assert (found.volume_error, found.center_error_mm, found.extent_iou, found.sphericity_error) == (0, 0, 1, 0)


def test_a_volume_twice_as_large_is_off_by_all_of_it() -> None:
    assert agreement(Numbers(), replace(Numbers(), volume_ml=80.0)).volume_error == 1
    assert agreement(Numbers(), replace(Numbers(), volume_ml=30.0)).volume_error == 0.25


def test_the_center_error_is_a_distance() -> None:
    assert agreement(Numbers(), replace(Numbers(), center_mm=(13.0, -24.0, 5.0))).center_error_mm == 5


def test_boxes_that_overlap_by_half_and_boxes_that_do_not() -> None:
    half = replace(Numbers(), center_mm=(30.0, -20.0, 5.0))
    assert box_iou(Numbers(), half) == pytest.approx(1 / 3)
    assert box_iou(Numbers(), replace(Numbers(), center_mm=(60.0, -20.0, 5.0))) == 0


@given(st.tuples(*[st.floats(-50, 50)] * 3), st.tuples(*[st.floats(1, 90)] * 3))
def test_the_iou_of_boxes_is_symmetric_and_between_0_and_1(center: Triple, extent: Triple) -> None:
    other = Numbers(center_mm=center, extent_mm=extent)
    assert box_iou(Numbers(), other) == pytest.approx(box_iou(other, Numbers()))
    assert 0 <= box_iou(Numbers(), other) <= 1


def test_a_measured_ball_meets_its_own_request() -> None:
    asked = Numbers(4 / 3 * math.pi * 1.5**3, 1.0, (3.0, -2.0, 4.0), (30.0, 30.0, 30.0))
    found = agreement(asked, measure(ball(15, (3, -2, 4)), (1, 1, 1)))
    assert found.volume_error < 0.02
    assert found.center_error_mm < 0.2
    assert found.extent_iou > 0.93
    assert found.sphericity_error < 0.05


def test_a_tumor_that_never_came_is_counted_not_left_out() -> None:
    found = agreement(Numbers(), None)
    assert (found.got_ml, found.volume_error, found.extent_iou) == (0, 1, 0)
    assert math.isinf(found.center_error_mm)
    met = [agreement(Numbers(volume_ml=v), Numbers(volume_ml=v)) for v in (10.0, 20.0, 30.0)]
    assert summarize([*met, found]).missing == 1
    assert summarize([*met, found]).center_error_mm == 0
    assert math.isinf(summarize([met[0], found, found]).center_error_mm)


def test_a_summary_is_of_medians_and_ranks() -> None:
    pairs = [(10, 12), (20, 22), (30, 60), (40, 41)]
    found = summarize([agreement(Numbers(volume_ml=a), Numbers(volume_ml=g)) for a, g in pairs])
    assert found.requests == 4
    assert found.volume_error == pytest.approx((0.1 + 0.2) / 2)
    assert found.volume_rank == pytest.approx(0.8)  # 60 and 41 change places


def test_no_request_has_no_median() -> None:
    with pytest.raises(InputError, match="no request"):
        summarize([])


def test_a_knob_that_works_is_monotone() -> None:
    sweep = Sweep("volume", (10, 20, 30, 40, 50), ((9, 11), (21, 18), (28, 33), (41, 42), (55, 47)))
    assert sweep.monotone
    assert sweep.rank > 0.95
    assert sweep.means == (10, 19.5, 30.5, 41.5, 51)


def test_a_knob_that_falls_back_once_or_does_nothing_is_not_monotone() -> None:
    assert not Sweep("x", (1, 2, 3), ((1,), (3,), (2,))).monotone
    assert not Sweep("x", (1, 2, 3), ((5,), (5,), (6,))).monotone
    dead = Sweep("x", (1, 2, 3), ((5,), (5,), (5,)))
    assert not dead.monotone
    assert math.isnan(dead.rank)


def test_a_knob_that_turns_the_other_way_is_not_monotone() -> None:
    backwards = Sweep("x", (1, 2, 3), ((3,), (2,), (1,)))
    assert not backwards.monotone
    assert backwards.rank == pytest.approx(-1)


@given(st.lists(st.integers(-100, 100), min_size=3, max_size=8, unique=True))
def test_ranks_do_not_care_for_scale(values: list[float]) -> None:
    assert rank_correlation(values, [v**3 for v in values]) == pytest.approx(1)

"""Uncertainty against error, on maps that tell the truth by construction and on maps that lie."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medsynth_core.errors import InputError, ShapeError
from medsynth_core.evaluation.calibration import (
    confidence_of,
    error_concentration,
    expected_calibration_error,
    uncertainty_error_correlation,
)


def honest(n: int = 200_000, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities of an honest network as uint8 uncertainty, and whether its answer was wrong."""
    rng = np.random.default_rng(seed)
    p = rng.uniform(0, 1, n)
    wrong = rng.random(n) < np.minimum(p, 1 - p)
    return np.rint(255 * (1 - np.abs(2 * p - 1))).astype(np.uint8), wrong


def test_confidence_from_bytes_and_from_shares() -> None:
    assert confidence_of(np.array([0, 255], np.uint8)).tolist() == [1.0, 0.5]
    assert confidence_of(np.array([0.0, 0.5, 1.0])).tolist() == [1.0, 0.75, 0.5]
    with pytest.raises(InputError, match="uint8"):
        confidence_of(np.array([300], np.uint16))


def test_an_honest_map_is_calibrated() -> None:
    uncertainty, wrong = honest()
    assert expected_calibration_error(confidence_of(uncertainty), ~wrong) < 0.005


def test_a_boaster_is_found_out_by_as_much_as_he_boasts() -> None:
    _, wrong = honest()
    assert expected_calibration_error(np.ones(len(wrong)), ~wrong) == pytest.approx(wrong.mean())


def test_ece_agrees_with_the_formula_written_out() -> None:
    confidence, correct = np.array([0.55, 0.58, 0.9, 0.92, 1.0]), np.array([1, 0, 1, 1, 0], bool)
    groups = [[0, 1], [2, 3], [4]]  # bins of width 0.05 from 0.5, the last closed
    by_hand = sum(len(g) / 5 * abs(correct[g].mean() - confidence[g].mean()) for g in groups)
    assert expected_calibration_error(confidence, correct) == pytest.approx(by_hand)


def test_correlation_knows_truth_chance_and_the_reverse() -> None:
    wrong = np.arange(100) % 4 == 0
    assert uncertainty_error_correlation(wrong * 1.0, wrong) == pytest.approx(1)
    assert uncertainty_error_correlation(1.0 - wrong, wrong) == pytest.approx(-1)
    shuffled = np.random.default_rng(0).permutation(10_000) % 256
    assert abs(uncertainty_error_correlation(shuffled, np.arange(10_000) % 4 == 0)) < 0.05


def test_a_map_that_says_nothing_correlates_with_nothing() -> None:
    assert uncertainty_error_correlation(np.full(9, 7), np.arange(9) % 2 == 0) == 0
    assert uncertainty_error_correlation(np.arange(9), np.zeros(9, bool)) == 0


def test_all_errors_among_the_most_uncertain_tenth_is_ten_times_the_base_rate() -> None:
    uncertainty = np.arange(1000)
    assert error_concentration(uncertainty, uncertainty >= 950) == pytest.approx(10)
    assert error_concentration(uncertainty, uncertainty < 50) == 0


def test_ties_at_the_limit_count_in_part() -> None:
    wrong = np.arange(1000) % 7 == 0
    assert error_concentration(np.full(1000, 3), wrong) == pytest.approx(1)
    rare = np.zeros(1000)
    rare[:50] = 1  # 50 sure finds, the other 50 of the tenth drawn from the rest
    assert error_concentration(rare, rare == 1) == pytest.approx(10)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=20)
def test_the_order_of_the_pixels_does_not_matter(seed: int) -> None:
    rng = np.random.default_rng(seed)
    u, wrong, order = rng.integers(0, 5, 200), rng.random(200) < 0.3, rng.permutation(200)
    for figure in (error_concentration, uncertainty_error_correlation):
        assert figure(u, wrong) == pytest.approx(figure(u[order], wrong[order]))


def test_without_an_error_there_is_nothing_to_find() -> None:
    assert np.isnan(error_concentration(np.arange(9), np.zeros(9, bool)))


def test_maps_that_do_not_fit_are_refused() -> None:
    for figure in (expected_calibration_error, uncertainty_error_correlation, error_concentration):
        with pytest.raises(ShapeError):
            figure(np.ones((2, 3)), np.ones((3, 2)))
        with pytest.raises(InputError, match="no pixel"):
            figure(np.ones(0), np.ones(0))

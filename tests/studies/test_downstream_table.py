"""The table of a study: means, intervals that scipy gives too, and words that are only said when they hold."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from medsynth_core.evaluation.bootstrap import bootstrap
from medsynth_core.studies.arms import ARMS, CLASSIC, REAL, arm_of
from medsynth_core.studies.downstream import Cell, Findings
from medsynth_core.studies.downstream_page import answers
from medsynth_core.studies.table import HARMS, HELPS, UNCLEAR, Row, rows_of

ITEMS, SEEDS = 60, 3


def found(gains: dict[str, float], noise: float = 0.02, group: int = 2) -> Findings:
    """A study of 60 items in groups, in which arms are better than classic augmentation by a gain and all are noisy."""
    rng = np.random.default_rng(0)
    hard = rng.uniform(0.3, 0.8, (1, ITEMS, 1))  # items differ far more than arms: only pairing sees a small gain
    arms = [arm for arm in ARMS if arm in (REAL, CLASSIC) or arm.key in gains]
    scores = {
        Cell("ours", 10, arm): hard + gains.get(arm.key, 0.0) + noise * rng.standard_normal((SEEDS, ITEMS, 1)) for arm in arms
    }
    groups = tuple(f"group {i // group}" for i in range(ITEMS))
    return Findings(("dice",), scores, groups, {10: ("a",)}, {10: 80}, {}, 5, 1.0, 1.0)


def row(findings: Findings, key: str) -> Row:
    return next(one for one in rows_of(findings) if one.arm == key)


@pytest.mark.parametrize("scale", [0.01, 0.2])
def test_the_interval_is_the_one_that_scipy_gives(scale: float) -> None:
    values = np.random.default_rng(3).gamma(2.0, scale, 80)
    ours = bootstrap(values.tolist(), [str(i) for i in range(80)])
    theirs = stats.bootstrap((values,), np.mean, n_resamples=20_000, method="percentile", rng=np.random.default_rng(0))
    width = theirs.confidence_interval.high - theirs.confidence_interval.low
    assert ours.mean == pytest.approx(values.mean())
    assert ours.low == pytest.approx(theirs.confidence_interval.low, abs=0.06 * width)
    assert ours.high == pytest.approx(theirs.confidence_interval.high, abs=0.06 * width)


def test_an_item_that_is_alike_in_every_seed_counts_once() -> None:
    one = found({"x1": 0.1}, noise=0.0)
    assert row(one, "x1").above is not None
    assert row(one, "x1").above.items.mean == pytest.approx(10.0)
    assert row(one, "x1").above.items.high == pytest.approx(10.0)
    wide = row(one, "classic").mean.items
    apart = 100 * one.scores[Cell("ours", 10, CLASSIC)].mean(axis=0)[:, 0]
    assert wide == bootstrap(apart.tolist(), [str(i) for i in range(ITEMS)])


def test_groups_that_agree_make_the_interval_over_them_wider() -> None:
    findings = found({"x1": 0.0}, group=10)
    shift = np.repeat(np.random.default_rng(1).normal(0, 0.1, ITEMS // 10), 10)[None, :, None]
    findings.scores[Cell("ours", 10, arm_of("x1"))] += shift
    above = row(findings, "x1").above
    assert above is not None
    assert above.groups.high - above.groups.low > 1.5 * (above.items.high - above.items.low)


def test_classic_augmentation_is_what_the_others_are_held_against() -> None:
    findings = found({"x1": 0.05})
    assert row(findings, "classic").above is None
    assert row(findings, "real").above is not None
    assert (row(findings, "classic").real, row(findings, "classic").made) == (80, 0)
    assert (row(findings, "x1").real, row(findings, "x1").made) == (80, 80)


@pytest.mark.parametrize(("gain", "verdict"), [(0.05, HELPS), (-0.05, HARMS), (0.0, UNCLEAR)])
def test_a_verdict_follows_the_gain(gain: float, verdict: str) -> None:
    assert row(found({"x1": gain}), "x1").verdict == verdict


def test_of_few_groups_or_seeds_nothing_is_said() -> None:
    findings = found({"x1": 0.05}, group=10)
    assert len(set(findings.groups)) == 6
    assert row(findings, "x1").verdict == UNCLEAR
    findings = found({"x1": 0.05})
    two = {cell: scores[:2] for cell, scores in findings.scores.items()}
    assert row(replace(findings, scores=two), "x1").verdict == UNCLEAR


def test_one_lucky_seed_is_no_help() -> None:
    findings = found({"x1": 0.0})
    findings.scores[Cell("ours", 10, arm_of("x1"))][0] += 0.3
    lucky = row(findings, "x1")
    assert lucky.above is not None
    assert lucky.above.items.low > 0
    assert min(lucky.above_seeds) < 1
    findings.scores[Cell("ours", 10, arm_of("x1"))][1] -= 0.05
    assert row(findings, "x1").verdict == UNCLEAR


def test_the_answer_names_the_best_amount_and_says_it_was_chosen() -> None:
    (told,) = answers(rows_of(found({"x0.5": 0.02, "x1": 0.06, "x2": 0.04})))
    assert "synthetic data helps" in told
    assert "Real + classic + synthetic ×1 is 6." in told
    assert "Dice above real + classic (+" in told
    assert "the best of 3 amounts" in told


def test_a_loss_is_called_one() -> None:
    (told,) = answers(rows_of(found({"x1": -0.06})))
    assert "synthetic data harms" in told
    assert "Dice below real + classic (−" in told


def test_synthetic_items_alone_are_no_answer_to_whether_they_help_beside_real_ones() -> None:
    (told,) = answers(rows_of(found({"x1": 0.0, "only": 0.3})))
    assert "only" not in told


def test_without_synthetic_arms_there_is_no_answer() -> None:
    assert answers(rows_of(found({}))) == []

"""The badge: what the card has no threshold for is not judged, and a possible copy outweighs all."""

from __future__ import annotations

import json

import pytest

from medsynth_core.quality import Badge, Grade, Thresholds

CARD = Thresholds(adherence=0.5, intensity=(10, 240), likeness=0.8)


@pytest.mark.parametrize(
    ("adherence", "range_", "likeness", "grade"),
    [
        (0.7, (20, 200), 0.3, Grade.GOOD),
        (0.5, (10, 240), 0.8, Grade.GOOD),
        (0.4, (20, 200), 0.3, Grade.LOOK),
        (0.7, (5, 200), 0.3, Grade.LOOK),
        (0.7, (20, 250), 0.3, Grade.LOOK),
        (0.4, (5, 250), 0.9, Grade.COPY),
        (0.7, None, None, Grade.GOOD),
        (float("nan"), None, None, Grade.UNKNOWN),
    ],
)
def test_the_worst_measure_gives_the_grade(
    adherence: float, range_: tuple[float, float] | None, likeness: float | None, grade: Grade
) -> None:
    assert Badge.of(CARD, adherence, range_, likeness).grade is grade


def test_a_card_without_thresholds_judges_nothing() -> None:
    badge = Badge.of(Thresholds(), 0.1, (0, 255), 0.99)
    assert badge.grade is Grade.UNKNOWN
    assert all("not judged" in sentence for sentence in badge.sentences)


def test_the_record_fits_a_recipe_and_says_value_and_threshold() -> None:
    record = json.loads(json.dumps(Badge.of(CARD, 0.4, (20, 200), 0.9).record()))
    assert record["grade"] == "may be a copy"
    assert "0.40" in record["adherence"]["says"]
    assert "0.50" in record["adherence"]["says"]
    assert record["intensity"]["grade"] == "good"

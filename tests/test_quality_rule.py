"""The badge: what the card has no threshold for is not judged, and a possible copy outweighs all."""

from __future__ import annotations

import json
from dataclasses import replace

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


def test_below_twenty_real_images_the_sentence_says_that_it_means_all_of_them() -> None:
    few, many = (Badge.of(replace(CARD, count=count), 0.7, (20, 200), 0.3).sentences for count in (7, 20))
    assert "all of 7 real images reach 0.50" in few[0]
    assert "95 % of real images reach 0.50" in many[0]


def test_of_several_parts_each_measure_is_that_of_its_worst_part() -> None:
    parts = [Badge.of(CARD, 0.7, (20, 200), 0.3), Badge.of(CARD, 0.4, (20, 200), 0.3), Badge.of(CARD, 0.3, None, 0.9)]
    badge = Badge.worst(parts)
    assert [verdict.grade for verdict in badge.verdicts] == [Grade.LOOK, Grade.GOOD, Grade.COPY]
    assert badge.sentences[0].startswith("2 of 3 tiles, first tile 2: ")
    assert "0.40" in badge.sentences[0]
    assert Badge.worst(parts[:1]) == parts[0]


@pytest.mark.parametrize(
    ("strangeness", "threshold", "grade"),
    [(1.0, 1.5, Grade.GOOD), (1.6, 1.5, Grade.LOOK), (None, 1.5, Grade.UNKNOWN), (1.0, None, Grade.UNKNOWN)],
)
def test_a_result_drawn_on_an_image_is_judged_by_that_image(
    strangeness: float | None, threshold: float | None, grade: Grade
) -> None:
    badge = Badge.of_input(Thresholds(strangeness=threshold), strangeness)
    assert badge.grade is grade
    assert badge.may_be_a_copy is None
    assert Badge.of_recipe({"quality": badge.record()}) == badge


@pytest.mark.parametrize("record", [None, {}, [], {"grade": "good"}, {"adherence": {"grade": "splendid", "says": "?"}}])
def test_what_is_no_badge_is_none(record: object) -> None:
    assert Badge.of_recipe({"quality": record}) is None

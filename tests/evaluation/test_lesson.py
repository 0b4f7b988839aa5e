"""The time left of a lesson follows from its own steps, whatever was learned before."""

from __future__ import annotations

import pytest

from medsynth_core.evaluation import lesson
from medsynth_core.evaluation.lesson import LessonStep, TimeLeft


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that shows its only entry."""
    shown = [0.0]
    monkeypatch.setattr(lesson.time, "monotonic", lambda: shown[0])
    return shown


def left(told: TimeLeft, clock: list[float], network: str, seconds: dict[int, float], steps: int = 10) -> list[float | None]:
    found = []
    for step, now in seconds.items():
        clock[0] = now
        found.append(told(LessonStep(network, step, steps, 0.5)))
    return found


def test_the_time_left_shrinks_to_nothing(clock: list[float]) -> None:
    assert left(TimeLeft(), clock, "segmenter", {1: 100, 2: 102, 6: 110, 10: 118}) == [None, 16, 8, 0]


def test_another_network_is_timed_by_itself_and_so_is_a_lesson_that_begins_again(clock: list[float]) -> None:
    told = TimeLeft()
    left(told, clock, "segmenter", {1: 0, 2: 100})
    assert left(told, clock, "copies", {1: 200, 2: 201}) == [None, 8]
    assert left(told, clock, "copies", {1: 300, 3: 301}) == [None, 3.5]

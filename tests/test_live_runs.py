"""The runs of live mode: one at a time, the newest wins, and what goes wrong is said."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, cast

from medsynth_core.errors import InputError, MedSynthError
from medsynth_core.live import SETTLE_S, Quality
from medsynth_core.live_runs import SHOWN, LiveRuns
from medsynth_core.run import Ending, Made, Run

MADE = Made(0, {}, {}, "job", 0.1)


class FakeRun:
    """A run that only remembers whether it was cancelled."""

    def __init__(self) -> None:
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


@dataclass
class Theater:
    """A stage without a viewer, with a clock of its own."""

    now: float = 0.0
    problem: MedSynthError | None = None
    asked: list[tuple[Quality, Any]] = field(default_factory=list)
    shown: list[str] = field(default_factory=list)
    said: list[tuple[str, str]] = field(default_factory=list)
    woken: list[float] = field(default_factory=list)

    def make(self, quality: Quality) -> tuple[str, Run]:
        if self.problem is not None:
            raise self.problem
        self.asked.append((quality, FakeRun()))
        return f"subject {len(self.asked)}", cast(Run, self.asked[-1][1])

    def present(self, made: Made, subject: str) -> None:
        self.shown.append(subject)

    def tell(self, text: str, detail: str = "") -> None:
        self.said.append((text, detail))

    def wake(self, seconds: float) -> None:
        self.woken.append(seconds)


def begun() -> tuple[LiveRuns[str], Theater]:
    theater = Theater()
    runs: LiveRuns[str] = LiveRuns(theater, lambda: theater.now)
    runs.look("slice 1", "stroke 1", first=True)
    return runs, theater


def test_a_draft_comes_first_and_the_full_quality_after_a_pause() -> None:
    runs, theater = begun()
    theater.now = 0.2
    runs.made(theater.asked[0][1], MADE)
    assert theater.shown == ["subject 1"]
    assert theater.said[-1] == ("draft · 0.2 s", SHOWN)
    assert theater.woken[-1] == SETTLE_S - 0.2
    theater.now = SETTLE_S + 0.01
    runs.pump()
    assert [quality for quality, _ in theater.asked] == [Quality.DRAFT, Quality.FINAL]
    assert theater.said[-1][0] == "settling…"


def test_an_edit_cancels_what_runs_and_its_result_is_nobodys() -> None:
    runs, theater = begun()
    first = theater.asked[0][1]
    runs.look("slice 1", "stroke 2")
    assert first.cancelled
    assert len(theater.asked) == 2
    runs.made(first, MADE)
    assert runs.of(first) is None
    assert theater.shown == []
    assert runs.ended(first, Ending.FAILED, InputError("no")) is None


def test_another_slice_starts_nothing_and_ends_what_was_of_the_last() -> None:
    runs, theater = begun()
    runs.look("slice 2", "other pixels")
    assert theater.asked[0][1].cancelled
    assert len(theater.asked) == 1
    runs.look("slice 2", "a stroke there")
    assert len(theater.asked) == 2


def test_nothing_is_shown_or_started_under_the_hand() -> None:
    runs, theater = begun()
    runs.pressed()
    runs.made(theater.asked[0][1], MADE)
    runs.look("slice 1", "stroke 2")
    assert theater.shown == []
    assert len(theater.asked) == 1
    runs.released()
    runs.pump()
    assert len(theater.asked) == 2


def test_what_cannot_start_waits_and_says_why() -> None:
    runs, theater = begun()
    theater.problem = InputError("nothing is painted")
    runs.look("slice 1", "stroke 2")
    assert theater.said[-1] == ("waiting", "nothing is painted")
    theater.problem = None
    runs.look("slice 1", "stroke 3")
    assert len(theater.asked) == 2


def test_a_failure_is_returned_once_and_a_cancelled_run_is_none() -> None:
    runs, theater = begun()
    problem = InputError("no")
    assert runs.ended(theater.asked[0][1], Ending.FAILED, problem) is problem
    assert theater.said[-1] == ("failed", "no")
    runs.look("slice 1", "stroke 2")
    assert runs.ended(theater.asked[1][1], Ending.CANCELLED, None) is None


def test_after_a_write_of_our_own_nothing_is_made_again() -> None:
    runs, theater = begun()
    runs.settle("slice 1", "applied")
    runs.look("slice 1", "applied")
    assert len(theater.asked) == 1


def test_stopped_it_cancels_and_shows_no_more() -> None:
    runs, theater = begun()
    runs.stop()
    assert theater.asked[0][1].cancelled
    runs.made(theater.asked[0][1], MADE)
    assert theater.shown == []

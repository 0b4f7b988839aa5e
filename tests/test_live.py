"""The live scheduler by a fake clock: newest wins, nothing queues, nothing moves under the user's hand."""

from __future__ import annotations

import random

import pytest

from medsynth_core.live import SETTLE_S, Act, Live, Quality, Step


class Hand:
    """A user with a clock: edits, waits, presses; and an engine that answers when told."""

    def __init__(self) -> None:
        self.live, self.now, self.edits = Live(), 100.0, 0

    def edit(self) -> None:
        self.edits += 1
        self.live.edited(self.now, f"edit {self.edits}")

    def wait(self, seconds: float) -> None:
        self.now += seconds

    def steps(self) -> list[Step]:
        steps = []
        while step := self.live.next(self.now):
            steps.append(step)
            assert len(steps) < 10, "it never comes to rest"
        return steps

    def acts(self) -> list[tuple[Act, Quality]]:
        return [(step.act, step.quality) for step in self.steps()]


DRAFT, FINAL = Quality.DRAFT, Quality.FINAL


@pytest.fixture
def hand() -> Hand:
    return Hand()


def test_an_edit_starts_a_draft_at_once_and_only_one(hand: Hand) -> None:
    hand.edit()
    assert hand.steps() == [Step(Act.START, 1, DRAFT)]
    assert hand.steps() == []


def test_the_full_quality_follows_a_pause_and_then_all_is_quiet(hand: Hand) -> None:
    hand.edit()
    hand.steps()
    hand.wait(0.2)
    hand.live.arrived(hand.now, 1)
    assert hand.steps() == [Step(Act.SHOW, 1, DRAFT, pytest.approx(0.2))]
    assert hand.live.wait_s(hand.now) == pytest.approx(SETTLE_S - 0.2)
    hand.wait(SETTLE_S - 0.2)
    assert hand.acts() == [(Act.START, FINAL)]
    hand.wait(1.5)
    hand.live.arrived(hand.now, 2)
    assert hand.steps() == [Step(Act.SHOW, 2, FINAL, pytest.approx(1.5))]
    hand.wait(60)
    assert hand.steps() == []
    assert hand.live.wait_s(hand.now) is None
    assert not hand.live.busy


def test_a_new_edit_cancels_what_runs_and_its_late_result_is_nobodys(hand: Hand) -> None:
    hand.edit()
    hand.steps()
    hand.edit()
    assert hand.steps() == [Step(Act.CANCEL, 1, DRAFT), Step(Act.START, 2, DRAFT)]
    hand.live.arrived(hand.now, 1)
    assert hand.steps() == []
    hand.live.arrived(hand.now, 2)
    assert hand.acts() == [(Act.SHOW, DRAFT)]


def test_a_hundred_edits_leave_one_run_under_way_of_the_newest(hand: Hand) -> None:
    started, cancelled = [], []
    for _ in range(100):
        hand.edit()
        for step in hand.steps():
            (started if step.act is Act.START else cancelled).append(step.run)
    assert started == list(range(1, 101))
    assert cancelled == list(range(1, 100))


def test_edits_before_the_first_look_make_one_run(hand: Hand) -> None:
    for _ in range(5):
        hand.edit()
    assert hand.acts() == [(Act.START, DRAFT)]


def test_nothing_is_started_or_shown_while_the_mouse_is_down(hand: Hand) -> None:
    hand.edit()
    hand.steps()
    hand.live.pressed()
    hand.live.arrived(hand.now, 1)
    hand.wait(5)
    assert hand.steps() == []
    assert hand.live.wait_s(hand.now) is None
    hand.live.released(hand.now)
    assert hand.acts() == [(Act.SHOW, DRAFT)]
    assert hand.live.wait_s(hand.now) == pytest.approx(SETTLE_S)


def test_a_result_held_back_by_the_mouse_is_dropped_when_the_stroke_changed_something(hand: Hand) -> None:
    hand.edit()
    hand.steps()
    hand.live.pressed()
    hand.live.arrived(hand.now, 1)
    hand.live.released(hand.now)
    hand.edit()
    assert hand.steps() == [Step(Act.CANCEL, 1, DRAFT), Step(Act.START, 2, DRAFT)]


def test_painting_on_puts_off_the_full_quality(hand: Hand) -> None:
    for run in range(1, 6):
        hand.edit()
        hand.steps()
        hand.live.arrived(hand.now, run)
        assert hand.acts() == [(Act.SHOW, DRAFT)]
        hand.wait(SETTLE_S * 0.9)
    assert hand.steps() == []
    hand.wait(SETTLE_S * 0.1 + 1e-6)
    assert hand.acts() == [(Act.START, FINAL)]


def test_a_full_run_under_way_is_cancelled_by_an_edit(hand: Hand) -> None:
    hand.edit()
    hand.steps()
    hand.live.arrived(hand.now, 1)
    hand.steps()
    hand.wait(SETTLE_S)
    hand.steps()
    hand.edit()
    assert hand.acts() == [(Act.CANCEL, FINAL), (Act.START, DRAFT)]


def test_our_own_write_and_another_slice_start_nothing_and_end_what_is_outdated(hand: Hand) -> None:
    hand.edit()
    hand.steps()
    hand.live.seen("accepted")
    assert hand.acts() == [(Act.CANCEL, DRAFT)]
    hand.live.edited(hand.now, "accepted")
    hand.wait(10)
    assert hand.steps() == []


def test_the_same_pixels_are_no_edit(hand: Hand) -> None:
    hand.live.seen("a")
    hand.live.edited(hand.now, "a")
    assert hand.steps() == []
    hand.live.edited(hand.now, "b")
    hand.steps()
    hand.live.edited(hand.now, "b")
    assert hand.steps() == []


def test_a_failure_ends_it_until_the_next_edit(hand: Hand) -> None:
    hand.edit()
    hand.steps()
    hand.live.failed(1)
    hand.wait(10)
    assert hand.steps() == []
    assert not hand.live.busy
    hand.edit()
    assert hand.acts() == [(Act.START, DRAFT)]


def test_the_failure_of_an_outdated_run_does_not_stop_the_newest(hand: Hand) -> None:
    hand.edit()
    hand.steps()
    hand.edit()
    hand.live.failed(1)
    assert hand.acts() == [(Act.START, DRAFT)]


def test_stopping_cancels_and_stays_silent(hand: Hand) -> None:
    hand.edit()
    hand.steps()
    hand.live.stop()
    assert hand.acts() == [(Act.CANCEL, DRAFT)]
    hand.wait(10)
    assert hand.steps() == []


@pytest.mark.parametrize("seed", range(20))
def test_whatever_happens_at_most_one_run_is_under_way_and_the_newest_is_shown_last(seed: int) -> None:
    chance, hand = random.Random(seed), Hand()
    under_way: dict[int, int] = {}
    made: dict[int, int] = {}
    shown: list[int] = []

    def follow() -> None:
        for step in hand.steps():
            match step.act:
                case Act.START:
                    under_way[step.run] = hand.edits
                case Act.CANCEL:
                    (made if step.run in made else under_way).pop(step.run)
                case Act.SHOW:
                    shown.append(made[step.run])
        assert len(under_way) <= 1

    def arrive(run: int) -> None:
        hand.live.arrived(hand.now, run)
        if run in under_way:
            made[run] = under_way.pop(run)

    for _ in range(300):
        hand.wait(chance.random())
        act = chance.choice(("edit", "press", "release", "arrive", "late", "look"))
        if act == "edit":
            hand.edit()
        elif act == "press":
            hand.live.pressed()
        elif act == "release":
            hand.live.released(hand.now)
        elif act == "arrive" and under_way:
            arrive(next(iter(under_way)))
        elif act == "late":
            arrive(chance.randrange(50))
        follow()
    hand.edit()
    hand.live.released(hand.now)
    for _ in range(4):
        follow()
        for run in list(under_way):
            arrive(run)
        hand.wait(SETTLE_S)
    assert shown == sorted(shown)
    assert shown[-1] == hand.edits

"""Jobs in processes give what they give one after the other, in their order, and a failing one is told."""

from __future__ import annotations

import pytest

from medsynth_core.studies.at_work import HowFar, worked


def test_results_come_in_the_order_of_the_jobs_whoever_was_first() -> None:
    told: list[HowFar] = []
    assert worked(abs, [-3, 2, -1], 2, "numbers", told.append) == [3, 2, 1] == worked(abs, [-3, 2, -1], 1, "", lambda _: None)
    assert [far.done for far in told] == [1, 2, 3]
    assert {(far.what, far.total) for far in told} == {("numbers", 3)}
    assert told[-1].seconds_left == 0


def test_nothing_to_do_starts_nothing() -> None:
    assert worked(abs, [], 4, "numbers", lambda _: pytest.fail("nothing was done")) == []


@pytest.mark.parametrize("workers", [1, 2])
def test_a_job_that_fails_fails_the_whole(workers: int) -> None:
    with pytest.raises(ValueError, match="invalid literal"):
        worked(int, ["1", "x", "2"], workers, "numbers", lambda _: None)

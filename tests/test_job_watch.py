"""The list of jobs of a viewer is asked for one question at a time, and never of a service that is away."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from medsynth_core.errors import InputError, ServiceUnavailableError
from medsynth_core.job_watch import JobWatch
from medsynth_core.protocol import ServiceStatus, WorkerState

HERE = ServiceStatus("a", WorkerState.READY)


class Service:
    """A session and its client: `answer` is what `jobs` gives, or raises."""

    def __init__(self) -> None:
        self.status: ServiceStatus | None = HERE
        self.answer: Any = ("newest",)
        self.waiting: list[Callable[[], None]] = []
        self.asked = 0

    def jobs(self) -> Any:
        self.asked += 1
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def ask(self, question: Callable[[Any], Any], told: Callable[[Any], None]) -> None:
        self.waiting.append(lambda: told(question(self)))

    def work(self) -> None:
        """Answer what was asked."""
        todo, self.waiting = self.waiting, []
        for question in todo:
            question()


@pytest.fixture
def service() -> Service:
    return Service()


@pytest.fixture
def told() -> list[Any]:
    return []


@pytest.fixture
def watch(service: Service, told: list[Any]) -> JobWatch:
    return JobWatch(service, told.append)  # type: ignore[arg-type]


def test_a_look_tells_the_jobs(service: Service, watch: JobWatch, told: list[Any]) -> None:
    watch.look()
    service.work()
    assert told == [("newest",)]


def test_looks_do_not_pile_up_while_an_answer_takes_its_time(service: Service, watch: JobWatch, told: list[Any]) -> None:
    for _ in range(20):
        watch.look()
    service.work()
    assert service.asked == 1
    watch.look()
    service.work()
    assert service.asked == 2


def test_a_service_that_is_away_is_not_asked_and_so_never_started(service: Service, watch: JobWatch) -> None:
    service.status = None
    watch.look()
    assert not service.waiting


def test_a_service_that_goes_away_meanwhile_is_no_trouble_and_is_asked_again(
    service: Service, watch: JobWatch, told: list[Any]
) -> None:
    service.answer = ServiceUnavailableError("gone")
    watch.look()
    service.work()
    service.answer = ("back",)
    watch.look()
    service.work()
    assert told == [("back",)]


def test_any_other_error_is_the_session_s_to_tell_and_the_next_look_asks_again(service: Service, watch: JobWatch) -> None:
    service.answer = InputError("not understood")
    watch.look()
    with pytest.raises(InputError):
        service.work()
    watch.look()
    assert service.waiting

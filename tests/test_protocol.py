"""The vocabulary on the wire: every record survives JSON, every mistake is named."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from medsynth_core import errors, protocol
from medsynth_core.errors import InputError, MedSynthError, ParameterError, error_from_code
from medsynth_core.protocol import (
    Capabilities,
    Event,
    EventKind,
    JobInfo,
    JobRequest,
    JobState,
    ModelCard,
    ParamInfo,
    ParamKind,
    ServiceStatus,
    from_json,
    to_json,
)

RECORDS = [Capabilities, Event, JobInfo, JobRequest, ModelCard, ParamInfo, ServiceStatus]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
REQUEST: dict[str, Any] = {"engine": "fake", "model": "", "inputs": {"mask": "ab"}, "params": {"steps": 4, "x": 1.5, "f": True}}


def records(kind: type) -> st.SearchStrategy[Any]:
    made = st.builds(JobInfo, recipe=st.just({"seed": 1})) if kind is JobInfo else st.from_type(kind)
    return made.filter(lambda record: "NaN" not in json.dumps(to_json(record)))


@pytest.mark.parametrize("kind", [JobRequest, Event, ModelCard, ServiceStatus, JobInfo])
def test_every_record_survives_json(kind: type) -> None:
    @settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
    @given(record=records(kind))
    def survives(record: Any) -> None:
        assert from_json(kind, json.loads(json.dumps(to_json(record)))) == record

    survives()


@pytest.mark.parametrize("kind", RECORDS)
def test_any_json_is_a_record_or_one_of_our_errors(kind: type) -> None:
    @settings(max_examples=80, deadline=None)
    @given(value=JSON)
    def answers(value: Any) -> None:
        try:
            from_json(kind, value)
        except InputError:
            return

    answers()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"engine": 1}, "engine"),
        ({"seed": 1.5}, "seed"),
        ({"seed": "1"}, "seed"),
        ({"seed": True}, "seed"),
        ({"inputs": ["a"]}, "inputs"),
        ({"inputs": {"mask": 1}}, "mask"),
        ({"params": {"steps": None}}, "steps"),
        ({"params": {"steps": [1]}}, "steps"),
        ({"colour": 1}, "unknown key 'colour'"),
    ],
)
def test_a_mistake_is_named_by_its_key(change: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        from_json(JobRequest, REQUEST | change)


@pytest.mark.parametrize("key", ["engine", "model", "inputs"])
def test_a_missing_key_is_named(key: str) -> None:
    with pytest.raises(InputError, match=f"lacks the key '{key}'"):
        from_json(JobRequest, {name: value for name, value in REQUEST.items() if name != key})


def test_a_flag_stays_a_flag_and_a_number_a_number() -> None:
    params = from_json(JobRequest, REQUEST).params
    assert [type(value) for value in params.values()] == [int, float, bool]


@pytest.mark.parametrize("state", list(JobState))
def test_a_job_has_ended_in_three_states_only(state: JobState) -> None:
    assert state.ended == (state in {JobState.DONE, JobState.FAILED, JobState.CANCELLED})


def test_records_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        from_json(JobRequest, REQUEST).seed = 3  # type: ignore[misc]


@pytest.mark.parametrize(
    ("info", "good", "bad"),
    [
        (ParamInfo("n", "", ParamKind.INTEGER, 1, 1, 9), [1, 9, 5], [0, 10, 1.0, True, "1", None]),
        (ParamInfo("n", "", ParamKind.NUMBER, 1.0, 0, 1), [0, 0.5, 1], [-0.1, 1.1, float("nan"), True, "1", None]),
        (ParamInfo("n", "", ParamKind.CHOICE, 4, choices=(1, 2, 4)), [1, 2, 4], [3, "4", None, [4]]),
        (ParamInfo("n", "", ParamKind.FLAG, True), [True, False], [0, 1, "true", None]),
        (ParamInfo("n", "", ParamKind.TEXT, ""), ["", "x"], [1, None, b"x"]),
    ],
)
def test_a_parameter_takes_what_its_kind_allows_and_names_itself_otherwise(
    info: ParamInfo, good: list[Any], bad: list[Any]
) -> None:
    for value in good:
        assert info.check(value) == value
    for value in bad:
        with pytest.raises(ParameterError, match=r"^n is "):
            info.check(value)


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [(1, 4096, "at or above 1 and at or below 4096$"), (None, 9, "lie at or below 9$"), (0.5, None, "lie at or above 0.5$")],
)
def test_a_range_is_told_as_a_person_would(low: float | None, high: float | None, words: str) -> None:
    with pytest.raises(ParameterError, match=words):
        ParamInfo("n", "", ParamKind.NUMBER, 1.0, low, high).check(float("nan"))


def test_an_unknown_engine_lists_those_there_are() -> None:
    capabilities = Capabilities(1, "", "", True, engines=(protocol.EngineInfo("a", ""), protocol.EngineInfo("b", "")))
    assert capabilities.engine("b").name == "b"
    with pytest.raises(InputError, match="must be one of a, b"):
        capabilities.engine("c")


def subclasses(kind: type[MedSynthError]) -> list[type[MedSynthError]]:
    return [kind, *(found for child in kind.__subclasses__() for found in subclasses(child))]


def test_every_error_has_a_code_of_its_own_and_comes_back_from_it() -> None:
    kinds = [kind for kind in subclasses(MedSynthError) if kind.__module__ == errors.__name__]
    assert len({kind.code for kind in kinds}) == len(kinds)
    for kind in kinds:
        again = error_from_code(kind.code, "a sentence")
        assert type(again) is kind
        assert str(again) == "a sentence"


def test_a_refinement_in_another_module_does_not_take_over_its_parents_code() -> None:
    class Refined(errors.NotFoundError):
        def __init__(self, status: int, message: str) -> None:
            super().__init__(message)

    assert Refined.code == "not_found"
    assert type(error_from_code("not_found", "x")) is errors.NotFoundError


def test_an_unknown_code_is_still_one_of_our_errors() -> None:
    assert type(error_from_code("of_tomorrow", "x")) is MedSynthError


def test_an_event_names_its_kind_in_plain_words() -> None:
    line = to_json(Event(1, "j", EventKind.SLICE, 0.0, output="image", z=3))
    assert line["kind"] == "slice"
    assert from_json(Event, line).kind is EventKind.SLICE

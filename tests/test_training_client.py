"""The trainings of the light client, against a script of answers."""

from __future__ import annotations

import json

import pytest

from medsynth_core.client import Client
from medsynth_core.errors import ApiVersionError, InputError, JobCancelledError, NotFoundError, TrainingDataError
from medsynth_core.protocol import to_json
from medsynth_core.protocol_training import (
    Defect,
    DoctorReport,
    Examination,
    Facts,
    Finding,
    Severity,
    TrainingInfo,
    TrainingLine,
    TrainingRequest,
    TrainingState,
)
from medsynth_core.training_client import Trainings
from medsynth_core.transport import Reply, Request

WISH = TrainingRequest("synthesize", "/data/polyps", "mine", labels={"1": "polyp"}, excluded=("case07",))
REPORT = DoctorReport(
    "synthesize",
    Facts(60, 40, 32, 2, 6, {"512×512": 60}, {}, {"1": 0.1}, (3.0, 250.0), 3),
    (Finding(Defect.EMPTY_MASK, Severity.STOPS, ("case07",), "case07.png: the mask is empty", "Exclude it.", thumbnails=(0,)),),
    1,
)
INFO = TrainingInfo("a" * 32, TrainingState.RUNNING, WISH, 1.0, step=5, steps=10)


class Script:
    """Answers by path, and what was asked. Several answers of one path come one after the other, the last one stays."""

    def __init__(self, **answers: object) -> None:
        self.asked: list[Request] = []
        self._answers = {path: list(value) if isinstance(value, list) else [value] for path, value in answers.items()}

    def __call__(self, request: Request) -> Reply:
        self.asked.append(request)
        answers = self._answers[f"{request.method} {request.path}"]
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(answer, Reply):
            return answer
        return Reply(200, answer if isinstance(answer, bytes) else json.dumps(to_json(answer)).encode())


def trainings(script: Script) -> Trainings:
    return Trainings(Client(script, "test", lease=False))


def refusal(status: int, code: str) -> Reply:
    return Reply(status, json.dumps({"code": code, "detail": "a sentence"}).encode())


def test_an_order_travels_whole_with_a_key_of_its_own() -> None:
    script = Script(**{"POST /v1/trainings": INFO})
    made = [trainings(script).start(WISH) for _ in range(2)]
    assert made == [INFO, INFO]
    assert json.loads(script.asked[0].body or b"") == to_json(WISH)
    keys = {request.headers["Idempotency-Key"] for request in script.asked}
    assert len(keys) == 2
    assert all(request.start for request in script.asked), "the first thing a viewer does may be to train"


def test_the_doctor_is_waited_for_and_its_report_read() -> None:
    running = Examination("e" * 32, TrainingState.RUNNING)
    done = Examination("e" * 32, TrainingState.DONE, REPORT)
    script = Script(**{"POST /v1/doctor": running, f"GET /v1/doctor/{'e' * 32}": [running, running, done]})
    report = trainings(script).examine(WISH)
    assert report == REPORT
    assert not report.ready
    assert len(script.asked) == 4


def test_an_examination_that_nobody_waits_for_any_more_is_dismissed() -> None:
    running, place = Examination("e" * 32, TrainingState.RUNNING), f"/v1/doctor/{'e' * 32}"
    script = Script(**{"POST /v1/doctor": running, f"GET {place}": running, f"DELETE {place}": {}})
    with pytest.raises(JobCancelledError):
        trainings(script).examine(WISH, go_on=lambda: False)
    assert script.asked[-1].method == "DELETE"


def test_what_kept_the_doctor_from_looking_is_raised_as_what_it_is() -> None:
    failed = Examination("e" * 32, TrainingState.FAILED, error_code="bad_training_data", error="nothing there")
    script = Script(**{"POST /v1/doctor": failed, f"GET /v1/doctor/{'e' * 32}": failed})
    with pytest.raises(TrainingDataError, match="nothing there"):
        trainings(script).examine(WISH)


def test_lists_lines_and_pictures() -> None:
    place, lines = f"/v1/trainings/{INFO.id}", (TrainingLine(5, {"mask": 0.5}, 0.25), TrainingLine(6, {"mask": 0.4}))
    script = Script(
        **{
            "GET /v1/trainings": {"trainings": [INFO]},
            f"GET {place}/lines?after=4": {"lines": lines},
            f"GET {place}/strips/5": b"\x89PNG",
            f"GET /v1/doctor/{'e' * 32}": Examination("e" * 32, TrainingState.DONE, REPORT),
        }
    )
    there = trainings(script)
    assert there.list() == (INFO,)
    assert there.lines(INFO.id, after=4) == lines
    assert there.strip(INFO.id, 5) == b"\x89PNG"


@pytest.mark.parametrize("word", ["pause", "resume", "stop"])
def test_orders_to_a_training_give_it_back(word: str) -> None:
    script = Script(**{f"POST /v1/trainings/{INFO.id}/{word}": INFO})
    assert getattr(trainings(script), word)(INFO.id) == INFO


def test_waiting_ends_when_nothing_more_happens_by_itself() -> None:
    states = [INFO, INFO, TrainingInfo(INFO.id, TrainingState.PAUSED, WISH, 1.0)]
    script = Script(**{f"GET /v1/trainings/{INFO.id}": states})
    assert trainings(script).wait(INFO.id).state is TrainingState.PAUSED
    script = Script(**{f"GET /v1/trainings/{INFO.id}": INFO})
    assert trainings(script).wait(INFO.id, seconds=0.01).state is TrainingState.RUNNING


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [(404, "not_found", NotFoundError), (422, "bad_parameter", InputError), (400, "bad_input", InputError)],
)
def test_a_refusal_is_the_error_it_names(status: int, code: str, kind: type[Exception]) -> None:
    script = Script(**{f"GET /v1/trainings/{INFO.id}": refusal(status, code)})
    with pytest.raises(kind, match="a sentence"):
        trainings(script).get(INFO.id)


@pytest.mark.parametrize("answer", [b"[]", b'{"trainings": 3}', b'{"trainings": [{"id": 1}]}'])
def test_an_answer_of_another_version_says_so(answer: bytes) -> None:
    with pytest.raises(ApiVersionError):
        trainings(Script(**{"GET /v1/trainings": answer})).list()

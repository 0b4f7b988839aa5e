"""Trainings as a client asks for them: let the doctor look at a folder, start, watch, pause, go on, stop.

    trainings = Trainings(client)
    report = trainings.examine(TrainingRequest("synthesize", "/data/polyps", "my-polyps"))
    info = trainings.start(request)

The training goes on in the service's child when the client is gone. Paths: POST /v1/doctor, GET and DELETE /v1/doctor/{id},
GET /v1/doctor/{id}/thumbnails/{n}, POST and GET /v1/trainings, GET /v1/trainings/{id}, …/lines?after=STEP, …/strips/{step},
POST …/pause, …/resume, …/stop, DELETE /v1/trainings/{id}. Nothing here blocks for longer than one exchange but `examine` and
`wait`; a viewer begins an examination and asks `get` from a timer's thread instead.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass

from medsynth_core.client import Client
from medsynth_core.errors import JobCancelledError, error_from_code
from medsynth_core.protocol import from_json, to_json
from medsynth_core.protocol_training import DoctorReport, Examination, TrainingInfo, TrainingLine, TrainingRequest, TrainingState
from medsynth_core.transport import JSON, read_record, understood

__all__ = ["Looking", "Trainings"]

FIRST_PAUSE, LONGEST_PAUSE = 0.05, 1.0


@dataclass(frozen=True)
class Looking:
    """One look of the doctor's that is under way, or done."""

    id: str
    client: Client

    def get(self) -> DoctorReport | None:
        """Return the report, None while the doctor looks. Raises the error that kept the doctor from it, NotFoundError."""
        there = read_record(Examination, self.client.ask("GET", f"/v1/doctor/{self.id}").body)
        if there.state is TrainingState.FAILED:
            raise error_from_code(there.error_code, there.error)
        return there.report

    def thumbnail(self, number: int) -> bytes:
        """Return a picture of a case that a finding names, as PNG. Raises NotFoundError."""
        return bytes(self.client.ask("GET", f"/v1/doctor/{self.id}/thumbnails/{number}").body)

    def dismiss(self) -> None:
        """End the look, and forget it."""
        self.client.ask("DELETE", f"/v1/doctor/{self.id}")


class Trainings:
    """What a program can ask of the service about trainings. May be used from several threads at once."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def look(self, request: TrainingRequest) -> Looking:
        """Let the doctor begin to look at a folder. Raises InputError for an order that cannot be looked at."""
        reply = self._client.ask("POST", "/v1/doctor", to_json(request), start=True)
        return Looking(read_record(Examination, reply.body).id, self._client)

    def examine(self, request: TrainingRequest, go_on: Callable[[], bool] = lambda: True) -> DoctorReport:
        """Return what the doctor finds in a folder, waiting for it.

        `go_on` is asked while it waits; once it says no, the look is dismissed and JobCancelledError raised.
        Raises InputError, TrainingDataError for a folder that holds nothing to look at.
        """
        looking, pause = self.look(request), FIRST_PAUSE
        while (report := looking.get()) is None:
            if not go_on():
                looking.dismiss()
                raise JobCancelledError("the doctor's look was dismissed")
            time.sleep(pause)
            pause = min(pause * 1.5, LONGEST_PAUSE)
        return report

    def start(self, request: TrainingRequest) -> TrainingInfo:
        """Order a training and return it at once. Raises InputError, ModelError, or ServiceError for a name that is taken."""
        headers = {**JSON, "Idempotency-Key": uuid.uuid4().hex}
        return read_record(TrainingInfo, self._client.ask("POST", "/v1/trainings", to_json(request), headers, start=True).body)

    def list(self) -> tuple[TrainingInfo, ...]:
        """Return all trainings, newest first."""
        listed = self._client.ask("GET", "/v1/trainings").json()
        with understood():
            return from_json(tuple[TrainingInfo, ...], listed["trainings"], "trainings")

    def get(self, training: str) -> TrainingInfo:
        """Return one. Raises NotFoundError."""
        return read_record(TrainingInfo, self._client.ask("GET", f"/v1/trainings/{training}").body)

    def lines(self, training: str, after: int = 0) -> tuple[TrainingLine, ...]:
        """Return the lines of its log after a step, such as that of the last line seen."""
        listed = self._client.ask("GET", f"/v1/trainings/{training}/lines?after={after}").json()
        with understood():
            return from_json(tuple[TrainingLine, ...], listed["lines"], "lines")

    def strip(self, training: str, step: int) -> bytes:
        """Return the samples after a step of `TrainingInfo.strips`, as PNG. Raises NotFoundError."""
        return bytes(self._client.ask("GET", f"/v1/trainings/{training}/strips/{step}").body)

    def pause(self, training: str) -> TrainingInfo:
        """Let a training rest; its state says when it does. Raises ServiceError when it has ended."""
        return self._tell(training, "pause")

    def resume(self, training: str) -> TrainingInfo:
        """Let a paused or failed training go on."""
        return self._tell(training, "resume")

    def stop(self, training: str) -> TrainingInfo:
        """End a training for good; its best model becomes one of the user's. Raises ServiceError when it has ended."""
        return self._tell(training, "stop")

    def remove(self, training: str) -> None:
        """Remove a training, running or not, with all it has made but an installed model."""
        self._client.ask("DELETE", f"/v1/trainings/{training}")

    def wait(self, training: str, seconds: float | None = None) -> TrainingInfo:
        """Return a training once nothing more happens by itself: ended, or paused. None waits for ever; else as it is by then."""
        deadline, pause = None if seconds is None else time.monotonic() + seconds, FIRST_PAUSE
        while True:
            info = self.get(training)
            rests = info.state.ended or info.state is TrainingState.PAUSED
            if rests or (deadline is not None and time.monotonic() > deadline):
                return info
            time.sleep(pause)
            pause = min(pause * 1.5, LONGEST_PAUSE)

    def _tell(self, training: str, word: str) -> TrainingInfo:
        return read_record(TrainingInfo, self._client.ask("POST", f"/v1/trainings/{training}/{word}", {}).body)

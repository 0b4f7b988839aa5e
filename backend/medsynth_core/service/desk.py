"""What the routes work with, and how they document themselves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Request
from fastapi.responses import JSONResponse
from pydantic import TypeAdapter

from medsynth_core.protocol import ServiceStatus, to_json
from medsynth_core.service import problems
from medsynth_core.service.config import ServiceConfig
from medsynth_core.service.examinations import Examinations
from medsynth_core.service.jobs import Jobs
from medsynth_core.service.leases import Leases
from medsynth_core.service.store import Store
from medsynth_core.service.trainings import Trainings

OCTETS = "application/octet-stream"
NDJSON = "application/x-ndjson"


@dataclass(frozen=True)
class Desk:
    """The parts of the running service; `stop` ends it."""

    config: ServiceConfig
    store: Store
    jobs: Jobs
    leases: Leases
    trainings: Trainings
    examinations: Examinations
    instance: str
    token: str
    stop: Callable[[], None]

    def status(self) -> ServiceStatus:
        """Return the small answer behind the engine pill."""
        jobs, able = self.jobs, self.jobs.able
        running = int(bool(jobs.current))
        device = able.device if able else None
        worker = jobs.worker
        return ServiceStatus(
            self.instance, worker.state, device, self.leases.alive(), jobs.queued, running, jobs.loaded, worker.message
        )


def _desk(request: Request) -> Desk:
    desk: Desk = request.app.state.desk
    return desk


At = Annotated[Desk, Depends(_desk)]


def answer(record: Any, status: int = 200) -> JSONResponse:
    """Return a record as a JSON answer."""
    return JSONResponse(to_json(record), status)


def takes(kind: type) -> dict[str, Any]:
    """Return the OpenAPI entry of a JSON body that is read by `bodies.read_record`."""
    schema = TypeAdapter(kind).json_schema()
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


def gives(media_type: str, status: int = 200) -> dict[int | str, dict[str, Any]]:
    """Return the OpenAPI entry of an answer that is not JSON."""
    schema = {"type": "string"} if media_type == NDJSON else {"type": "string", "format": "binary"}
    return {status: {"description": "the bytes", "content": {media_type: {"schema": schema}}}}


def refuses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the OpenAPI entries of problems that a route may answer with; 401 may come from any."""
    content = {problems.MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {status: {"description": "a problem", "content": content} for status in (401, *statuses)}

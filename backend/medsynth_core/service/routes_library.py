"""Routes about what stays: the history of ended jobs, and the models."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response

from medsynth_core.errors import ModelNotFoundError
from medsynth_core.protocol import JobInfo, ServiceStatus
from medsynth_core.service import frames
from medsynth_core.service.bodies import read_record
from medsynth_core.service.desk import At, Desk, answer, refuses, takes
from medsynth_core.service.problems import RefusedError
from medsynth_core.service.routes_jobs import JobId

router = APIRouter()
ModelId = Annotated[str, Path(pattern="^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]
MODEL_SECONDS = 120.0


@dataclass(frozen=True)
class Star:
    """Body of POST /v1/history/{id}/star."""

    starred: bool


@router.get("/v1/history", responses=refuses(422))
async def history(
    at: At,
    limit: Annotated[int, Query(ge=1, le=10_000)] = 100,
    search: Annotated[str, Query(max_length=200)] = "",
    starred: bool | None = None,
) -> Response:
    """Return ended jobs, newest first, whose request holds `search`."""
    return answer({"jobs": at.store.journal.history(limit, search, starred)})


@router.post("/v1/history/{job}/star", response_model=JobInfo, responses=refuses(400, 404, 422), openapi_extra=takes(Star))
async def star(at: At, job: JobId, request: Request) -> Response:
    """Star a job, so that it is never deleted to make room, or take the star away."""
    wish, _ = await read_record(request, Star)
    at.store.journal.job(job)
    at.store.journal.record(job, durable=True, starred=wish.starred)
    return answer(at.store.journal.job(job))


@router.delete("/v1/history/{job}", responses=refuses(404, 409, 422))
async def delete(at: At, job: JobId) -> Response:
    """Delete an ended job and its results."""
    at.jobs.delete(job)
    return answer({"deleted": job})


@router.post("/v1/models/refresh", response_model=ServiceStatus, responses=refuses(503))
async def refresh(at: At) -> Response:
    """Read the model folders again."""
    return await _changed(at, frames.ReadModels())


@router.post("/v1/models/{model}/load", response_model=ServiceStatus, responses=refuses(404, 409, 422, 503))
async def load(at: At, model: ModelId) -> Response:
    """Bring a model onto the device, so that the first job does not wait for it."""
    await _check_model(at, model)
    return await _changed(at, frames.LoadModel(model))


@router.post("/v1/models/{model}/unload", response_model=ServiceStatus, responses=refuses(404, 409, 422, 503))
async def unload(at: At, model: ModelId) -> Response:
    """Take a model off the device."""
    await _check_model(at, model)
    return await _changed(at, frames.UnloadModel(model))


async def _check_model(at: Desk, model: str) -> None:
    able = await at.jobs.wait_ready(MODEL_SECONDS)
    known = [one.id for one in able.models] if able else []
    if model not in known:
        raise ModelNotFoundError(f"model is {model!r}: it must be one of {', '.join(known) or 'none'}")


async def _changed(at: Desk, command: frames.Command) -> Response:
    if at.jobs.current:
        raise RefusedError(409, "a job is running: wait for it, or cancel it")
    await at.jobs.ask_models(command, MODEL_SECONDS)
    return answer(at.status())

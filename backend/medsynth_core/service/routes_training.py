"""Routes about trainings, and about the doctor's look at a folder before one."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header, Path, Query, Request, Response

from medsynth_core.errors import ServiceUnavailableError
from medsynth_core.protocol_training import Examination, TrainingInfo, TrainingRequest
from medsynth_core.service import frames
from medsynth_core.service.bodies import read_record
from medsynth_core.service.desk import At, Desk, answer, gives, refuses, takes

router = APIRouter()
TrainingId = Annotated[str, Path(pattern="^[0-9a-f]{32}$")]
Step = Annotated[int, Path(ge=0, le=10**9)]
PNG = "image/png"
WORKER_SECONDS = 30.0


@router.post(
    "/v1/doctor",
    status_code=201,
    response_model=Examination,
    responses=refuses(400, 409, 422, 503),
    openapi_extra=takes(TrainingRequest),
)
async def examine(at: At, request: Request) -> Response:
    """Let the doctor look at the folder of a training that may be ordered."""
    wish, _ = await read_record(request, TrainingRequest)
    able = await _able(at)
    return answer(at.examinations.submit(wish, able.engines), 201)


@router.get("/v1/doctor/{examination}", response_model=Examination, responses=refuses(404, 422))
async def examination(at: At, examination: TrainingId) -> Response:
    """Return how far the doctor is, with the report at the end."""
    return answer(at.examinations.get(examination))


@router.get("/v1/doctor/{examination}/thumbnails/{number}", response_class=Response, responses=gives(PNG) | refuses(404, 422))
async def thumbnail(at: At, examination: TrainingId, number: Step) -> Response:
    """Return a picture of a case that a finding names."""
    return Response(at.examinations.thumbnail(examination, number), media_type=PNG)


@router.delete("/v1/doctor/{examination}", responses=refuses(404, 422))
async def dismiss(at: At, examination: TrainingId) -> Response:
    """End a look of the doctor's, and forget it."""
    at.examinations.dismiss(examination)
    return answer({"deleted": examination})


@router.post(
    "/v1/trainings",
    status_code=201,
    response_model=TrainingInfo,
    responses=refuses(400, 404, 409, 422, 503, 507),
    openapi_extra=takes(TrainingRequest),
)
async def start(at: At, request: Request, idempotency_key: Annotated[str, Header(min_length=1, max_length=200)]) -> Response:
    """Accept a training: 201; the same key again gives the same training: 200."""
    wish, _ = await read_record(request, TrainingRequest)
    able = await _able(at)
    at.store.check_room(0)
    training, new = at.trainings.submit(wish, idempotency_key, able.engines, able.models)
    return answer(training, 201 if new else 200)


@router.get("/v1/trainings", responses=refuses())
async def trainings(at: At) -> Response:
    """Return all trainings, newest first."""
    return answer({"trainings": at.trainings.all()})


@router.get("/v1/trainings/{training}", response_model=TrainingInfo, responses=refuses(404, 422))
async def training(at: At, training: TrainingId) -> Response:
    """Return one training."""
    return answer(at.trainings.get(training))


@router.get("/v1/trainings/{training}/lines", responses=refuses(404, 422))
async def lines(at: At, training: TrainingId, after: Annotated[int, Query(ge=0, le=10**9)] = 0) -> Response:
    """Return the lines of its log after a step."""
    return answer({"lines": at.trainings.lines(training, after)})


@router.get("/v1/trainings/{training}/strips/{step}", response_class=Response, responses=gives(PNG) | refuses(404, 422))
async def strip(at: At, training: TrainingId, step: Step) -> Response:
    """Return the samples from fixed seeds as they were after a step."""
    return Response(at.trainings.strip(training, step), media_type=PNG)


@router.post("/v1/trainings/{training}/pause", response_model=TrainingInfo, responses=refuses(404, 409, 422))
async def pause(at: At, training: TrainingId) -> Response:
    """Let a training rest; its state says when it does."""
    return answer(at.trainings.pause(training))


@router.post("/v1/trainings/{training}/resume", response_model=TrainingInfo, responses=refuses(404, 409, 422))
async def resume(at: At, training: TrainingId) -> Response:
    """Let a paused or failed training go on."""
    return answer(at.trainings.resume(training))


@router.post("/v1/trainings/{training}/stop", response_model=TrainingInfo, responses=refuses(404, 409, 422))
async def stop(at: At, training: TrainingId) -> Response:
    """End a training for good: its best model becomes one of the user's."""
    return answer(at.trainings.end(training))


@router.delete("/v1/trainings/{training}", responses=refuses(404, 422))
async def remove(at: At, training: TrainingId) -> Response:
    """Remove a training and all it has made, but for a model that was installed."""
    await at.trainings.remove(training)
    return answer({"deleted": training})


async def _able(at: Desk) -> frames.Ready:
    able = await at.jobs.wait_ready(WORKER_SECONDS)
    if able is None:
        raise ServiceUnavailableError("the worker does not start: see the status, then try again")
    return able

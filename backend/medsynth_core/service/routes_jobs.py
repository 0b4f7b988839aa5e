"""Routes about arrays, jobs and what they give."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Iterator
from typing import Annotated

from fastapi import APIRouter, Header, Path, Query, Request, Response
from fastapi.responses import StreamingResponse

from medsynth_core.protocol import JobInfo, JobRequest
from medsynth_core.service.bodies import read_record
from medsynth_core.service.desk import NDJSON, OCTETS, At, answer, gives, refuses, takes

router = APIRouter()
Sha256 = Annotated[str, Path(pattern="^[0-9a-f]{64}$")]
JobId = Annotated[str, Path(pattern="^[0-9a-f]{32}$")]
OutputName = Annotated[str, Query(max_length=64)]
PIECE_BYTES = 2**20
_BYTES_IN = {"requestBody": {"required": True, "content": {OCTETS: {"schema": {"type": "string", "format": "binary"}}}}}


@router.head("/v1/arrays/{sha256}", response_class=Response, responses=gives(OCTETS) | refuses(404, 422))
async def has_array(at: At, sha256: Sha256) -> Response:
    """Say whether an array is here: 200 or 404."""
    size = at.store.arrays.size(sha256)
    return Response(media_type=OCTETS, headers={"content-length": str(size)})


@router.put(
    "/v1/arrays/{sha256}",
    status_code=201,
    responses=refuses(200, 408, 411, 413, 415, 422, 507) | gives("application/json"),
    openapi_extra=_BYTES_IN,
)
async def put_array(at: At, sha256: Sha256, request: Request) -> Response:
    """Store encoded bytes under their sha256: 201, or 200 if they were there."""
    at.store.check_room(int(request.headers.get("content-length", 0)))
    new = await at.store.arrays.take(sha256, request.stream())
    return answer({"sha256": sha256}, 201 if new else 200)


@router.post(
    "/v1/jobs",
    status_code=201,
    response_model=JobInfo,
    responses=refuses(400, 404, 409, 422, 503, 507),
    openapi_extra=takes(JobRequest),
)
async def submit(at: At, request: Request, idempotency_key: Annotated[str, Header(min_length=1, max_length=200)]) -> Response:
    """Accept a job: 201; the same key again gives the same job: 200."""
    wish, body = await read_record(request, JobRequest)
    job, new = await at.jobs.submit(wish, idempotency_key, hashlib.sha256(body).hexdigest())
    return answer(job, 201 if new else 200)


@router.get("/v1/jobs", responses=refuses(422))
async def list_jobs(at: At, limit: Annotated[int, Query(ge=1, le=10_000)] = 1000) -> Response:
    """Return all jobs, newest first."""
    return answer({"jobs": at.store.journal.jobs(limit)})


@router.get("/v1/jobs/{job}", response_model=JobInfo, responses=refuses(404, 422))
async def show_job(at: At, job: JobId) -> Response:
    """Return one job."""
    return answer(at.store.journal.job(job))


@router.get("/v1/jobs/{job}/events", response_class=Response, responses=gives(NDJSON) | refuses(404, 422))
async def events(
    at: At, job: JobId, after: Annotated[int, Query(ge=0, le=2**53)] = 0, wait: Annotated[float, Query(ge=0, le=25)] = 0
) -> Response:
    """Return the events after a number, one JSON a line; waits up to `wait` seconds for the first."""
    lines = await at.jobs.events(job, after, wait)
    return Response("".join(line + "\n" for line in lines), media_type=NDJSON)


@router.get("/v1/jobs/{job}/slices/{z}", response_class=Response, responses=gives(OCTETS) | refuses(404, 422))
async def one_slice(at: At, job: JobId, z: Annotated[int, Path(ge=0, le=65535)], output: OutputName = "") -> Response:
    """Return one slice as an encoded volume (c, 1, y, x), as soon as it is made."""
    result = at.store.result(at.store.journal.job(job), output)
    return Response(result.encoded_slice(z), media_type=OCTETS)


@router.get("/v1/jobs/{job}/preview", response_class=Response, responses=gives(OCTETS) | refuses(404, 422))
async def preview(at: At, job: JobId, output: OutputName = "") -> Response:
    """Return the newest preview as an encoded volume."""
    return Response(at.store.result(at.store.journal.job(job), output).preview(), media_type=OCTETS)


@router.get("/v1/jobs/{job}/result", response_class=Response, responses=gives(OCTETS) | refuses(404, 422))
async def result(at: At, job: JobId, output: OutputName = "") -> Response:
    """Return a whole output as an encoded volume, once all its slices are made."""
    size, planes = at.store.complete_result(at.store.journal.job(job), output).encoded()
    return StreamingResponse(_in_pieces(planes), media_type=OCTETS, headers={"content-length": str(size)})


@router.post("/v1/jobs/{job}/cancel", response_model=JobInfo, responses=refuses(404, 422))
async def cancel(at: At, job: JobId) -> Response:
    """Cancel a job; its finished slices are kept."""
    return answer(at.jobs.cancel(job))


@router.post("/v1/jobs/{job}/resume", response_model=JobInfo, responses=refuses(404, 409, 422))
async def resume(at: At, job: JobId) -> Response:
    """Let a cancelled or failed job go on from its finished slices."""
    return answer(at.jobs.resume(job))


async def _in_pieces(planes: Iterator[bytes]) -> AsyncIterator[bytes]:
    """Join small planes, so that a volume of many does not cost one write each."""
    waiting: list[bytes] = []
    size = 0
    for plane in planes:
        waiting.append(plane)
        size += len(plane)
        if size >= PIECE_BYTES:
            yield b"".join(waiting)
            waiting, size = [], 0
    yield b"".join(waiting)

"""Routes about the service itself: health, proof of identity, status, capabilities, clients, shutdown."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from medsynth_core import __version__
from medsynth_core.protocol import API_VERSION, Capabilities, ServiceStatus
from medsynth_core.service.bodies import read_record
from medsynth_core.service.desk import At, answer, refuses, takes
from medsynth_core.service.problems import RefusedError

router = APIRouter()
WORKER_SECONDS = 30.0


@dataclass(frozen=True)
class LeaseRequest:
    """Body of POST /v1/clients/lease."""

    name: str = ""


@dataclass(frozen=True)
class LeaseName:
    """Body of a heartbeat and of a release."""

    lease: str


@dataclass(frozen=True)
class Shutdown:
    """Body of POST /v1/shutdown; `force` ends it with jobs running: they go on at the next start."""

    force: bool = False


@router.get("/healthz", responses=refuses(421))
async def health() -> dict[str, str]:
    """Say that the service is alive."""
    return {"status": "ok"}


@router.get("/v1/hello", responses=refuses(422))
async def hello(at: At, nonce: Annotated[str, Query(pattern="^[0-9a-fA-F]{32,128}$")]) -> dict[str, Any]:
    """Prove that this service knows the token, before the client sends it."""
    proof = hmac.new(at.token.encode(), (nonce + at.instance).encode(), hashlib.sha256).hexdigest()
    return {"instance": at.instance, "api_version": API_VERSION, "code_version": __version__, "proof": proof}


@router.get("/v1/status", response_model=ServiceStatus, responses=refuses())
async def status(at: At) -> Response:
    """Return worker, device, clients and jobs, in little time."""
    return answer(at.status())


@router.get("/v1/capabilities", response_model=Capabilities, responses=refuses())
async def capabilities(at: At) -> Response:
    """Return engines, models and device, waiting for a worker that is starting."""
    able = await at.jobs.wait_ready(WORKER_SECONDS)
    about = (API_VERSION, __version__, at.instance)
    if able is None:
        return answer(Capabilities(*about, ready=False, clients=at.leases.alive()))
    return answer(Capabilities(*about, True, able.device, able.engines, able.models, at.leases.alive()))


@router.post("/v1/clients/lease", responses=refuses(400, 422), openapi_extra=takes(LeaseRequest))
async def lease(at: At, request: Request) -> dict[str, Any]:
    """Give a client a lease: while it is kept alive, the service stays."""
    wish, _ = await read_record(request, LeaseRequest)
    return {"lease": at.leases.take(wish.name), "seconds": at.leases.seconds}


@router.post("/v1/clients/heartbeat", responses=refuses(400, 404, 422), openapi_extra=takes(LeaseName))
async def heartbeat(at: At, request: Request) -> dict[str, float]:
    """Keep a lease alive."""
    name, _ = await read_record(request, LeaseName)
    at.leases.beat(name.lease)
    return {"seconds": at.leases.seconds}


@router.post("/v1/clients/release", responses=refuses(400, 422), openapi_extra=takes(LeaseName))
async def release(at: At, request: Request) -> dict[str, bool]:
    """End a lease."""
    name, _ = await read_record(request, LeaseName)
    at.leases.release(name.lease)
    return {"released": True}


@router.post("/v1/shutdown", responses=refuses(400, 409, 422), openapi_extra=takes(Shutdown))
async def shutdown(at: At, request: Request) -> dict[str, bool]:
    """End the service; refused while there are jobs or trainings, unless forced."""
    wish, _ = await read_record(request, Shutdown)
    if not (at.jobs.idle and at.trainings.idle) and not wish.force:
        what = "trainings" if at.jobs.idle else "jobs"
        raise RefusedError(
            409, f"there are {what}: wait for them, cancel them, or force the shutdown (they go on at the next start)"
        )
    at.stop()
    return {"stopping": True}

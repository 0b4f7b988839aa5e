"""The application of API v1: its routers, and every error as a problem. Who may ask is checked before it, in `security`."""

from __future__ import annotations

import http
import sqlite3

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from medsynth_core.errors import MedSynthError
from medsynth_core.protocol import API_VERSION
from medsynth_core.service import problems, routes_jobs, routes_library, routes_state, routes_training
from medsynth_core.service.desk import Desk
from medsynth_core.service.journal import is_full_disk

_PROBLEM_SCHEMA = {
    "type": "object",
    "required": ["type", "title", "status", "detail", "code"],
    "properties": {name: {"type": "string"} for name in ("type", "title", "detail", "code")} | {"status": {"type": "integer"}},
}


def make_app(desk: Desk) -> FastAPI:
    """Return the application that works with `desk`."""
    app = FastAPI(title="MedSynth", version=str(API_VERSION), docs_url=None, redoc_url=None, openapi_url="/v1/openapi.json")
    app.router.redirect_slashes = False
    app.state.desk = desk
    for router in (routes_state.router, routes_jobs.router, routes_library.router, routes_training.router):
        app.include_router(router)
    app.add_exception_handler(MedSynthError, _on_our_error)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(HTTPException, _on_http_error)
    app.add_exception_handler(sqlite3.OperationalError, _on_journal_error)
    app.add_exception_handler(Exception, _on_defect)
    app.openapi()["components"].setdefault("schemas", {})["Problem"] = _PROBLEM_SCHEMA
    return app


async def _on_our_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, MedSynthError)
    return _problem(problems.status_of(error), error.code, str(error))


async def _on_invalid(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"])
    return _problem(422, "bad_input", f"{place}: {first['msg']}")


async def _on_http_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    code = "not_found" if error.status_code == 404 else "bad_input"
    phrase = http.HTTPStatus(error.status_code).phrase.lower()
    return _problem(error.status_code, code, f"{phrase}: see /v1/openapi.json for what there is", error.headers)


async def _on_journal_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, sqlite3.OperationalError)
    if not is_full_disk(error):
        return await _on_defect(request, error)
    return _problem(507, "storage_full", "the disk is full, so this cannot be noted down: make some room, then ask again")


async def _on_defect(_: Request, error: Exception) -> Response:
    return _problem(500, "internal", f"the service failed with {type(error).__name__}: this is a defect; report it")


def _problem(status: int, code: str, detail: str, headers: object = None) -> Response:
    kept = dict(headers) if isinstance(headers, dict) else None
    return Response(problems.problem(status, code, detail), status, kept, problems.MEDIA_TYPE)

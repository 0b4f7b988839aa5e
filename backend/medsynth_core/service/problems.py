"""Every error as RFC 9457 problem+json: a status, a stable code and one sentence, never a traceback or a path."""

from __future__ import annotations

import http
import json

from medsynth_core import errors

MEDIA_TYPE = "application/problem+json"
MAX_DETAIL = 500
_STATUS: tuple[tuple[type[errors.MedSynthError], int], ...] = (
    (errors.ModelNotFoundError, 404),
    (errors.NotFoundError, 404),
    (errors.StorageFullError, 507),
    (errors.UnauthorizedError, 401),
    (errors.ServiceUnavailableError, 503),
    (errors.InputError, 422),
    (errors.ModelError, 422),
)


class RefusedError(errors.ServiceError):
    """A request refused with the HTTP status it carries."""

    def __init__(self, status: int, message: str, code: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.code = code or ("bad_input" if status in (400, 411, 413, 415) else "service_error")


def status_of(error: errors.MedSynthError) -> int:
    """Return the HTTP status that fits the error."""
    if isinstance(error, RefusedError):
        return error.status
    return next((status for kind, status in _STATUS if isinstance(error, kind)), 500)


def problem(status: int, code: str, detail: str) -> bytes:
    """Return the body of a problem+json answer; a detail that echoes a huge value is cut."""
    title = http.HTTPStatus(status).phrase
    short = detail if len(detail) <= MAX_DETAIL else detail[: MAX_DETAIL - 1] + "…"
    return json.dumps({"type": "about:blank", "title": title, "status": status, "detail": short, "code": code}).encode()

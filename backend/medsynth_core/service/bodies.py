"""JSON bodies of requests: read, bounded and turned into records, with one sentence for whatever is wrong."""

from __future__ import annotations

import json
from typing import Any, NoReturn, TypeVar

from starlette.requests import Request

from medsynth_core.errors import InputError
from medsynth_core.protocol import from_json
from medsynth_core.service.problems import RefusedError

RecordT = TypeVar("RecordT")
MAX_KEYS = 10_000


async def read_record(request: Request, kind: type[RecordT]) -> tuple[RecordT, bytes]:
    """Return (the record the body describes, the body). Raises RefusedError (400) for no JSON, InputError naming a wrong key."""
    body = await request.body()
    return from_json(kind, _parse(body), "request"), body


def _parse(body: bytes) -> Any:
    if body.count(b":") > MAX_KEYS:  # a cheap upper bound, before a parser builds anything
        raise InputError(f"the body has more than {MAX_KEYS} keys")
    try:
        value = json.loads(body, parse_constant=_refuse_constant)
        json.dumps(
            value, ensure_ascii=False, allow_nan=False
        ).encode()  # half a surrogate pair or 1e999 parse, but cannot be kept
        return value
    except (ValueError, RecursionError):
        raise RefusedError(400, "the body is not valid JSON") from None


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)

"""Requests made from the service's own OpenAPI document: no 5xx, and every answer is as documented."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tests.running import RunningService

CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,ignored_auth"


def test_requests_made_from_the_openapi_document_find_no_crack(
    start_service: Callable[..., RunningService], tmp_path: Path
) -> None:
    service = start_service(idle_seconds=600)
    job = service.submit(slices=2)
    service.wait_ended(job)
    command = [sys.executable, "-m", "schemathesis.cli", "run", f"http://127.0.0.1:{service.port}/v1/openapi.json"]
    command += ["--header", f"Authorization: Bearer {service.token}", "--checks", CHECKS, "--max-examples", "6"]
    command += [
        "--phases",
        "examples,coverage,fuzzing",
        "--seed",
        "1",
        "--request-timeout",
        "10",
        "--exclude-path",
        "/v1/shutdown",
    ]
    done = subprocess.run(command, cwd=tmp_path, env=dict(os.environ), capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert service.status()["worker"] in ("ready", "busy")

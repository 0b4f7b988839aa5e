"""What the service costs over the bare engine, on a live stroke. The best of many tries, for the machine may be busy."""

from __future__ import annotations

import json
import time
import uuid

from tests.running import ENDED, RunningService

BAR_MS = 10.0


def test_a_short_job_costs_at_most_ten_milliseconds(shared_service: RunningService) -> None:
    shared_service.wait_ready()
    assert any(stroke(shared_service) * 1000 <= BAR_MS for _ in range(60))


def stroke(service: RunningService) -> float:
    """Return the seconds from the POST of one slice of 128² to the event `done`, over one connection."""
    headers = {"Authorization": f"Bearer {service.token}", "Content-Type": "application/json"}
    body = json.dumps({"engine": "fake", "model": "", "inputs": {}, "params": {"slices": 1, "size": 128}}).encode()
    with service.connection() as connection:
        connection.connect()
        started = time.perf_counter()
        connection.request("POST", "/v1/jobs", body, headers | {"Idempotency-Key": uuid.uuid4().hex})
        job, after = json.loads(connection.getresponse().read())["id"], 0
        while True:
            connection.request("GET", f"/v1/jobs/{job}/events?after={after}&wait=20", headers=headers)
            for line in connection.getresponse().read().splitlines():
                event = json.loads(line)
                after = event["number"]
                if event["state"] in ENDED:
                    return time.perf_counter() - started

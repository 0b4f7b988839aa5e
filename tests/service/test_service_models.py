"""A real model through the service: loaded, run twice to the same bytes, and off the device when nobody needs it."""

from __future__ import annotations

import uuid
from collections.abc import Callable

import numpy as np

from medsynth_core import wire
from medsynth_core.models import registry
from medsynth_core.volume import Volume
from tests.running import RunningService, wait_for


def test_a_model_is_loaded_run_and_unloaded_when_idle(start_service: Callable[..., RunningService]) -> None:
    service = start_service(unload_seconds=4, warm_seconds=0.1)
    model = next(info.card for info in registry.list_models() if info.engine == "synthesize" and info.card)
    status = service.ask("POST", f"/v1/models/{model.id}/load")[1]
    assert status["loaded_models"] == [model.id]
    first, second = (synthesize(service, model.id) for _ in range(2))
    assert np.array_equal(first, second)
    assert first.shape == (model.channels, 1, 40, 56)
    wait_for(lambda: service.status()["loaded_models"] == [], 15)
    recipe = service.ask("GET", "/v1/jobs")[1]["jobs"][0]["recipe"]
    assert len(recipe["model_sha256"]) == 64
    assert (recipe["model"], recipe["params"]["steps"]) == (model.id, 1)


def synthesize(service: RunningService, model: str) -> np.ndarray:
    mask = np.zeros((1, 1, 40, 56), np.uint8)
    mask[..., 10:25, 20:40] = 1
    content = wire.encode(Volume(mask), compress=True)
    name = wire.fingerprint(content)
    service.ask("PUT", f"/v1/arrays/{name}", content)
    request = {"engine": "synthesize", "model": model, "inputs": {"mask": name}, "seed": 5, "params": {"steps": 1}}
    status, job = service.ask("POST", "/v1/jobs", request, Idempotency_Key=uuid.uuid4().hex)
    assert status == 201, job
    assert service.wait_ended(job["id"])["state"] == "done", service.job(job["id"])
    return service.result(job["id"])

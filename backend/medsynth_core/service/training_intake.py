"""What the order of a training must be before it is accepted. What lies in its folders is for the training child to judge."""

from __future__ import annotations

import os
from collections.abc import Iterable

from medsynth_core.errors import InputError, ModelNotFoundError, ParameterError
from medsynth_core.models import registry
from medsynth_core.protocol import EngineInfo, ModelInfo
from medsynth_core.protocol_training import TrainingRequest
from medsynth_core.service.problems import RefusedError

MOST_STEPS, MOST_BATCH, MOST_SEED = 10**8, 10**5, 2**31 - 1
MOST_PATH, MOST_TEXT = 4096, 1000


def check_data(request: TrainingRequest, engines: Iterable[EngineInfo]) -> None:
    """Raise InputError or ParameterError for what cannot even be looked at."""
    known = {engine.name: engine.problem for engine in engines}
    if request.engine not in known:
        raise InputError(f"engine is {request.engine!r}: it must be one of {', '.join(known)}")
    if known[request.engine]:
        raise InputError(f"the engine {request.engine} cannot run here: {known[request.engine]}")
    for field, path in (("data", request.data), ("metadata", request.metadata), ("unlabeled", request.unlabeled)):
        if len(path) > MOST_PATH or "\0" in path or (not os.path.isabs(path) and (path or field == "data")):
            raise ParameterError(f"{field} must be a whole path on this machine, from its root: this one is not")
    for field, text in (("title", request.title), ("license", request.license), ("preset", request.preset)):
        if len(text) > MOST_TEXT:
            raise ParameterError(f"{field} has {len(text)} characters: at most {MOST_TEXT} are taken")
    within = (
        ("steps", request.steps, MOST_STEPS),
        ("batch", request.batch, MOST_BATCH),
        ("label_percent", request.label_percent, 100),
    )
    for field, value, most in within:
        if value is not None and not 1 <= value <= most:
            raise ParameterError(f"{field} is {value}: it must lie between 1 and {most}")
    if not 0 <= request.seed <= MOST_SEED:
        raise ParameterError(f"seed is {request.seed}: it must lie between 0 and {MOST_SEED}")


def check_names(request: TrainingRequest, models: Iterable[ModelInfo], under_way: Iterable[str]) -> None:
    """Raise for a model id that is no plain name or taken (409), and for a base that is not an installed model of the engine.

    `under_way` are the ids that other trainings will take.
    """
    there = {model.id: model for model in models}
    if not registry.is_plain_name(request.model_id):
        raise ParameterError(
            f"model_id is {request.model_id[:80]!r}: it must be a plain name of letters, digits, dots, - and _, at most 64"
        )
    if request.model_id in there:
        raise RefusedError(409, f"a model {request.model_id} is there already: give the new one another name")
    if request.model_id in under_way:
        raise RefusedError(409, f"another training makes {request.model_id}: give this one another name, or remove that")
    if not request.base:
        return
    if request.base not in there:
        raise ModelNotFoundError(f"base is {request.base[:80]!r}: it must be one of {', '.join(there) or 'none'}")
    base = there[request.base]
    if base.problem or base.engine != request.engine:
        raise ParameterError(f"base {base.id} {base.problem or f'is a model of {base.engine}'}: choose one of {request.engine}")

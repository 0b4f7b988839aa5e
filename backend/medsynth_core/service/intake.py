"""What a job must be before it is accepted: engine, model, parameters and arrays are checked against the capabilities."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from medsynth_core import __version__
from medsynth_core.errors import InputError, ModelError, ModelNotFoundError, ParameterError
from medsynth_core.models.folder import fingerprint
from medsynth_core.protocol import EngineInfo, JobRequest, ModelCard, ModelInfo, ParamInfo, Scalar
from medsynth_core.service.frames import Ready

MAX_NOTE = 2000


def check_request(request: JobRequest, able: Ready, array_size: Callable[[str], int]) -> tuple[dict[str, Any], int]:
    """Return (the recipe so far, the bytes of its inputs).

    Raises InputError, ParameterError, ModelNotFoundError, ModelError or NotFoundError, whichever sentence helps most.
    """
    engine = _engine(request.engine, able.engines)
    card = _card(request.model, engine, able)
    params = complete_params(request.params, engine, card)
    if len(request.note) > MAX_NOTE or len(request.client) > MAX_NOTE or abs(request.seed) >= 2**63:
        raise InputError(f"note and client may have {MAX_NOTE} characters, the seed 63 bits")
    _check_inputs(request, engine)
    recipe = {
        "engine": request.engine,
        "model": request.model,
        "model_sha256": fingerprint(card) if card else "",
        "seed": request.seed,
        "params": params,
        "inputs": dict(request.inputs),
        "code_version": __version__,
        "synthetic": engine.synthetic,
    }
    return recipe, sum(array_size(sha256) for sha256 in request.inputs.values())


def complete_params(values: dict[str, Scalar], engine: EngineInfo, card: ModelCard | None) -> dict[str, Scalar]:
    """Return all parameters and model options, checked, defaults filled in. Raises ParameterError naming the field."""
    known: dict[str, ParamInfo] = {info.name: info for info in (*engine.params, *(card.options if card else ()))}
    if unknown := sorted(set(values) - set(known)):
        raise ParameterError(f"{unknown[0]} is not a parameter of {engine.name}; known: {', '.join(known) or 'none'}")
    return {name: info.check(values.get(name, info.default)) for name, info in known.items()}


def _engine(name: str, engines: tuple[EngineInfo, ...]) -> EngineInfo:
    for engine in engines:
        if engine.name == name and engine.problem:
            raise InputError(f"the engine {name} cannot run here: {engine.problem}")
        if engine.name == name:
            return engine
    raise InputError(f"engine is {name!r}: it must be one of {_list(e.name for e in engines if not e.problem)}")


def _card(name: str, engine: EngineInfo, able: Ready) -> ModelCard | None:
    if engine.name not in able.with_models:
        if name:
            raise ModelNotFoundError(f"model is {name!r}: the engine {engine.name} takes none; leave it out")
        return None
    fitting = _list(model.id for model in able.models if model.engine == engine.name)
    for model in able.models:
        if model.id == name:
            return _usable(model, engine, fitting)
    raise ModelNotFoundError(f"model is {name!r}: for {engine.name} it must be one of {fitting}")


def _usable(model: ModelInfo, engine: EngineInfo, fitting: str) -> ModelCard:
    if model.card is None:
        raise ModelError(model.problem)
    if model.engine != engine.name:
        raise ModelError(f"model {model.id} belongs to the engine {model.engine}, not to {engine.name}: use one of {fitting}")
    return model.card


def _check_inputs(request: JobRequest, engine: EngineInfo) -> None:
    known = [info.name for info in engine.inputs]
    if unknown := sorted(set(request.inputs) - set(known)):
        raise InputError(f"{unknown[0]!r} is not an input of {engine.name}; it takes {_list(known)}")
    if missing := [info.name for info in engine.inputs if info.required and info.name not in request.inputs]:
        raise InputError(f"the input {missing[0]!r} of {engine.name} is missing: upload the array and name it")


def _list(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"

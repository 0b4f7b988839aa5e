"""What every engine must keep: each one that discovery finds is checked, with its smallest installed model if it needs one."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from medsynth_core.engines._base import Engine, EngineEvent, Progress, Slice, Task, discover
from medsynth_core.errors import ParameterError
from medsynth_core.launcher import clean_environment
from medsynth_core.models import registry
from medsynth_core.protocol import OutputInfo, ParamKind
from medsynth_core.volume import Volume

SIZE = 48


def _names() -> list[str]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MEDSYNTH_FAKE_ENGINE", "1")
        return sorted(discover()[0])


@pytest.fixture(params=_names())
def engine(request: pytest.FixtureRequest) -> Engine:
    return discover()[0][request.param]


@pytest.fixture
def model(engine: Engine) -> Any:
    """The engine's smallest installed model, loaded; None for an engine that takes none."""
    if engine.load is None:
        return None
    mains = (info for info in registry.list_models() if info.engine == engine.name and info.card and not info.card.role)
    folders = [registry.find(info.id) for info in mains]
    if not folders:
        pytest.skip(f"no model of {engine.name} is installed")
    return _load(engine, min(folders, key=_size))


@functools.cache
def _load(engine: Engine, folder: Path) -> Any:
    assert engine.load is not None
    return engine.load(folder, "cpu")


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def task_of(engine: Engine, model: Any, seed: int) -> Task:
    """Return a small task: a disk painted on each input, few steps, all other parameters at their defaults.

    An image that may be left out is: a disk is no picture of a patient.
    """
    card = getattr(model, "card", None)
    y, x = np.mgrid[:SIZE, :SIZE]
    disk = ((y - 24) ** 2 + (x - 24) ** 2 < 120).astype(np.uint8)[None, None]
    known = [info.name for info in engine.describe().params]
    params, options = engine.read_params(
        {name: value for name, value in {"steps": 2, "slices": 3}.items() if name in known}, card
    )
    inputs = {info.name: Volume(disk) for info in engine.inputs if info.required or info.kind == "labels"}
    return Task(inputs, params, seed, model, options)


def run(engine: Engine, model: Any, seed: int) -> list[EngineEvent]:
    return list(engine.run(task_of(engine, model, seed)))


def slices(events: list[EngineEvent]) -> dict[tuple[str, int], bytes]:
    return {(e.output, e.z): np.ascontiguousarray(e.array).tobytes() for e in events if isinstance(e, Slice)}


def test_an_engine_gives_each_slice_it_announced_once_and_in_shape(engine: Engine, model: Any) -> None:
    events = run(engine, model, seed=3)
    outputs = {event.name: event for event in events if isinstance(event, OutputInfo)}
    assert outputs
    made = [event for event in events if isinstance(event, Slice)]
    for event in made:
        c, _, y, x = outputs[event.output].shape
        assert event.array.shape == (c, y, x)
        assert event.array.dtype.name == outputs[event.output].dtype
    wanted = sorted((name, z) for name, output in outputs.items() for z in range(output.shape[1]))
    assert sorted((event.output, event.z) for event in made) == wanted


def test_an_output_is_announced_before_its_first_slice(engine: Engine, model: Any) -> None:
    announced: set[str] = set()
    for event in run(engine, model, seed=3):
        if isinstance(event, OutputInfo):
            announced.add(event.name)
        if isinstance(event, Slice):
            assert event.output in announced


def test_progress_grows_to_its_end(engine: Engine, model: Any) -> None:
    steps = [event for event in run(engine, model, seed=3) if isinstance(event, Progress)]
    assert [s.done for s in steps] == sorted(s.done for s in steps)
    assert steps[-1].done == steps[-1].total


def test_the_same_seed_gives_the_same_bytes(engine: Engine, model: Any) -> None:
    assert slices(run(engine, model, seed=3)) == slices(run(engine, model, seed=3))


def test_another_seed_gives_other_bytes(engine: Engine, model: Any) -> None:
    assert slices(run(engine, model, seed=3)) != slices(run(engine, model, seed=4))


def test_an_engine_can_be_cancelled_between_any_two_events(engine: Engine, model: Any) -> None:
    count = len(run(engine, model, seed=3))
    for stop in range(count):
        events: Iterator[EngineEvent] = engine.run(task_of(engine, model, seed=3))
        for _ in range(stop):
            next(events, None)  # how many previews there are may depend on the clock
        events.close()  # type: ignore[attr-defined]
        assert next(events, None) is None
    assert slices(run(engine, model, seed=3)) == slices(run(engine, model, seed=3))


def test_an_unknown_parameter_is_named(engine: Engine) -> None:
    with pytest.raises(ParameterError, match="no_such_parameter"):
        engine.read_params({"no_such_parameter": 1})


def test_each_parameter_refuses_what_is_outside_its_range_and_names_itself(engine: Engine) -> None:
    for info in engine.describe().params:
        wrong: list[object] = [[], None]
        if info.kind in (ParamKind.INTEGER, ParamKind.NUMBER):
            wrong += [float("nan")]
            wrong += [] if info.maximum is None else [type(info.default)(info.maximum + 1)]
            wrong += [] if info.minimum is None else [type(info.default)(info.minimum - 1)]
        for value in wrong:
            with pytest.raises(ParameterError, match=info.name):
                engine.read_params({info.name: value})  # type: ignore[dict-item]


def test_each_default_is_allowed(engine: Engine) -> None:
    for info in engine.describe().params:
        assert info.check(info.default) == info.default
        assert info.label


def test_declaring_the_engines_loads_no_torch() -> None:
    script = "import sys; from medsynth_core.engines._base import discover; discover(); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-P", "-c", script], env=clean_environment(os.environ), timeout=60).returncode == 0


def test_no_engine_fails_to_import() -> None:
    assert {info.name: info.problem for info in discover()[1] if info.problem} == {}


def test_the_fake_engine_is_not_for_users(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MEDSYNTH_FAKE_ENGINE")
    assert "fake" not in discover()[0]

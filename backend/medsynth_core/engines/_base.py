"""What an engine is: a declaration, a loader and a generator.

    ENGINE = Engine(
        name="synthesize", summary="…", paper="arXiv …",
        inputs=(InputInfo("mask", "Mask", "labels"),),
        params=Params,              # a frozen dataclass; each field made by `param(...)`
        load=load,                  # (model folder, device) -> model
        run=run,                    # (Task) -> Iterator[EngineEvent]
    )

`run` is a generator: it yields what happens, and closing it cancels. The worker turns what it yields into durable events, so
the progress bar, the live layer, cancel, resume and the tests need nothing else. Everything an engine computes must follow
from the task alone (inputs, params, seed): the same task gives the same bytes on the same device, also when it resumes.
"""

from __future__ import annotations

import dataclasses
import importlib
import os
import pkgutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from medsynth_core.errors import InputError, ParameterError
from medsynth_core.protocol import EngineInfo, InputInfo, ModelCard, OutputInfo, ParamInfo, ParamKind, PresetInfo, Scalar
from medsynth_core.quality import Badge
from medsynth_core.volume import Volume


@dataclass(frozen=True)
class Progress:
    """`done` of `total` equal steps are finished."""

    done: int
    total: int
    message: str = ""


@dataclass(frozen=True)
class Slice:
    """Slice `z` of an announced output: array (channel, y, x).

    Given again it is left aside (a resumed engine may repeat itself), unless it `replaces` the one before: a second pass.
    """

    output: str
    z: int
    array: np.ndarray
    replaces: bool = False


@dataclass(frozen=True)
class Preview:
    """A look at an output before it is final: array (channel, z, y, x)."""

    output: str
    array: np.ndarray


@dataclass(frozen=True)
class Note:
    """A fact for the recipe, such as the device or a step of the memory ladder that was taken."""

    key: str
    value: Scalar


EngineEvent = Progress | Slice | Preview | Note | OutputInfo | Badge
"""What `run` yields. An OutputInfo announces an output and comes before its first slice; a Badge says how good a result is."""


@dataclass(frozen=True)
class Task:
    """All an engine may depend on. `finished` holds slices (output → z → array) kept from before a resume.

    `attempt` counts the starts of the job from 1; no result may depend on it. `judge` is what the engine's `judge` has read from
    the model's folder, None where nobody wants a badge.
    """

    inputs: Mapping[str, Volume]
    params: Any
    seed: int
    model: Any = None
    options: Mapping[str, Scalar] = field(default_factory=dict)
    finished: Mapping[str, Mapping[int, np.ndarray]] = field(default_factory=dict)
    attempt: int = 1
    judge: Any = None


@dataclass(frozen=True)
class Engine:
    """One method: what it takes, how its model loads and how it runs. `load` is None for an engine without models.

    An engine that can be trained has `recipe(data, order)` and `examine(data, order)`: the latter finds what is wrong with a
    folder (`training.doctor.Examined`), by the rules that the former refuses by. `presets` names its ways to train for forms, the
    default first: told here, because the presets themselves need torch.
    `judge(folder, card)` reads from a model's folder what results are measured by, for `Task.judge`; `run` then yields a Badge.
    `synthetic` is False where the outputs are derived from what was handed in, such as a refined mask.
    `one_slice` is True where a single 2-D slice is taken, and a stack refused.
    `only_with` names an environment variable that must be 1 for the engine to be listed: the tests' engine is not for users.
    """

    name: str
    summary: str
    inputs: tuple[InputInfo, ...]
    params: type
    run: Callable[[Task], Iterator[EngineEvent]]
    paper: str = ""
    load: Callable[[Path, str], Any] | None = None
    recipe: Callable[..., Any] | None = None
    examine: Callable[..., Any] | None = None
    presets: tuple[PresetInfo, ...] = ()
    judge: Callable[[Path, ModelCard], Any] | None = None
    synthetic: bool = True
    one_slice: bool = False
    only_with: str = ""

    @property
    def listed(self) -> bool:
        """Whether the engine is offered in this environment."""
        return not self.only_with or os.environ.get(self.only_with) == "1"

    def describe(self) -> EngineInfo:
        """Return the entry of the capability document."""
        return EngineInfo(
            self.name,
            self.summary,
            self.paper,
            self.inputs,
            param_infos(self.params),
            synthetic=self.synthetic,
            one_slice=self.one_slice,
            presets=self.presets,
        )

    def read_params(self, values: Mapping[str, Scalar], card: ModelCard | None = None) -> tuple[Any, dict[str, Scalar]]:
        """Return (params, model options) checked and completed with defaults. Raises ParameterError naming the field."""
        infos = {info.name: info for info in param_infos(self.params)}
        options = {info.name: info for info in card.options} if card else {}
        known = infos | options
        if unknown := sorted(set(values) - set(known)):
            raise ParameterError(f"{unknown[0]} is not a parameter of {self.name}; known: {', '.join(known) or 'none'}")
        checked = {name: info.check(values.get(name, info.default)) for name, info in known.items()}
        return self.params(**{n: checked[n] for n in infos}), {n: checked[n] for n in options}


def param(
    default: Scalar,
    label: str,
    *,
    minimum: float | None = None,
    maximum: float | None = None,
    choices: tuple[Scalar, ...] = (),
    unit: str = "",
    help: str = "",
    advanced: bool = False,
) -> Any:
    """Return the dataclass field of one parameter; its kind follows from the default and the choices."""
    kinds = {bool: ParamKind.FLAG, int: ParamKind.INTEGER, float: ParamKind.NUMBER, str: ParamKind.TEXT}
    kind = ParamKind.CHOICE if choices else kinds[type(default)]
    info = ParamInfo("", label, kind, default, minimum, maximum, choices, unit, help, advanced)
    return dataclasses.field(default=default, metadata={"param": info})


def param_infos(params: type) -> tuple[ParamInfo, ...]:
    """Return the description of each field of a Params dataclass."""
    return tuple(dataclasses.replace(f.metadata["param"], name=f.name) for f in dataclasses.fields(params))


def discover() -> tuple[dict[str, Engine], tuple[EngineInfo, ...]]:
    """Return the engines that import, and the description of all: one that cannot import is listed with the reason."""
    engines: dict[str, Engine] = {}
    infos: list[EngineInfo] = []
    package = importlib.import_module("medsynth_core.engines")
    for found in sorted(pkgutil.iter_modules(package.__path__), key=lambda m: m.name):
        if found.name.startswith("_"):
            continue
        try:
            engine = importlib.import_module(f"medsynth_core.engines.{found.name}").ENGINE
        except Exception as problem:  # noqa: BLE001  border: a broken engine must not take the others down
            infos.append(EngineInfo(found.name, "", problem=f"{type(problem).__name__}: {problem}"))
            continue
        if not engine.listed:
            continue
        engines[engine.name] = engine
        infos.append(engine.describe())
    return engines, tuple(infos)


def get_engine(name: str) -> Engine:
    """Return one engine by name. Raises InputError listing what there is."""
    engines, _ = discover()
    if name not in engines:
        raise InputError(f"engine is {name!r}: it must be one of {', '.join(engines)}")
    return engines[name]

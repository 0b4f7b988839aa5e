"""All settings of the service, in one frozen record. Unknown keys are errors."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medsynth_core.errors import InputError

GIB = 2**30


@dataclass(frozen=True)
class ServiceConfig:
    """What may be set. Every `*_seconds` is a time span in seconds, every `*_bytes` a size in bytes.

    home: state folder · port: 0 takes a free one · idle: the service ends when there was neither lease nor job for so long ·
    lease: a client that is silent for so long is gone · hang: an engine without a sign of life for so long is killed ·
    cancel: an engine that does not yield for so long after a cancel is killed · unload: models leave the device when unused for
    so long · warm: an idle worker loads its libraries after so long · budget: results kept, starred ones apart ·
    reserve: disk space that a job may not touch · retries: how often a job survives the death of its worker ·
    training_retries: how often in a row a training's process may die without getting further · training_hang: one without a sign
    of life for so long is killed · doctor: an examination may take so long.
    """

    home: Path
    port: int = 0
    idle_seconds: float = 600.0
    lease_seconds: float = 60.0
    hang_seconds: float = 60.0
    cancel_seconds: float = 3.5
    unload_seconds: float = 300.0
    warm_seconds: float = 0.5
    budget_bytes: int = 50 * GIB
    reserve_bytes: int = GIB // 4
    retries: int = 2
    training_retries: int = 5
    training_hang_seconds: float = 1800.0
    doctor_seconds: float = 1800.0

    @classmethod
    def read(cls, values: Mapping[str, str]) -> ServiceConfig:
        """Return the config of text values by name, as the command line and the environment give them.

        Raises InputError naming an unknown key or a value of the wrong type.
        """
        kinds = typing.get_type_hints(cls)
        if unknown := sorted(set(values) - set(kinds)):
            raise InputError(f"{unknown[0]} is not a setting of the service; known: {', '.join(kinds)}")
        return cls(**{name: _convert(name, kinds[name], text) for name, text in values.items()})


def setting_names() -> tuple[str, ...]:
    """Return the name of every setting."""
    return tuple(f.name for f in dataclasses.fields(ServiceConfig))


def _convert(name: str, kind: type, text: str) -> Any:
    try:
        return kind(text)
    except ValueError:
        raise InputError(f"{name} is {text!r}: it must be {kind.__name__}") from None

"""Records to JSON and back: the only way, and a strict one. An unknown or missing key is an error that names it."""

from __future__ import annotations

import dataclasses
import enum
import functools
import types
import typing
from typing import Any, TypeVar

from medsynth_core.errors import InputError

RecordT = TypeVar("RecordT")


def to_json(record: Any) -> Any:
    """Return the plain JSON value of a record (dataclass, enum, tuple, dict or scalar)."""
    if dataclasses.is_dataclass(record) and not isinstance(record, type):
        return {f.name: to_json(getattr(record, f.name)) for f in dataclasses.fields(record)}
    if isinstance(record, enum.Enum):
        return record.value
    if isinstance(record, (tuple, list)):
        return [to_json(item) for item in record]
    if isinstance(record, dict):
        return {str(key): to_json(value) for key, value in record.items()}
    return record


def from_json(kind: type[RecordT], value: Any, where: str = "") -> RecordT:
    """Return the record of type `kind` that `value` describes. Raises InputError naming the key and the rule."""
    return typing.cast(RecordT, _read(kind, value, where or getattr(kind, "__name__", "value")))


def _read(kind: Any, value: Any, where: str) -> Any:
    origin, args = typing.get_origin(kind), typing.get_args(kind)
    if kind is Any:
        return value
    if dataclasses.is_dataclass(kind):
        return _read_record(kind, value, where)
    if origin in (typing.Union, types.UnionType):
        return _read_union(args, value, where)
    if origin is tuple:
        return _read_tuple(args, value, where)
    if origin is dict and isinstance(value, dict):
        return {key: _read(args[1], item, f"{where}.{key}") for key, item in value.items()}
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return _read_enum(kind, value, where)
    return _read_scalar(kind, value, where)


def _read_record(kind: Any, value: Any, where: str) -> Any:
    if not isinstance(value, dict):
        raise InputError(f"{where} must be an object, not {type(value).__name__}")
    hints = _hints(kind)
    fields = {f.name: f for f in dataclasses.fields(kind)}
    if unknown := sorted(set(value) - set(fields)):
        raise InputError(f"{where} has the unknown key {unknown[0]!r}; known: {', '.join(fields)}")
    for name, f in fields.items():
        required = f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
        if required and name not in value:
            raise InputError(f"{where} lacks the key {name!r}")
    return kind(**{name: _read(hints[name], item, f"{where}.{name}") for name, item in value.items()})


@functools.cache
def _hints(kind: type) -> dict[str, Any]:
    return typing.get_type_hints(kind)


def _read_union(choices: tuple[Any, ...], value: Any, where: str) -> Any:
    if value is None and type(None) in choices:
        return None
    plain = [choice for choice in choices if choice is not type(None)]
    if type(value) in plain:
        return value
    if len(plain) == 1:
        return _read(plain[0], value, where)
    raise InputError(f"{where} is {value!r}: it must be {' or '.join(c.__name__ for c in plain)}")


def _read_tuple(args: tuple[Any, ...], value: Any, where: str) -> tuple[Any, ...]:
    if not isinstance(value, (list, tuple)):
        raise InputError(f"{where} must be a list, not {type(value).__name__}")
    if args[-1] is Ellipsis:
        return tuple(_read(args[0], item, f"{where}[{i}]") for i, item in enumerate(value))
    if len(value) != len(args):
        raise InputError(f"{where} has {len(value)} entries: it must have {len(args)}")
    return tuple(_read(arg, item, f"{where}[{i}]") for i, (arg, item) in enumerate(zip(args, value, strict=True)))


def _read_enum(kind: type[enum.Enum], value: Any, where: str) -> enum.Enum:
    try:
        return kind(value)
    except ValueError:
        raise InputError(f"{where} is {value!r}: it must be one of {', '.join(str(k.value) for k in kind)}") from None


def _read_scalar(kind: type, value: Any, where: str) -> Any:
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is not kind:
        raise InputError(f"{where} is {value!r}: it must be {kind.__name__}")
    return value

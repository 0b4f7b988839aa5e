"""Parameters of an engine as words of the command line: declared, read, checked by name."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from medsynth_core.cli_parser import Parser
from medsynth_core.errors import ParameterError
from medsynth_core.protocol import ParamInfo, ParamKind, Scalar

_DEST = "param_"
_WORDS = {"true": True, "yes": True, "false": False, "no": False}


def add_param_flags(parser: argparse.ArgumentParser, infos: Sequence[ParamInfo]) -> None:
    """Put a flag for each parameter on a parser, so that --help shows them with their ranges."""
    group = parser.add_argument_group("parameters of the engine")
    for info in infos:
        name, dest = "--" + info.name.replace("_", "-"), _DEST + info.name
        if info.kind is ParamKind.FLAG:
            group.add_argument(name, dest=dest, action=argparse.BooleanOptionalAction, default=None, help=_help(info))
        else:
            group.add_argument(name, dest=dest, metavar=_sample(info), help=_help(info))


def given_params(args: argparse.Namespace, infos: Sequence[ParamInfo]) -> dict[str, Scalar]:
    """Return the parameters whose flags were given, checked. Raises ParameterError naming the field."""
    given = ((info, getattr(args, _DEST + info.name, None)) for info in infos)
    return {info.name: info.check(v) if isinstance(v, bool) else read_value(info, v) for info, v in given if v is not None}


def read_params(options: Sequence[str], flags: Sequence[str], infos: Sequence[ParamInfo], command: str) -> dict[str, Any]:
    """Return the parameters given by --option NAME=VALUE and by flags not declared. Raises ParameterError naming the field."""
    known = {info.name: info for info in infos}
    texts = dict(name_and_value(text, "option") for text in options)
    texts |= _read_flags(flags, infos, command)
    if unknown := sorted(set(texts) - set(known)):
        raise ParameterError(f"{unknown[0]} is not a parameter of this model; known: {', '.join(known) or 'none'}")
    return {name: read_value(known[name], text) for name, text in texts.items()}


def label_names(texts: Sequence[str]) -> dict[int, str]:
    """Return label values with their names, as given by --label VALUE=NAME. Raises ParameterError."""
    pairs = [name_and_value(text, "label") for text in texts]
    if bad := [value for value, _ in pairs if not value.isdecimal()]:
        raise ParameterError(f"label value is {bad[0]!r}: it must be a whole number, as in --label 1=polyp")
    return {int(value): name for value, name in pairs}


def name_and_value(text: str, field: str) -> tuple[str, str]:
    """Return both sides of NAME=VALUE. Raises ParameterError."""
    name, equals, value = text.partition("=")
    if not (name and equals and value):
        raise ParameterError(f"{field} is {text!r}: write it as NAME=VALUE")
    return name, value


def read_value(info: ParamInfo, text: str) -> Scalar:
    """Return the value that a text stands for. Raises ParameterError naming the field, the value and the rule."""
    match info.kind:
        case ParamKind.CHOICE:
            return info.check(next((choice for choice in info.choices if str(choice) == text), text))
        case ParamKind.FLAG:
            return info.check(_WORDS.get(text.lower(), text))
        case ParamKind.TEXT:
            return info.check(text)
    try:
        return info.check(int(text) if info.kind is ParamKind.INTEGER else float(text))
    except ValueError:
        raise ParameterError(f"{info.name} is {text!r}: it must be of kind {info.kind.value}") from None


def _sample(info: ParamInfo) -> str:
    if info.choices:
        return "{" + ",".join(map(str, info.choices)) + "}"
    return "NAME" if info.kind is ParamKind.TEXT else "N"


def _help(info: ParamInfo) -> str:
    words, rule = info.help or info.label, ""
    if info.minimum is not None:
        rule = f"{info.minimum:g} or more" if info.maximum is None else f"{info.minimum:g} to {info.maximum:g}"
    default = "" if info.default in ("", False) and info.kind in (ParamKind.TEXT, ParamKind.FLAG) else f"default {info.default}"
    facts = (words[0].lower() + words[1:], " ".join(filter(None, (rule, info.unit))), default)
    return "; ".join(filter(None, facts)).replace("%", "%%")


def _read_flags(flags: Sequence[str], infos: Sequence[ParamInfo], command: str) -> dict[str, str]:
    parser = Parser(prog=command, add_help=False, allow_abbrev=False, argument_default=argparse.SUPPRESS)
    for info in infos:
        parser.add_argument("--" + info.name.replace("_", "-"), dest=info.name)
    return vars(parser.parse_args(flags))

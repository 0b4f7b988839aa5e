"""What a draft asks an engine for, in every viewer: the least of what makes it slow."""

from __future__ import annotations

from collections.abc import Mapping

from medsynth_core.protocol import ParamInfo, Scalar

DRAFTED = ("steps", "samples")
"""Parameters that a draft has the least of: what an engine calls its network evaluations and its runs."""


def drafted(params: tuple[ParamInfo, ...], values: Mapping[str, Scalar]) -> dict[str, Scalar]:
    """Return the values of a draft: the least of each parameter in DRAFTED that the engine has."""
    least = {info.name: min(info.choices) if info.choices else info.minimum for info in params if info.name in DRAFTED}
    known = {info.name: info for info in params}
    return {**values, **{name: known[name].check(low) for name, low in least.items() if low is not None and name in values}}

"""What a draft asks an engine for, in every viewer: the least of what makes it slow."""

from __future__ import annotations

from collections.abc import Mapping

from medsynth_core.protocol import ParamInfo, ParamKind, Scalar

DRAFTED = ("steps", "samples")
"""Parameters that a draft has the least of: what an engine calls its network evaluations and its runs."""


def drafted(params: tuple[ParamInfo, ...], values: Mapping[str, Scalar]) -> dict[str, Scalar]:
    """Return the values of a draft: the least of each parameter in DRAFTED that the engine has."""
    least = {info.name: _least(info) for info in params if info.name in DRAFTED and info.name in values}
    return {**values, **{name: low for name, low in least.items() if low is not None}}


def _least(info: ParamInfo) -> Scalar | None:
    """Return the lowest value of a parameter in its own type: limits travel as real numbers, also those of whole ones."""
    if info.choices:
        return min(info.choices)
    if info.minimum is None:
        return None
    return int(info.minimum) if info.kind is ParamKind.INTEGER else info.minimum

"""ParamInfo → magicgui: a form follows from the capability document, so a new engine needs no code here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from magicgui.widgets import CheckBox, ComboBox, FloatSpinBox, LineEdit, SpinBox
from magicgui.widgets.bases import ValueWidget

from medsynth_core.errors import ParameterError
from medsynth_core.protocol import ParamInfo, ParamKind, Scalar

FREE_RANGE = 10**9
"""Where a parameter has no bound, a spin box still needs one."""


class ParamForm:
    """The fields of some parameters, to be laid out by whoever shows them."""

    def __init__(self, params: tuple[ParamInfo, ...]) -> None:
        self._params = {info.name: info for info in params}
        self.fields: dict[str, ValueWidget[Any]] = {info.name: field_for(info) for info in params}

    def values(self) -> dict[str, Scalar]:
        """Return the values by name, checked. Raises ParameterError naming the field."""
        return {name: self._params[name].check(field.value) for name, field in self.fields.items()}

    def set_values(self, values: Mapping[str, Scalar]) -> None:
        """Show the values; those of unknown fields and those a field refuses (remembered from another version) are left out."""
        for name in set(values) & set(self.fields):
            try:
                self.fields[name].value = self._params[name].check(values[name])
            except ParameterError:
                continue


def field_for(info: ParamInfo) -> ValueWidget[Any]:
    """Return the magicgui widget for one parameter, with its range, unit, help and default."""
    common: dict[str, Any] = {"name": info.name, "label": _label(info), "tooltip": _tooltip(info), "value": info.default}
    match info.kind:
        case ParamKind.CHOICE:
            return ComboBox(choices=[(str(choice), choice) for choice in info.choices], **common)
        case ParamKind.FLAG:
            return _unlabeled(CheckBox(**common))
        case ParamKind.INTEGER:
            return SpinBox(min=_bound(info.minimum, -FREE_RANGE), max=_bound(info.maximum, FREE_RANGE), **common)
        case ParamKind.NUMBER:
            low, high = _bound(info.minimum, -FREE_RANGE), _bound(info.maximum, FREE_RANGE)
            return FloatSpinBox(min=low, max=high, step=_step(low, high), **common)
        case ParamKind.TEXT:
            return LineEdit(**common)


def split(params: tuple[ParamInfo, ...]) -> tuple[tuple[ParamInfo, ...], tuple[ParamInfo, ...]]:
    """Return the parameters for everyone and the advanced ones."""
    return tuple(p for p in params if not p.advanced), tuple(p for p in params if p.advanced)


def _unlabeled(box: CheckBox) -> CheckBox:
    """Return the box without words of its own: they stand beside it like those of every field."""
    box.native.setText("")
    return box


def _label(info: ParamInfo) -> str:
    return f"{info.label} ({info.unit})" if info.unit else info.label


def _tooltip(info: ParamInfo) -> str:
    bounds = f"{info.minimum:g} to {info.maximum:g}" if info.minimum is not None and info.maximum is not None else ""
    return " · ".join(part for part in (info.help, bounds) if part) or info.label


def _bound(value: float | None, otherwise: float) -> float:
    return otherwise if value is None else value


def _step(low: float, high: float) -> float:
    """Return a step that crosses the range in about a hundred clicks, 0.01 to 1."""
    return min(1.0, max(0.01, round((high - low) / 100, 2)))

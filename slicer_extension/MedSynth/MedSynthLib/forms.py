"""ParamInfo → Qt: a form follows from the capability document, so a new engine needs no code here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import qt

from medsynth_core.errors import ParameterError
from medsynth_core.protocol import ParamInfo, ParamKind, Scalar

FREE_RANGE = 10**9
"""Where a parameter has no bound, a spin box still needs one."""


class ParamForm:
    """The fields of some parameters in one widget, `page`."""

    def __init__(self, params: tuple[ParamInfo, ...]) -> None:
        self._params = {info.name: info for info in params}
        self.page = qt.QWidget()
        rows = qt.QFormLayout(self.page)
        rows.setContentsMargins(0, 0, 0, 0)
        self.fields: dict[str, Any] = {}
        for info in params:
            self.fields[info.name] = field_for(info)
            rows.addRow(f"{info.label} ({info.unit})" if info.unit else info.label, self.fields[info.name])

    def values(self) -> dict[str, Scalar]:
        """Return the values by name, checked. Raises ParameterError naming the field."""
        return {name: self._params[name].check(_read(self._params[name], field)) for name, field in self.fields.items()}

    def set_values(self, values: Mapping[str, Scalar]) -> None:
        """Show the values; those of unknown fields and those a field refuses (remembered from another version) are left out."""
        for name in set(values) & set(self.fields):
            try:
                _write(self._params[name], self.fields[name], self._params[name].check(values[name]))
            except ParameterError:
                continue


def field_for(info: ParamInfo) -> Any:
    """Return the widget for one parameter, with its range, help and default."""
    match info.kind:
        case ParamKind.CHOICE:
            field = qt.QComboBox()
            field.addItems([str(choice) for choice in info.choices])
        case ParamKind.FLAG:
            field = qt.QCheckBox()
        case ParamKind.INTEGER:
            field = qt.QSpinBox()
            field.setRange(int(_bound(info.minimum, -FREE_RANGE)), int(_bound(info.maximum, FREE_RANGE)))
        case ParamKind.NUMBER:
            field = qt.QDoubleSpinBox()
            low, high = _bound(info.minimum, -FREE_RANGE), _bound(info.maximum, FREE_RANGE)
            field.setDecimals(2 if high - low > 1 else 4)
            field.setRange(low, high)
            field.setSingleStep(min(1.0, max(0.01, round((high - low) / 100, 2))))
        case ParamKind.TEXT:
            field = qt.QLineEdit()
    field.setObjectName(info.name)
    field.setToolTip(_tooltip(info))
    _write(info, field, info.default)
    return field


def _read(info: ParamInfo, field: Any) -> Scalar:
    match info.kind:
        case ParamKind.CHOICE:
            return info.choices[field.currentIndex]
        case ParamKind.FLAG:
            return bool(field.checked)
        case ParamKind.TEXT:
            return str(field.text)
    return int(field.value) if info.kind is ParamKind.INTEGER else float(field.value)


def _write(info: ParamInfo, field: Any, value: Scalar) -> None:
    match info.kind:
        case ParamKind.CHOICE:
            field.setCurrentIndex(info.choices.index(value))
        case ParamKind.FLAG:
            field.setChecked(bool(value))
        case ParamKind.TEXT:
            field.setText(str(value))
        case _:
            field.setValue(value)


def _tooltip(info: ParamInfo) -> str:
    bounds = f"{info.minimum:g} to {info.maximum:g}" if info.minimum is not None and info.maximum is not None else ""
    return " · ".join(part for part in (info.help, bounds) if part) or info.label


def _bound(value: float | None, otherwise: float) -> float:
    return otherwise if value is None else value

"""Forms follow from ParamInfo alone."""

from __future__ import annotations

import pytest

pytest.importorskip("magicgui")

from magicgui.widgets import CheckBox, ComboBox, FloatSpinBox, LineEdit, SpinBox

from medsynth_core.protocol import ParamInfo, ParamKind
from napari_medsynth.forms import ParamForm, field_for, split

STEPS = ParamInfo("steps", "Steps", ParamKind.CHOICE, 4, choices=(1, 2, 4))
SIZE = ParamInfo("size", "Size", ParamKind.INTEGER, 32, 1, 64, unit="px", help="side of the image")
SCALE = ParamInfo("scale", "Scale", ParamKind.NUMBER, 1.0, 0.0, 4.0, advanced=True)
FLAG = ParamInfo("smooth", "Smooth", ParamKind.FLAG, True)
NOTE = ParamInfo("note", "Note", ParamKind.TEXT, "hello")
ALL = (STEPS, SIZE, SCALE, FLAG, NOTE)


@pytest.mark.parametrize(
    ("info", "kind"), [(STEPS, ComboBox), (SIZE, SpinBox), (SCALE, FloatSpinBox), (FLAG, CheckBox), (NOTE, LineEdit)]
)
def test_each_kind_has_its_field_showing_the_default(qapp: object, info: ParamInfo, kind: type) -> None:
    field = field_for(info)
    assert isinstance(field, kind)
    assert field.value == info.default


def test_the_values_have_the_parameters_types(qapp: object) -> None:
    values = ParamForm(ALL).values()
    assert values == {"steps": 4, "size": 32, "scale": 1.0, "smooth": True, "note": "hello"}
    assert [type(value) for value in values.values()] == [int, int, float, bool, str]


def test_a_field_cannot_leave_its_range_and_shows_unit_and_help(qapp: object) -> None:
    field = field_for(SIZE)
    assert (field.min, field.max) == (1, 64)
    assert field.label == "Size (px)"
    assert "side of the image" in field.tooltip
    assert "1 to 64" in field.tooltip


def test_remembered_values_that_no_longer_fit_are_left_out(qapp: object) -> None:
    form = ParamForm(ALL)
    form.set_values({"steps": 3, "size": 999, "scale": 2.5, "gone": 1, "note": 5})
    assert form.values() == {"steps": 4, "size": 32, "scale": 2.5, "smooth": True, "note": "hello"}


def test_a_number_without_bounds_takes_large_values(qapp: object) -> None:
    form = ParamForm((ParamInfo("n", "N", ParamKind.INTEGER, 0),))
    form.set_values({"n": -123_456_789})
    assert form.values() == {"n": -123_456_789}


def test_advanced_parameters_are_kept_apart() -> None:
    plain, advanced = split(ALL)
    assert [p.name for p in advanced] == ["scale"]
    assert len(plain) == 4

"""The stand-in has the manners of PythonQt, so that what passes here works there."""

from __future__ import annotations

import enum
from typing import Any

import ctk
import numpy as np
import pytest
import qt
import slicer
from slicer.parameterNodeWrapper import parameterNodeWrapper
from slicer.ScriptedLoadableModule import ScriptedLoadableModuleLogic


def test_a_property_is_an_attribute() -> None:
    button = qt.QPushButton("Go")
    assert button.text == "Go"
    button.enabled, button.toolTip, button.name = False, "not yet", "go"
    assert (button.enabled, button.toolTip, button.objectName) == (False, "not yet", "go")


def test_a_property_of_the_wrong_type_is_refused() -> None:
    with pytest.raises(ValueError, match="does not accept"):
        qt.QSpinBox().value = "three"


def test_a_property_that_does_not_exist_cannot_be_set() -> None:
    with pytest.raises(AttributeError, match="does not exist"):
        qt.QPushButton().tooltip = "misspelled"
    with pytest.raises(AttributeError, match="does not exist"):
        slicer.qMRMLNodeComboBox().noneDisplayed = "misspelled"


def test_numbers_of_numpy_are_refused_as_there() -> None:
    spin, box = qt.QSpinBox(), qt.QCheckBox()
    for act in (
        lambda: spin.setValue(np.int64(3)),
        lambda: box.setChecked(np.bool_(True)),
        lambda: box.setVisible(np.bool_(True)),
    ):
        with pytest.raises(ValueError, match="wrong argument types"):
            act()
    spin.setValue(3)
    assert spin.value == 3


def test_a_signal_connects_by_its_signature_and_brings_as_many_arguments() -> None:
    heard: list[Any] = []
    box = qt.QCheckBox()
    box.connect("toggled(bool)", heard.append)
    box.connect("clicked()", lambda: heard.append("clicked"))
    box.click()
    assert heard == [True, "clicked"]


def test_a_signal_that_does_not_exist_is_refused() -> None:
    for wrong in ("toggled(int)", "pressedTwice()", "text()"):
        with pytest.raises(ValueError, match="has no signal"):
            qt.QCheckBox().connect(wrong, print)


def test_a_slot_can_be_taken_off_again() -> None:
    heard: list[Any] = []
    spin = qt.QSpinBox()
    spin.connect("valueChanged(int)", heard.append)
    spin.value = 3
    spin.disconnect("valueChanged(int)", heard.append)
    spin.value = 4
    assert heard == [3]


def test_the_scene_is_slicers_own(scene: Any) -> None:
    node = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "flair")
    assert scene.GetFirstNodeByName("flair") is node
    assert ctk.ctkCollapsibleButton("Advanced").text == "Advanced"


class Anything:
    """The class of all volumes, of which there can be no node."""

    image: slicer.vtkMRMLVolumeNode


def test_a_selector_cannot_be_bound_to_a_class_that_is_abstract(scene: Any) -> None:
    """Slicer makes a node of the class to learn its name; the module would not open."""
    page = qt.QWidget()
    selector = slicer.qMRMLNodeComboBox(page)
    selector.setProperty("SlicerParameterName", "image")
    settings = parameterNodeWrapper(Anything)(scene.AddNewNodeByClass("vtkMRMLScriptedModuleNode"))
    with pytest.raises(TypeError, match="abstract"):
        settings.connectGui(page)


class Strength(enum.Enum):
    LITTLE = 1
    MUCH = 2


@parameterNodeWrapper
class Settings:
    image: slicer.vtkMRMLScalarVolumeNode
    seed: int = 7
    live: bool
    strength: Strength = Strength.MUCH


class ToyLogic(ScriptedLoadableModuleLogic):
    pass


def test_settings_live_in_the_parameter_node(scene: Any) -> None:
    settings = Settings(ToyLogic().getParameterNode())
    assert (settings.image, settings.seed, settings.live, settings.strength) == (None, 7, False, Strength.MUCH)
    settings.image = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")
    settings.seed, settings.live, settings.strength = 8, True, Strength.LITTLE
    again = Settings(ToyLogic().getParameterNode())
    assert again.image is settings.image
    assert (again.seed, again.live, again.strength) == (8, True, Strength.LITTLE)


def test_a_widget_follows_its_parameter_both_ways() -> None:
    settings = Settings(ToyLogic().getParameterNode())
    page = qt.QWidget()
    spin = qt.QSpinBox(page)
    spin.setProperty("SlicerParameterName", "seed")
    tag = settings.connectGui(page)
    assert spin.value == 7
    spin.value = 11
    assert settings.seed == 11
    settings.seed = 12
    assert spin.value == 12
    settings.disconnectGui(tag)
    spin.value = 13
    assert settings.seed == 12

"""`slicer.app`, `slicer.modules` and a fresh `slicer.mrmlScene`; and the way all stand-ins are put in their places."""

from __future__ import annotations

import os
import sys
import types
from typing import Any

import slicer
import slicer.util
from PyQt5 import QtCore, QtWidgets, uic

from tests.slicer_extension.standin import mrml_widgets, parameter_node, qt_module, scripted_module, segment_editor


class Application(QtCore.QObject):
    """`slicer.app`, as far as a module touches it."""

    startupCompleted = QtCore.pyqtSignal()
    applicationVersion, majorVersion, minorVersion = "5.12.4-standin", 5, 12

    def __init__(self) -> None:
        super().__init__()
        self.application_logic = slicer.vtkSlicerApplicationLogic()

    def applicationLogic(self) -> Any:
        """Return the logic that shows volumes in the views."""
        return self.application_logic

    def startupEnvironment(self) -> Any:
        """Return what Slicer was started with."""
        found = QtCore.QProcessEnvironment()
        for name, value in os.environ.items():
            found.insert(name, value)
        return found

    def processEvents(self) -> None:
        """Let Qt work."""
        QtWidgets.QApplication.processEvents()

    def layoutManager(self) -> None:
        """There are no views here."""
        return None


def install() -> None:
    """Put all stand-ins in their places; once in a process. The QApplication is made here, too."""
    if "qt" in sys.modules:
        return
    slicer._qt_application = QtWidgets.QApplication.instance() or QtWidgets.QApplication(["tests"])
    sys.modules["qt"] = qt_module.make()
    mrml_widgets.install()
    segment_editor.install()
    for name, made in (
        ("ScriptedLoadableModule", scripted_module.module()),
        ("parameterNodeWrapper", parameter_node.module()),
    ):
        sys.modules[f"slicer.{name}"] = made
        setattr(slicer, name, made)
    slicer.app = Application()
    slicer.modules = types.SimpleNamespace()
    slicer.util.loadUI = _load_ui
    new_scene()


def _load_ui(path: str) -> Any:
    with qt_module.plain():
        return uic.loadUi(path)


def new_scene() -> Any:
    """Begin with an empty scene, and the logics that Slicer always has on it; the last one is emptied and kept.

    A second subject hierarchy node in one scene crashes, so the scene makes its own.
    """
    if getattr(slicer, "mrmlScene", None) is None:
        slicer.mrmlScene = slicer.vtkMRMLScene()
        slicer.app.application_logic.SetMRMLScene(slicer.mrmlScene)
        slicer.modules.logics = [_logic(name) for name in ("vtkSlicerVolumesLogic", "vtkSlicerSegmentationsModuleLogic")]
    slicer.mrmlScene.Clear(0)
    return slicer.mrmlScene


def _logic(name: str) -> Any:
    logic = getattr(slicer, name)()
    logic.SetMRMLScene(slicer.mrmlScene)
    return logic

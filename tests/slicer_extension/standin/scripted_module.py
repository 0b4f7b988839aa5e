"""`slicer.ScriptedLoadableModule`: the four base classes of a scripted module, as far as a module sees them."""

from __future__ import annotations

import types
import unittest
from typing import Any

import slicer


class ScriptedLoadableModule:
    """The module itself: title, category, help."""

    def __init__(self, parent: Any) -> None:
        self.parent = parent
        self.moduleName = type(self).__name__


class ScriptedLoadableModuleWidget:
    """The module's panel; `parent` is the empty widget that Slicer shows."""

    def __init__(self, parent: Any = None) -> None:
        self.moduleName = type(self).__name__.removesuffix("Widget")
        self.parent = parent
        self.layout = parent.layout()

    def setup(self) -> None:
        """Slicer adds its developer section here."""

    def resourcePath(self, filename: str) -> str:
        """Return the path of a resource."""
        return f"{slicer.util.modulePath(self.moduleName).rsplit('/', 1)[0]}/Resources/{filename}"


class ScriptedLoadableModuleLogic:
    """What works without a panel."""

    def __init__(self, parent: Any = None) -> None:
        self.moduleName = type(self).__name__.removesuffix("Logic")

    def getParameterNode(self) -> Any:
        """Return the one node that keeps the module's settings, made if need be."""
        scene = slicer.mrmlScene
        node = scene.GetSingletonNode(self.moduleName, "vtkMRMLScriptedModuleNode")
        if node is None:
            node = scene.CreateNodeByClass("vtkMRMLScriptedModuleNode")
            node.UnRegister(None)
            node.SetSingletonTag(self.moduleName)
            node.SetModuleName(self.moduleName)
            node.SetName(self.moduleName)
            node = scene.AddNode(node)
        return node


class ScriptedLoadableModuleTest(unittest.TestCase):
    """The self test of a module."""

    def delayDisplay(self, message: str, msec: int = 0) -> None:
        """Slicer shows the message for a moment."""

    def runTest(self) -> None:
        """Overridden by the module."""


def module() -> types.ModuleType:
    """Return `slicer.ScriptedLoadableModule`."""
    made = types.ModuleType("slicer.ScriptedLoadableModule")
    kinds = (ScriptedLoadableModule, ScriptedLoadableModuleWidget, ScriptedLoadableModuleLogic, ScriptedLoadableModuleTest)
    for kind in kinds:
        setattr(made, kind.__name__, kind)
    made.__all__ = [kind.__name__ for kind in kinds]  # type: ignore[attr-defined]
    return made

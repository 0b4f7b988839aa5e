"""The qMRML and ctk widgets that the panel uses, with the properties, signals and methods it touches."""

from __future__ import annotations

import sys
import types
from typing import Any

import slicer
from PyQt5 import QtCore, QtWidgets


class qMRMLWidget(QtWidgets.QWidget):
    """Top of a .ui file; tells its scene to its children."""

    mrmlSceneChanged = QtCore.pyqtSignal(object)

    def setMRMLScene(self, scene: Any) -> None:
        """Tell the scene to all children that want one."""
        for child in self.findChildren(QtWidgets.QWidget):
            if child is not self and hasattr(child, "setMRMLScene"):
                child.setMRMLScene(scene)
        self.mrmlSceneChanged.emit(scene)


class qMRMLNodeComboBox(QtWidgets.QWidget):
    """Chooses a node of the scene; the test chooses with `setCurrentNode`."""

    currentNodeChanged = QtCore.pyqtSignal(object)

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self._id, self.scene = "", None
        self.nodeTypes: Any = []
        self.noneEnabled = self.addEnabled = self.removeEnabled = self.renameEnabled = False
        self.noneDisplay, self.showChildNodeTypes = "", True

    def setNodeTypes(self, kinds: list[str]) -> None:
        """Offer nodes of these classes."""
        self.nodeTypes = kinds

    def setNoneEnabled(self, allowed: bool) -> None:
        """Allow to choose nothing."""
        self.noneEnabled = allowed

    def setAddEnabled(self, allowed: bool) -> None:
        """Allow to make a node."""
        self.addEnabled = allowed

    def setMRMLScene(self, scene: Any) -> None:
        """Show the nodes of a scene."""
        self.scene = scene

    def currentNode(self) -> Any:
        """Return the chosen node, None without one."""
        return self.scene.GetNodeByID(self._id) if self.scene is not None and self._id else None

    @property
    def currentNodeID(self) -> str:
        """The id of the chosen node."""
        return self._id

    def setCurrentNode(self, node: Any) -> None:
        """Choose a node."""
        found = node.GetID() if node is not None else ""
        if found != self._id:
            self._id = found
            self.currentNodeChanged.emit(node)


class qMRMLSegmentEditorWidget(QtWidgets.QWidget):
    """The embedded editor; what it is told is what a test may look at."""

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self.node: Any = None
        self.segmentation: Any = None
        self.source: Any = None
        self.effect = ""

    def setMRMLScene(self, scene: Any) -> None:
        """Take the scene."""

    def setMRMLSegmentEditorNode(self, node: Any) -> None:
        """Take the node that remembers the editor's state."""
        self.node = node

    def setSegmentationNode(self, node: Any) -> None:
        """Edit a segmentation."""
        self.segmentation = node

    def setSourceVolumeNode(self, node: Any) -> None:
        """Paint over a volume."""
        self.source = node

    def setActiveEffectByName(self, name: str) -> None:
        """Choose an effect."""
        self.effect = name


class ctkCollapsibleButton(QtWidgets.QWidget):
    """A section that folds."""

    def __init__(self, text: Any = "", parent: Any = None) -> None:
        super().__init__(parent if isinstance(text, str) else text)
        self.text, self.collapsed = text if isinstance(text, str) else "", False


def install() -> None:
    """Put the widgets where Slicer has them, and where a .ui file looks for their headers."""
    ctk = types.ModuleType("ctk")
    ctk.ctkCollapsibleButton = ctkCollapsibleButton  # type: ignore[attr-defined]
    sys.modules["ctk"] = ctk
    for kind in (qMRMLWidget, qMRMLNodeComboBox, qMRMLSegmentEditorWidget):
        setattr(slicer, kind.__name__, kind)
    for kind in (qMRMLWidget, qMRMLNodeComboBox, qMRMLSegmentEditorWidget, ctkCollapsibleButton):
        header = types.ModuleType(kind.__name__)
        setattr(header, kind.__name__, kind)
        sys.modules[kind.__name__] = header

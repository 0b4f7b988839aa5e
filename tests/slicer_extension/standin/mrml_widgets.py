"""The qMRML and ctk widgets that the panel uses, with the properties, signals and methods it touches."""

from __future__ import annotations

import sys
import types
from typing import Any

import slicer
from PyQt5 import QtCore, QtWidgets


def strict(kind: type) -> type:
    """Let a class have the attributes that it is made with, and no others, as PythonQt does."""
    plain = kind.__init__  # type: ignore[misc]

    def init(self: Any, *args: Any) -> None:
        plain(self, *args)
        self.__dict__["_made"] = True

    def set_(self: Any, name: str, value: Any) -> None:
        known = name in self.__dict__ or hasattr(type(self), name)
        if self.__dict__.get("_made") and not known:
            raise AttributeError(f"Property {name!r} of type {kind.__name__} does not exist and can't be set")
        object.__setattr__(self, name, value)

    kind.__init__, kind.__setattr__ = init, set_  # type: ignore[misc,method-assign]
    return kind


class qMRMLWidget(QtWidgets.QWidget):
    """Top of a .ui file; it tells its scene to those that are connected, and to nobody else."""

    mrmlSceneChanged = QtCore.pyqtSignal(object)

    def setMRMLScene(self, scene: Any) -> None:
        """Tell the scene."""
        self.mrmlSceneChanged.emit(scene)


@strict
class qMRMLNodeComboBox(QtWidgets.QWidget):
    """Chooses a node of the scene; the test chooses with `setCurrentNode`."""

    currentNodeChanged = QtCore.pyqtSignal(object)

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self._id, self.scene = "", None
        self.nodeTypes: Any = []
        self.noneEnabled = self.addEnabled = self.removeEnabled = self.renameEnabled = False
        self.noneDisplay, self.showChildNodeTypes = "", True
        self.hideChildNodeTypes: Any = []

    def setHideChildNodeTypes(self, kinds: list[str]) -> None:
        """Do not offer nodes of these classes, though they are of a class that is offered."""
        self.hideChildNodeTypes = kinds

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


@strict
class qMRMLSegmentEditorWidget(QtWidgets.QWidget):
    """The embedded editor; what it is told is what a test may look at. Its undo is Slicer's own, vtkSegmentationHistory."""

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self.scene: Any = None
        self.node: Any = None
        self.segmentation: Any = None
        self.source: Any = None
        self.effect = ""
        self.observes = self.shortcuts = False
        self.shown_selectors = {"segmentation", "source"}
        self.history = slicer.vtkSegmentationHistory()

    def setMaximumNumberOfUndoStates(self, count: int) -> None:
        """Keep that many states."""
        self.history.SetMaximumNumberOfStates(count)

    def setSegmentationNodeSelectorVisible(self, shown: bool) -> None:
        """Let the person choose the segmentation, or not."""
        self.shown_selectors -= set() if shown else {"segmentation"}

    def setSourceVolumeNodeSelectorVisible(self, shown: bool) -> None:
        """Let the person choose the volume, or not."""
        self.shown_selectors -= set() if shown else {"source"}

    def setMRMLScene(self, scene: Any) -> None:
        """Take the scene."""
        self.scene = scene

    def setMRMLSegmentEditorNode(self, node: Any) -> None:
        """Take the node that remembers the editor's state."""
        self.node = node

    def setSegmentationNode(self, node: Any) -> None:
        """Edit a segmentation; what could be undone in another one is forgotten."""
        assert node is None or self.node is not None, "the editor node comes first"
        self.segmentation = node
        self.history.RemoveAllStates()
        self.history.SetSegmentation(node.GetSegmentation() if node is not None else None)

    def setSourceVolumeNode(self, node: Any) -> None:
        """Paint over a volume."""
        self.source = node

    def setActiveEffect(self, effect: None) -> None:
        """Put the tool away."""
        self.effect = ""

    def setActiveEffectByName(self, name: str) -> None:
        """Choose an effect."""
        self.effect = name

    def setupViewObservations(self) -> None:
        """Take the strokes in the slice views."""
        self.observes = True

    def removeViewObservations(self) -> None:
        """Leave them to others."""
        self.observes = False

    def installKeyboardShortcuts(self) -> None:
        """Take the keys."""
        self.shortcuts = True

    def uninstallKeyboardShortcuts(self) -> None:
        """Leave them to others."""
        self.shortcuts = False

    def updateWidgetFromMRML(self) -> None:
        """Show what the scene says."""

    def saveStateForUndo(self) -> None:
        """Keep what is there now."""
        self.history.SaveState()

    def undo(self) -> None:
        """Bring back the last state that was kept."""
        self.history.RestorePreviousState()


@strict
class ctkCollapsibleButton(QtWidgets.QPushButton):
    """A section that folds; a button, as it is there."""

    def __init__(self, text: Any = "", parent: Any = None) -> None:
        super().__init__(parent if isinstance(text, str) else text)
        self.setText(text if isinstance(text, str) else "")
        self.collapsed = False


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

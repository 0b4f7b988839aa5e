"""The part of `slicer.parameterNodeWrapper` that we use: typed attributes that live in a parameter node of the scene.

Texts, numbers, flags, enums and nodes; widgets whose `SlicerParameterName` names an attribute follow it both ways.
"""

from __future__ import annotations

import enum
import types
import typing
from typing import Any

import slicer
from PyQt5 import QtWidgets

GUI = {
    "qMRMLNodeComboBox": ("currentNodeChanged", lambda w: w.currentNode(), lambda w, v: w.setCurrentNode(v)),
    "QCheckBox": ("toggled", lambda w: w.checked, lambda w, v: setattr(w, "checked", v)),
    "QSpinBox": ("valueChanged", lambda w: w.value, lambda w, v: setattr(w, "value", v)),
    "QDoubleSpinBox": ("valueChanged", lambda w: w.value, lambda w, v: setattr(w, "value", v)),
    "QComboBox": ("currentIndexChanged", lambda w: w.currentText, lambda w, v: setattr(w, "currentText", v)),
    "QLineEdit": ("textChanged", lambda w: w.text, lambda w, v: setattr(w, "text", v)),
}


def parameterNodeWrapper(kind: type) -> type:
    """Give a class of annotations the properties, constructor and methods of a parameter node."""
    hints = typing.get_type_hints(kind)
    for name, hint in hints.items():
        default = getattr(kind, name, None if _is_node(hint) else hint() if not issubclass(hint, enum.Enum) else next(iter(hint)))
        setattr(kind, name, _property(name, hint, default))
    kind.__init__ = _init  # type: ignore[misc]
    kind.connectGui, kind.disconnectGui, kind.allParameters = _connect, _disconnect, hints  # type: ignore[attr-defined]
    kind.AddObserver = lambda self, event, call, priority=0.0: self.parameterNode.AddObserver(event, call, priority)  # type: ignore[attr-defined]
    kind.RemoveObserver = lambda self, tag: self.parameterNode.RemoveObserver(tag)  # type: ignore[attr-defined]
    return kind


def module() -> types.ModuleType:
    """Return `slicer.parameterNodeWrapper`."""
    made = types.ModuleType("slicer.parameterNodeWrapper")
    made.parameterNodeWrapper = parameterNodeWrapper  # type: ignore[attr-defined]
    made.__all__ = ["parameterNodeWrapper"]  # type: ignore[attr-defined]
    return made


def _is_node(hint: Any) -> bool:
    return isinstance(hint, type) and issubclass(hint, slicer.vtkMRMLNode)


def _property(name: str, hint: Any, default: Any) -> property:
    def read(self: Any) -> Any:
        if _is_node(hint):
            return self.parameterNode.GetNodeReference(name)
        text = self.parameterNode.GetParameter(name)
        if not text:
            return default
        if hint is bool:
            return text == "true"
        return hint[text] if issubclass(hint, enum.Enum) else hint(text)

    def write(self: Any, value: Any) -> None:
        if _is_node(hint):
            self.parameterNode.SetNodeReferenceID(name, value.GetID() if value is not None else None)
            return
        if not isinstance(value, hint):
            raise TypeError(f"{name} is {value!r}: it must be {hint.__name__}")
        text = value.name if isinstance(value, enum.Enum) else str(value).lower() if hint is bool else str(value)
        self.parameterNode.SetParameter(name, text)

    return property(read, write)


def _init(self: Any, parameter_node: Any) -> None:
    self.parameterNode, self._connections, self._tag = parameter_node, {}, 0


def _connect(self: Any, gui: Any) -> int:
    """Bind the widgets with a `SlicerParameterName`; return the number to take them off again."""
    self._tag += 1
    bound = []
    for widget in gui.findChildren(QtWidgets.QWidget):
        name = widget.property("SlicerParameterName")
        if not name:
            continue
        signal, read, write = GUI[type(widget).__name__]
        if _is_node(hint := self.allParameters[name]):
            widget.nodeTypes = (hint().GetClassName(),)  # as there, so a class that is abstract fails, and the .ui's own are gone
        write(widget, getattr(self, name))

        def heed(*_: Any, name: str = name, widget: Any = widget, read: Any = read) -> None:
            setattr(self, name, read(widget))

        getattr(widget, signal).connect(heed)
        observer = self.parameterNode.AddObserver(
            "ModifiedEvent", lambda *_, n=name, w=widget, write=write: write(w, getattr(self, n))
        )
        bound.append((getattr(widget, signal), heed, observer))
    self._connections[self._tag] = bound
    return int(self._tag)


def _disconnect(self: Any, tag: int) -> None:
    for signal, heed, observer in self._connections.pop(tag, []):
        signal.disconnect(heed)
        self.parameterNode.RemoveObserver(observer)

"""The flat `qt` module of Slicer, over PyQt5: properties are attributes, signals connect by their C++ signature."""

from __future__ import annotations

import contextlib
import types
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from PyQt5 import QtCore, QtGui, QtWidgets

PARTS = (QtCore, QtGui, QtWidgets)
VIRTUAL = {"sizeHint", "minimumSizeHint", "duration", "QProgressBar.text"}
"""Properties whose getters Qt itself calls: an attribute of that name would be taken for a reimplementation."""
NUMBERS: dict[type, tuple[str, ...]] = {
    QtWidgets.QWidget: ("setVisible", "setEnabled"),
    QtWidgets.QAbstractButton: ("setChecked",),
    QtWidgets.QSpinBox: ("setValue", "setRange"),
    QtWidgets.QDoubleSpinBox: ("setValue", "setRange"),
    QtWidgets.QAbstractSlider: ("setValue", "setRange"),
    QtWidgets.QProgressBar: ("setValue", "setRange"),
    QtWidgets.QComboBox: ("setCurrentIndex",),
    QtWidgets.QTabWidget: ("setCurrentIndex",),
    QtWidgets.QTableWidget: ("setRowCount", "setCurrentCell"),
    QtGui.QPainter: ("fillRect",),
    QtCore.QTimer: ("setInterval",),
}
"""Methods that are given numbers."""
_PLAIN: list[tuple[type, str, Any]] = []
"""Class, name and value of what PyQt5 had where an attribute is now; None where it had nothing of its own."""


def make() -> types.ModuleType:
    """Return the module `qt`; the classes of PyQt5 are changed for this process."""
    module = types.ModuleType("qt")
    for part in PARTS:
        for name in (name for name in dir(part) if not name.startswith("_")):
            thing = getattr(part, name)
            setattr(module, name, thing)
            if isinstance(thing, type) and issubclass(thing, QtCore.QObject):
                _give_manners(thing)
    module.Signal = QtCore.pyqtSignal  # type: ignore[attr-defined]
    QtCore.QObject.connect = _connect
    QtCore.QObject.disconnect = _disconnect
    QtCore.QObject.name = _attribute("objectName")
    QtCore.QObject.__setattr__ = _set
    for kind, names in NUMBERS.items():
        for name in names:
            setattr(kind, name, _of_plain_numbers(getattr(kind, name)))
    return module


def _set(self: Any, name: str, value: Any) -> None:
    """Set what a class of Qt has, or what a Python class of its own adds to it; nothing else can be set there, either."""
    if type(self).__module__.startswith("PyQt5.") and not hasattr(type(self), name):
        raise AttributeError(f"Property {name!r} of type {type(self).__name__} does not exist and can't be set")
    object.__setattr__(self, name, value)


def _of_plain_numbers(method: Any) -> Any:
    """Return a method that refuses numpy's whole numbers and truths, which PyQt takes and PythonQt does not."""

    def call(self: Any, *args: Any) -> Any:
        for value in args:
            if isinstance(value, (np.integer, np.bool_, np.float32)):
                raise ValueError(f"Called {method.__name__} with wrong argument types: {type(value).__name__}")
        return method(self, *args)

    return call


def _give_manners(kind: type) -> None:
    """Make each property that a class declares an attribute; the getter of the same name is gone, as in PythonQt."""
    meta = kind.staticMetaObject
    for index in range(meta.propertyOffset(), meta.propertyCount()):
        name = meta.property(index).name()
        if {name, f"{kind.__name__}.{name}"} & VIRTUAL:
            continue
        _PLAIN.append((kind, name, kind.__dict__.get(name)))
        setattr(kind, name, _attribute(name))
    if hasattr(kind, "__len__"):
        kind.__bool__ = lambda self: True  # type: ignore[attr-defined]  # PyQt5 calls an empty tab widget false


@contextlib.contextmanager
def plain() -> Iterator[None]:
    """Give PyQt5 its getters back for a while: what reads .ui files calls them."""
    for kind, name, value in _PLAIN:
        if value is None:
            delattr(kind, name)
        else:
            setattr(kind, name, value)
    try:
        yield
    finally:
        for kind, name, _ in _PLAIN:
            setattr(kind, name, _attribute(name))


def _attribute(name: str) -> property:
    def read(self: Any) -> Any:
        return QtCore.QObject.property(self, name)

    def write(self: Any, value: Any) -> None:
        if not QtCore.QObject.setProperty(self, name, value):
            raise ValueError(f"property {name} of {type(self).__name__} does not accept {value!r}")

    return property(read, write)


def _signal(sender: Any, signature: str) -> tuple[Any, int]:
    """Return the bound signal of a C++ signature such as "toggled(bool)", and how many arguments it brings."""
    name, _, rest = signature.partition("(")
    words = [word for word in rest.rstrip(")").split(",") if word]
    signal = getattr(type(sender), name, None)
    if signal is None or not hasattr(getattr(sender, name), "connect"):
        raise ValueError(f"{type(sender).__name__} has no signal {signature}")
    known = {bytes(sender.metaObject().method(i).methodSignature()).decode() for i in range(sender.metaObject().methodCount())}
    drawn_here = any("PyQt_PyObject" in other for other in known if other.startswith(f"{name}("))
    if not drawn_here and signature not in known:
        raise ValueError(f"{type(sender).__name__} has no signal {signature}")
    bound = getattr(sender, name)
    if words and not drawn_here:
        bound = bound[tuple(words) if len(words) > 1 else words[0]]
    return bound, len(words)


class _Call:
    """A slot with as many arguments as its signal's signature names.

    Not a closure: Python's collector may take a panel apart while Qt still tells its slots of the end of their senders, and a
    function whose closure is gone ends the process, where an attribute that is gone can be asked for.
    """

    def __init__(self, slot: Callable[..., Any], count: int) -> None:
        self.slot, self.count = slot, count

    def __call__(self, *args: Any) -> None:
        slot = self.__dict__.get("slot")
        if slot is not None:
            slot(*args[: self.count])


def _connect(self: Any, signature: str, slot: Callable[..., Any]) -> None:
    signal, count = _signal(self, signature)
    call = _Call(slot, count)
    self.__dict__.setdefault("_slots", []).append((signature, slot, call))
    signal.connect(call)


def _disconnect(self: Any, signature: str, slot: Callable[..., Any]) -> None:
    signal, _ = _signal(self, signature)
    kept = self.__dict__.get("_slots", [])
    for entry in [entry for entry in kept if entry[0] == signature and entry[1] == slot]:
        signal.disconnect(entry[2])
        kept.remove(entry)

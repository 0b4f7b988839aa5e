"""What the tests' stand-in for Slicer leaves blank, drawn: the box that chooses a node, the section that folds, the editor.

They look like what they stand for, but they are not Slicer's own widgets; the tutorial says so under each picture.
"""

from __future__ import annotations

import sys
from typing import Any

import qt
import slicer

from tests.slicer_extension.standin import mrml_widgets

HEADER = 22
TOOLS = ("Paint", "Draw", "Erase", "Level", "Grow", "Islands")


class qMRMLNodeComboBox(mrml_widgets.qMRMLNodeComboBox):
    """Shows the name of the chosen node as a combo box does."""

    _box: Any = None

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        row = qt.QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        self._box = qt.QComboBox()
        self._box.addItem("None")
        row.addWidget(self._box)
        self.currentNodeChanged.connect(self._show)

    def _show(self, node: Any) -> None:
        self._box.setItemText(0, node.GetName() if node is not None else "None")


class ctkCollapsibleButton(mrml_widgets.ctkCollapsibleButton):
    """A bar with an arrow and a title over what it holds."""

    def __init__(self, text: Any = "", parent: Any = None) -> None:
        super().__init__(text, parent)
        self.setContentsMargins(0, HEADER, 0, 0)
        self.setSizePolicy(qt.QSizePolicy.Preferred, qt.QSizePolicy.Preferred)

    def sizeHint(self) -> Any:
        """As large as what it holds, with the bar."""
        return self.layout().sizeHint() if self.layout() is not None else super().sizeHint()

    def paintEvent(self, event: Any) -> None:
        """Draw the bar."""
        painter = qt.QPainter(self)
        bar = qt.QRect(0, 0, self.width, HEADER)
        painter.fillRect(bar, self.palette.button())
        painter.drawText(bar.adjusted(8, 0, 0, 0), qt.Qt.AlignVCenter, f"▾ {self.text}")


class qMRMLSegmentEditorWidget(mrml_widgets.qMRMLSegmentEditorWidget):
    """A list of the segments and a row of tools; most of Slicer's are left out."""

    _list: Any = None

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        column = qt.QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        self._list = qt.QListWidget()
        self._list.setMaximumHeight(48)
        column.addWidget(self._list)
        tools = qt.QHBoxLayout()
        for name in TOOLS:
            tool = qt.QToolButton()
            tool.setText(name)
            tools.addWidget(tool)
        tools.addStretch(1)
        column.addLayout(tools)

    def setSegmentationNode(self, node: Any) -> None:
        """Show its segments."""
        super().setSegmentationNode(node)
        self._list.clear()
        inside = node.GetSegmentation() if node is not None else None
        for number in range(inside.GetNumberOfSegments() if inside is not None else 0):
            part = inside.GetNthSegment(number)
            square = qt.QPixmap(12, 12)
            square.fill(qt.QColor.fromRgbF(*part.GetColor()))
            self._list.addItem(qt.QListWidgetItem(qt.QIcon(square), part.GetName()))


def install() -> None:
    """Put them in the places of the blank ones."""
    for kind in (qMRMLNodeComboBox, ctkCollapsibleButton, qMRMLSegmentEditorWidget):
        setattr(sys.modules[kind.__name__], kind.__name__, kind)
        setattr(slicer if kind.__name__.startswith("qMRML") else sys.modules["ctk"], kind.__name__, kind)

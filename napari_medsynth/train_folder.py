"""Which folder is learned from: typed, chosen or dropped, with a button that lets the doctor look again."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QDragEnterEvent, QDropEvent
from qtpy.QtWidgets import QFileDialog, QHBoxLayout, QLineEdit, QPushButton, QWidget


class FolderRow(QWidget):
    """Shows the folder; `picked` carries another one. A dropped file stands for the folder it lies in."""

    picked = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.path = QLineEdit(self)
        self.path.setPlaceholderText("drop a folder here")
        self.path.setAcceptDrops(False)  # it would take the drop as text
        self.choose = QPushButton("Choose…", self)
        self.choose.setToolTip("Choose the folder with your cases: images/ and masks/ with equal names")
        self._shown = ""
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(4)
        row.addWidget(self.path, 1)
        row.addWidget(self.choose)
        self.setAcceptDrops(True)
        self.path.editingFinished.connect(lambda: self._take(self.path.text()))
        self.choose.clicked.connect(self.open_dialog)

    def show_folder(self, folder: str) -> None:
        """Show a folder."""
        self._shown = folder
        self.path.setText(folder)
        self.path.setToolTip(folder)

    def open_dialog(self) -> None:
        """Let the user choose a folder, in a window that blocks nothing."""
        dialog = QFileDialog(self, "The folder with your cases", self._shown)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.setFileMode(QFileDialog.FileMode.Directory)
        dialog.setOption(QFileDialog.Option.ShowDirsOnly)
        dialog.fileSelected.connect(self._take)
        dialog.open()

    def dragEnterEvent(self, event: QDragEnterEvent | None) -> None:  # Qt's name
        """Take what lies on this machine."""
        if event is not None and dropped_folder(event):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent | None) -> None:  # Qt's name
        """Pick what was dropped."""
        if event is not None and (folder := dropped_folder(event)):
            event.acceptProposedAction()
            self._take(folder)

    def _take(self, text: str) -> None:
        folder = str(Path(text.strip()).expanduser().absolute()) if text.strip() else ""
        if folder != self._shown:
            self.show_folder(folder)
            self.picked.emit(folder)


def dropped_folder(event: QDropEvent) -> str:
    """Return the folder that is dropped, that of a file for a file; empty where it is neither."""
    mime = event.mimeData()
    paths = [Path(url.toLocalFile()) for url in mime.urls() if url.isLocalFile()] if mime is not None else []
    if not paths:
        return ""
    return str(paths[0] if paths[0].is_dir() else paths[0].parent)

"""True progress: a bar for the share done, a line for what happens and the time left."""

from __future__ import annotations

from qtpy.QtWidgets import QLabel, QProgressBar, QVBoxLayout, QWidget

from medsynth_core.run import RunProgress


class ProgressRow(QWidget):
    """Shows a RunProgress; hidden when nothing runs. It keeps its place, so the panel does not jump."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.bar = QProgressBar(self)
        self.bar.setRange(0, 1000)
        self.bar.setTextVisible(False)
        self.bar.setFixedHeight(8)
        self.line = QLabel(self)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        column.addWidget(self.bar)
        column.addWidget(self.line)
        policy = self.sizePolicy()
        policy.setRetainSizeWhenHidden(True)
        self.setSizePolicy(policy)
        self.hide()

    def show_progress(self, progress: RunProgress) -> None:
        """Show how far the run is."""
        self.bar.setUpdatesEnabled(False)  # else the bar paints the window before it returns: 20 ms and more in this thread
        self.bar.setValue(round(1000 * progress.share))
        self.bar.setUpdatesEnabled(True)
        self.line.setText(progress.line)
        self.show()

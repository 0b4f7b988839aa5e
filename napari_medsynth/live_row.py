"""The switch of live mode, and a line that tells what it does: draft or final, and how long that took."""

from __future__ import annotations

from qtpy.QtWidgets import QCheckBox, QHBoxLayout, QLabel, QWidget

from medsynth_core.live_runs import EACH, EACH_TIP


class LiveRow(QWidget):
    """Shows the switch and a few words."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.switch = QCheckBox(EACH, self)
        self.switch.setToolTip(EACH_TIP)
        self._status = QLabel(self)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.switch)
        row.addStretch(1)
        row.addWidget(self._status)

    @property
    def text(self) -> str:
        """What it tells."""
        return self._status.text()

    def tell(self, text: str, detail: str = "") -> None:
        """Say what live mode does, in a few words; `detail` is the tooltip."""
        self._status.setText(text)
        self._status.setToolTip(detail)

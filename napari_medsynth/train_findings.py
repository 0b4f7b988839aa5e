"""All that the doctor found, worst first, and what was left out because of it, each with its undo."""

from __future__ import annotations

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QPixmap
from qtpy.QtWidgets import QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from medsynth_core.protocol_training import Finding
from medsynth_core.training_form import Exclusion
from napari_medsynth import theme
from napari_medsynth.train_finding import FindingCard

MOST_CARDS = 30
"""More would make the column endless; what stops comes first, and comes up as the first are mended."""


class FindingsView(QWidget):
    """Shows findings and exclusions. `exclude_wanted` carries findings, `undo_wanted` an exclusion."""

    exclude_wanted = Signal(object)
    undo_wanted = Signal(object)

    def __init__(self, theme_name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme_name
        self._findings: tuple[Finding, ...] = ()
        self._exclusions: tuple[Exclusion, ...] = ()
        self._pixmaps: dict[int, QPixmap] = {}
        self.cards: list[FindingCard] = []
        self.undos: list[QPushButton] = []
        self.exclude_all = QPushButton(self)
        self.exclude_all.clicked.connect(lambda: self.exclude_wanted.emit(self._stopping()))
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(6)
        self._column.addWidget(self.exclude_all)
        self._show()

    def show_findings(self, findings: tuple[Finding, ...], exclusions: tuple[Exclusion, ...]) -> None:
        """Show these instead; pictures come one by one."""
        if findings != self._findings:
            self._pixmaps = {}
        self._findings, self._exclusions = findings, exclusions
        self._show()

    def show_picture(self, number: int, content: bytes) -> None:
        """Show a picture of the report, as PNG."""
        pixmap = QPixmap()
        if pixmap.loadFromData(content):
            self._pixmaps[number] = pixmap
            for card in self.cards:
                card.show_picture(number, pixmap)

    def set_theme(self, name: str) -> None:
        """Follow the viewer's theme."""
        self._theme = name
        self._show()

    def _stopping(self) -> tuple[Finding, ...]:
        return tuple(one for one in self._findings if one.severity.value == "stops" and one.excludable and one.cases)

    def _show(self) -> None:
        while (item := self._column.takeAt(1)) is not None:
            if (widget := item.widget()) is not None:
                widget.hide()
                widget.deleteLater()
        self.cards, self.undos = [], []
        count = len(self._stopping())
        self.exclude_all.setText(f"Exclude all {count} that stop")
        self.exclude_all.setToolTip("Leave out every case that keeps the training from starting; each can be taken in again")
        self.exclude_all.setVisible(count > 1)
        for finding in self._findings[:MOST_CARDS]:
            self._add_card(finding)
        if (more := len(self._findings) - MOST_CARDS) > 0:
            self._column.addWidget(QLabel(f"and {more} more", self))
        for exclusion in self._exclusions:
            self._column.addWidget(self._undo_row(exclusion))
        self.setVisible(bool(self._findings or self._exclusions))

    def _add_card(self, finding: Finding) -> None:
        card = FindingCard(finding, self._theme, self)
        card.exclude_wanted.connect(lambda: self.exclude_wanted.emit((finding,)))
        for number, pixmap in self._pixmaps.items():
            card.show_picture(number, pixmap)
        self.cards.append(card)
        self._column.addWidget(card)

    def _undo_row(self, exclusion: Exclusion) -> QWidget:
        row = QWidget(self)
        line, undo = QHBoxLayout(row), QPushButton("Undo", row)
        what = exclusion.cases[0] if len(exclusion.cases) == 1 else f"{len(exclusion.cases)} cases"
        text = QLabel(f"Excluded: {what}", row)
        text.setToolTip(f"{exclusion.says}\n{', '.join(exclusion.cases)}")
        text.setStyleSheet(f"color: {theme.faint_color(self._theme).name()};")
        text.setTextFormat(Qt.TextFormat.PlainText)
        undo.setToolTip("Take it in again")
        undo.clicked.connect(lambda: self.undo_wanted.emit(exclusion))
        line.setContentsMargins(6, 0, 6, 0)
        line.addWidget(text, 1)
        line.addWidget(undo)
        self.undos.append(undo)
        return row

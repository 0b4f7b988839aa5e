"""One thing the doctor found: how bad it is, the sentence, the way out, the offenders in small, a button that excludes them."""

from __future__ import annotations

from qtpy.QtCore import QSize, Qt, Signal
from qtpy.QtGui import QPixmap
from qtpy.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from medsynth_core.protocol_training import Finding, Severity
from medsynth_core.training_words import LAMPS, in_a_form
from napari_medsynth import theme

PICTURE = 60
MOST_PICTURES = 4
MEANINGS = {
    Severity.STOPS: "This stops the training",
    Severity.WARNS: "This may spoil the model",
    Severity.TELLS: "This is good to know",
}


class FindingCard(QFrame):
    """Shows a finding; `exclude_wanted` says that its cases shall be left out."""

    exclude_wanted = Signal()

    def __init__(self, finding: Finding, theme_name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.finding = finding
        self.setObjectName("finding")
        self.setStyleSheet(f"#finding {{ border: 1px solid {theme.edge_color(theme_name).name()}; border-radius: 3px; }}")
        self._says, self._fix = _text(_sentence(in_a_form(finding.says)), self), _text(in_a_form(finding.fix), self)
        self.pictures = {number: QLabel(self) for number in finding.thumbnails[:MOST_PICTURES]}
        self.exclude = QPushButton(_verb(finding), self)
        self.exclude.setToolTip(", ".join(finding.cases))
        self.exclude.setVisible(finding.excludable and bool(finding.cases))
        self.exclude.clicked.connect(self.exclude_wanted.emit)
        self._lay_out(theme_name)

    def show_picture(self, number: int, pixmap: QPixmap) -> None:
        """Show one of the pictures, if it is one of this finding."""
        if label := self.pictures.get(number):
            label.setPixmap(
                pixmap.scaled(PICTURE, PICTURE, Qt.AspectRatioMode.KeepAspectRatio, Qt.TransformationMode.SmoothTransformation)
            )
            label.show()

    def _lay_out(self, theme_name: str) -> None:
        mark = QLabel(self)
        mark.setPixmap(theme.dot(LAMPS[self.finding.severity], theme_name).pixmap(QSize(12, 12)))
        mark.setToolTip(MEANINGS[self.finding.severity])
        self._fix.setStyleSheet(f"color: {theme.faint_color(theme_name).name()};")
        self._fix.setVisible(bool(self.finding.fix))
        top, middle, bottom, column = QHBoxLayout(), QHBoxLayout(), QHBoxLayout(), QVBoxLayout(self)
        top.addWidget(mark, 0, Qt.AlignmentFlag.AlignTop)
        top.addWidget(self._says, 1)
        middle.addWidget(self._fix, 1)
        middle.addStretch(0)
        middle.addWidget(self.exclude, 0, Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignRight)
        for label in self.pictures.values():
            bottom.addWidget(label)
            label.hide()
        bottom.addStretch(1)
        column.setContentsMargins(6, 6, 6, 6)
        column.setSpacing(4)
        column.addLayout(top)
        column.addLayout(middle)
        column.addLayout(bottom)


def _text(text: str, parent: QWidget) -> QLabel:
    label = QLabel(text, parent)
    label.setWordWrap(True)
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    return label


def _sentence(text: str) -> str:
    first = text.partition(" ")[0]
    begun = f"{text[:1].upper()}{text[1:]}" if first.isalpha() else text  # a file's name stays as it is
    return begun if begun.endswith(".") else f"{begun}."


def _verb(finding: Finding) -> str:
    return "Exclude" if len(finding.cases) == 1 else f"Exclude {len(finding.cases)} cases"

"""What a refinement would change, to be taken or left: the legend with counts, one change after the other, or all at once."""

from __future__ import annotations

from dataclasses import dataclass

from qtpy.QtCore import QSize, Signal
from qtpy.QtGui import QColor, QPixmap
from qtpy.QtWidgets import QCheckBox, QFrame, QHBoxLayout, QLabel, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from medsynth_core import uncertain_walk

CLICKS = "Click a change to accept it, Shift+click to reject it."
ELSEWHERE = "Select the layer “Refine preview” to accept changes by clicking on them."


@dataclass(frozen=True)
class ReviewView:
    """The bar's texts: how much is added and removed, and which change of how many is looked at (0: none yet).

    `in_hand` says whether clicks on the canvas go to the preview; else they go to whatever layer is active.
    """

    added: str
    removed: str
    current: int
    count: int
    in_hand: bool


class ReviewBar(QFrame):
    """Shows a ReviewView and sends intentions. It is hidden when there is nothing to review."""

    accept_all_wanted = Signal()
    discard_wanted = Signal()
    accept_wanted = Signal()
    reject_wanted = Signal()
    step_wanted = Signal(int)
    uncertainty_wanted = Signal(bool)
    place_wanted = Signal()

    def __init__(self, added_color: str, removed_color: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFrameShape(QFrame.Shape.StyledPanel)
        self.added, self.removed = QLabel(self), QLabel(self)
        self.back, self.forth = _button("◀", "Look at the change before"), _button("▶", "Look at the next change (N)")
        self.which = QLabel(self)
        self.accept = _button("Accept", "Take this change (A), as one step of undo")
        self.reject = _button("Reject", "Leave this change out (R)")
        self.accept_all = _button("Accept all", "Write all changes into the mask, as one step of undo")
        self.discard = _button("Discard", "Throw the preview away; the mask stays as it is")
        self.uncertainty = QCheckBox(uncertain_walk.SHOW, self)
        self.uncertainty.setToolTip(uncertain_walk.SHOW_TIP)
        self.next_place = _button(uncertain_walk.NEXT, uncertain_walk.NEXT_TIP)
        self.place = QLabel(self)
        self.hint = QLabel(self)
        self.hint.setWordWrap(True)
        self._lay_out(added_color, removed_color)
        self._wire()
        self.hide()

    def show_view(self, view: ReviewView | None) -> None:
        """Show what there is to review, None for nothing."""
        self.setVisible(view is not None)
        if view is None:
            return
        self.added.setText(view.added)
        self.removed.setText(view.removed)
        total = f"{view.count} change" + ("s" if view.count != 1 else "")
        self.which.setText(f"{view.current} of {view.count}" if view.current else total if view.count else "nothing left")
        self.hint.setText(CLICKS if view.in_hand else ELSEWHERE)
        self.hint.setVisible(view.count > 0)
        self.discard.setText("Discard" if view.count else "Done")
        for button in (self.back, self.forth, self.accept_all):
            button.setEnabled(view.count > 0)
        for button in (self.accept, self.reject):
            button.setEnabled(view.current > 0)

    def show_places(self, text: str, enabled: bool) -> None:
        """Show which uncertain place is looked at, such as `2 of 7`."""
        self.place.setText(text)
        self.next_place.setEnabled(enabled)
        self.next_place.setToolTip(uncertain_walk.NEXT_TIP if enabled else uncertain_walk.SURE)

    def _wire(self) -> None:
        self.back.clicked.connect(lambda: self.step_wanted.emit(-1))
        self.forth.clicked.connect(lambda: self.step_wanted.emit(1))
        self.accept.clicked.connect(lambda: self.accept_wanted.emit())
        self.reject.clicked.connect(lambda: self.reject_wanted.emit())
        self.accept_all.clicked.connect(lambda: self.accept_all_wanted.emit())
        self.discard.clicked.connect(lambda: self.discard_wanted.emit())
        self.uncertainty.toggled.connect(self.uncertainty_wanted.emit)
        self.next_place.clicked.connect(lambda: self.place_wanted.emit())

    def _lay_out(self, added_color: str, removed_color: str) -> None:
        legend: list[QWidget] = [_swatch(added_color, "added"), self.added, _swatch(removed_color, "removed"), self.removed]
        self.accept_all.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        column = QVBoxLayout(self)
        column.setContentsMargins(6, 6, 6, 6)
        column.addLayout(_row(*legend, None))
        column.addLayout(_row(self.accept_all, self.discard))
        column.addLayout(_row(self.back, self.which, self.forth, None, self.accept, self.reject))
        column.addWidget(self.hint)
        column.addLayout(_row(self.uncertainty, None, self.next_place))
        column.addLayout(_row(None, self.place))


def _button(text: str, tooltip: str) -> QPushButton:
    button = QPushButton(text)
    button.setToolTip(tooltip)
    return button


def _swatch(color: str, name: str) -> QLabel:
    label, pixmap = QLabel(), QPixmap(QSize(14, 14))
    pixmap.fill(QColor(color))
    label.setPixmap(pixmap)
    label.setToolTip(name)
    return label


def _row(*parts: QWidget | None) -> QHBoxLayout:
    """Return a row of widgets; None stretches."""
    row = QHBoxLayout()
    row.setSpacing(4)
    for part in parts:
        if part is None:
            row.addStretch(1)
        else:
            row.addWidget(part)
    return row

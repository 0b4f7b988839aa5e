"""A thin ruler along z: one mark for each finished slice, fainter the earlier it came, and a pointer at the slice shown."""

from __future__ import annotations

from qtpy.QtCore import QPoint, QRectF, QSize, Qt, Signal
from qtpy.QtGui import QColor, QMouseEvent, QPainter, QPaintEvent, QPolygon
from qtpy.QtWidgets import QSizePolicy, QWidget

from medsynth_core import growth_words
from napari_medsynth import theme

HEIGHT, STRIP = 22, 12


class GrowRuler(QWidget):
    """Shows how far a volume has grown; `picked` carries the slice that was clicked."""

    picked = Signal(int)

    def __init__(self, theme_name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme_name
        self.slices = 0
        self.order: tuple[int, ...] = ()
        self.shown: int | None = None
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setToolTip(f"{growth_words.RULER_TIP}. Click to look at one.")

    def sizeHint(self) -> QSize:
        """Return the height of a thin strip."""
        return QSize(160, HEIGHT)

    def show_growth(self, depth: int, order: tuple[int, ...]) -> None:
        """Show the finished slices, in the order they came."""
        self.slices, self.order = depth, order
        self.update()

    def show_slice(self, shown: int | None) -> None:
        """Point at the slice that is looked at, None where the view shows many."""
        if shown != self.shown:
            self.shown = shown
            self.update()

    def set_theme(self, name: str) -> None:
        """Follow the viewer's theme."""
        self._theme = name
        self.update()

    def paintEvent(self, event: QPaintEvent | None) -> None:  # Qt's name
        """Draw strip, marks and pointer."""
        painter = QPainter(self)
        painter.setPen(Qt.PenStyle.NoPen)
        text, accent = theme.text_color(self._theme), QColor(theme.accent_color(self._theme))
        ground = QColor(text)
        ground.setAlphaF(0.15)
        painter.fillRect(QRectF(0, 0, self.width(), STRIP), ground)
        for place, z in enumerate(self.order):
            accent.setAlphaF(growth_words.opacity(place, len(self.order)))
            painter.fillRect(self._mark(z), accent)
        if self.shown is not None and 0 <= self.shown < self.slices:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setBrush(text)
            x = round(self._mark(self.shown).center().x())
            painter.drawPolygon(QPolygon([QPoint(x, STRIP + 1), QPoint(x - 5, HEIGHT - 1), QPoint(x + 5, HEIGHT - 1)]))

    def mousePressEvent(self, event: QMouseEvent | None) -> None:  # Qt's name
        """Tell which slice was clicked."""
        if event is not None and self.slices and event.button() == Qt.MouseButton.LeftButton:
            self.picked.emit(min(self.slices - 1, max(0, int(event.position().x() * self.slices / self.width()))))

    def _mark(self, z: int) -> QRectF:
        """Return the strip's part of a slice, with a gap to the next where there is room."""
        width = self.width() / max(1, self.slices)
        return QRectF(z * width, 0, width - (1 if width >= 3 else 0), STRIP)

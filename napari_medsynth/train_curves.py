"""The loss of a training over its steps, on a log axis: a line a term, the tuning side the boldest, the best step marked."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping

from qtpy.QtCore import QPointF, QRectF, QSize, Qt
from qtpy.QtGui import QColor, QMouseEvent, QPainter, QPaintEvent, QPen, QPolygonF
from qtpy.QtWidgets import QSizePolicy, QToolTip, QWidget

from medsynth_core.training_words import MEANINGS, VALIDATION, Points, grouped
from napari_medsynth import theme

HEIGHT = 190
LEFT, RIGHT, TOP, BOTTOM = 44, 8, 8, 18
LEGEND_LINE = 16
MARK = 4.0
MOST_DECADES = 3.0
Bounds = tuple[int, float, float]
"""Last step, and the decades (powers of ten) at the bottom and the top of the chart."""


class TrainCurves(QWidget):
    """Shows curves by name; the pointer over them tells the values at its step, over the legend what the names mean."""

    def __init__(self, theme_name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme_name
        self.curves: dict[str, Points] = {}
        self.steps, self.best_step = 0, 0
        self.setMouseTracking(True)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setAccessibleName("Loss over the steps")

    def sizeHint(self) -> QSize:
        """Return a height that shows a slope, with the legend under it."""
        return QSize(280, HEIGHT + LEGEND_LINE * len(self._legend_rows()))

    minimumSizeHint = sizeHint

    def show_curves(self, curves: Mapping[str, Points], steps: int, best_step: int) -> None:
        """Show these curves over so many steps, and which step is the best so far; 0: none."""
        if (dict(curves), steps, best_step) != (self.curves, self.steps, self.best_step):
            grows = set(curves) != set(self.curves)
            self.curves, self.steps, self.best_step = dict(curves), steps, best_step
            if grows:
                self.updateGeometry()
            self.update()

    def set_theme(self, name: str) -> None:
        """Follow the viewer's theme."""
        self._theme = name
        self.update()

    def color_of(self, name: str) -> QColor:
        """Return the color of a curve; the tuning side has that of the text."""
        if name == VALIDATION:
            return theme.text_color(self._theme)
        return theme.line_color(sorted(set(self.curves) - {VALIDATION}).index(name), self._theme)

    def paintEvent(self, event: QPaintEvent | None) -> None:  # Qt's name
        """Draw axes, curves, the best step and the legend."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        bounds = self._bounds()
        self._draw_axes(painter, bounds)
        for name in sorted(self.curves, key=lambda name: name == VALIDATION):  # the tuning side over all
            self._draw_curve(painter, name, bounds)
        self._draw_best(painter, bounds)
        self._draw_legend(painter)

    def mouseMoveEvent(self, event: QMouseEvent | None) -> None:  # Qt's name
        """Tell the values near the pointer, or the meanings of the names under it."""
        if event is None or not self.curves:
            return
        if event.position().y() > HEIGHT:
            meanings = (f"{name}: {MEANINGS[name]}" for name in self.curves if name in MEANINGS)
            QToolTip.showText(event.globalPosition().toPoint(), "\n".join(meanings), self)
            return
        last, _, _ = self._bounds()
        step = (event.position().x() - LEFT) / max(1, self._chart().width()) * last
        nearest = {name: min(points, key=lambda point: abs(point[0] - step)) for name, points in self.curves.items()}
        lines = [f"{name}: {value:.4g} at step {at}" for name, (at, value) in nearest.items()]
        QToolTip.showText(event.globalPosition().toPoint(), "\n".join(lines), self)

    def _chart(self) -> QRectF:
        return QRectF(LEFT, TOP, max(10, self.width() - LEFT - RIGHT), HEIGHT - TOP - BOTTOM)

    def _bounds(self) -> Bounds:
        points = [point for curve in self.curves.values() for point in curve]
        if not points:
            return max(1, self.steps), -1.0, 0.0
        logs = {name: [math.log10(value) for _, value in curve] for name, curve in self.curves.items()}
        high = max(map(max, logs.values()))
        lows = (min(logs[name]) if name == VALIDATION else min(statistics.median(logs[name]), logs[name][-1]) for name in logs)
        low = max(min(lows), high - MOST_DECADES)  # a term that begins near nothing must not flatten the others
        room = max(0.05, 0.08 * (high - low))
        return max(self.steps, max(step for step, _ in points), 1), low - room, high + room

    def _place(self, step: float, value: float, bounds: Bounds) -> QPointF:
        last, low, high = bounds
        chart = self._chart()
        across, up = step / last, (math.log10(value) - low) / (high - low)
        return QPointF(chart.left() + across * chart.width(), chart.bottom() - up * chart.height())

    def _draw_axes(self, painter: QPainter, bounds: Bounds) -> None:
        chart, (last, low, high) = self._chart(), bounds
        faint = theme.faint_color(self._theme)
        grid = QColor(faint)
        grid.setAlphaF(0.25)
        font = painter.font()
        font.setPointSizeF(max(7.0, font.pointSizeF() * 0.85))
        painter.setFont(font)
        for value in ticks(low, high):
            y = self._place(0, value, bounds).y()
            painter.setPen(QPen(grid, 1))
            painter.drawLine(QPointF(chart.left(), y), QPointF(chart.right(), y))
            painter.setPen(faint)
            room = QRectF(0, y - 8, LEFT - 5, 16)
            painter.drawText(room, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, f"{value:g}")
        painter.setPen(QPen(faint, 1))
        painter.drawLine(chart.bottomLeft(), chart.bottomRight())
        below = QRectF(chart.left(), chart.bottom() + 2, chart.width(), BOTTOM)
        painter.drawText(below, Qt.AlignmentFlag.AlignLeft, "0")
        painter.drawText(below, Qt.AlignmentFlag.AlignRight, f"step {grouped(last)}")

    def _draw_curve(self, painter: QPainter, name: str, bounds: Bounds) -> None:
        bold = name == VALIDATION
        painter.setPen(QPen(self.color_of(name), 2.2 if bold else 1.3))
        places = [self._place(step, value, bounds) for step, value in self.curves[name]]
        painter.setClipRect(self._chart().adjusted(-2, -2, 2, 0))
        painter.drawPolyline(QPolygonF(places))
        if len(places) == 1 or bold:
            painter.setBrush(self.color_of(name))
            for place in places if len(places) < 30 else ():
                painter.drawEllipse(place, 1.6, 1.6)
        painter.setClipping(False)

    def _draw_best(self, painter: QPainter, bounds: Bounds) -> None:
        best = dict(self.curves.get(VALIDATION, ())).get(self.best_step)
        if best is None:
            return
        place, chart, color = self._place(self.best_step, best, bounds), self._chart(), theme.accent_color(self._theme)
        painter.setPen(QPen(color, 1.5, Qt.PenStyle.DashLine))
        painter.drawLine(QPointF(place.x(), chart.top()), QPointF(place.x(), chart.bottom()))
        painter.setPen(QPen(theme.text_color(self._theme), 1.5))
        painter.setBrush(color)
        painter.drawEllipse(place, MARK, MARK)

    def _legend(self) -> dict[str, QColor]:
        shown = {name: self.color_of(name) for name in self.curves}
        return shown | ({f"best: step {self.best_step}": theme.accent_color(self._theme)} if self.best_step else {})

    def _legend_rows(self) -> list[list[str]]:
        """Return the names of the legend, in as many lines as they need."""
        rows: list[list[str]] = []
        used = float("inf")
        for name in self._legend():
            width = self.fontMetrics().horizontalAdvance(name) + 30
            if used + width > max(200, self.width() - 8):
                rows.append([])
                used = 0
            rows[-1].append(name)
            used += width
        return rows

    def _draw_legend(self, painter: QPainter) -> None:
        legend = self._legend()
        painter.setFont(self.font())
        for row, names in enumerate(self._legend_rows()):
            x, y = 4.0, HEIGHT + LEGEND_LINE * (row + 0.5)
            for name in names:
                painter.setPen(QPen(legend[name], 3))
                painter.drawLine(QPointF(x, y), QPointF(x + 14, y))
                painter.setPen(theme.text_color(self._theme))
                width = painter.fontMetrics().horizontalAdvance(name)
                painter.drawText(QRectF(x + 19, y - 8, width + 4, 16), Qt.AlignmentFlag.AlignVCenter, name)
                x += width + 30


def ticks(low: float, high: float) -> tuple[float, ...]:
    """Return the values to mark between two decades: powers of ten, and where these are few, 2 and 5 times them, or finer."""
    powers = range(math.floor(low) - 1, math.ceil(high) + 1)
    for steps in ((1,), (1, 2, 5), (1, 1.5, 2, 3, 4, 5, 7)):
        found = tuple(step * 10.0**power for power in powers for step in steps if low <= math.log10(step) + power <= high)
        if len(found) >= 3:
            return found
    return found

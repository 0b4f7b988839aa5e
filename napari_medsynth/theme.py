"""Colors and icons that follow napari's theme; nothing else in the plugin names a color, but for label colors."""

from __future__ import annotations

from pathlib import Path

from napari.utils.theme import get_theme
from qtpy.QtCore import QByteArray, QRectF, Qt
from qtpy.QtGui import QColor, QIcon, QPainter, QPixmap
from qtpy.QtSvg import QSvgRenderer

from medsynth_core.lamp import Lamp

ICONS = Path(__file__).parent / "icons"
READABLE = {"dark": 0.62, "light": 0.38}
"""Lightness of a lamp that stands out on the theme's background."""
LINE_HUES = (0.08, 0.50, 0.85, 0.33, 0.72, 0.16)
"""Orange, cyan, magenta, green, violet, yellow: far apart in this order, and none the accent's blue."""


def text_color(theme: str) -> QColor:
    """Return the theme's color of text."""
    return QColor(get_theme(theme).text.as_hex("long"))


def accent_color(theme: str) -> QColor:
    """Return the theme's color of what is active."""
    return QColor(get_theme(theme).current.as_hex("long"))


def lamp_color(lamp: Lamp, theme: str) -> QColor:
    """Return the theme's error and warning colors, and the green that goes with them, light enough to read."""
    colors = get_theme(theme)
    if lamp is Lamp.OFF:
        return _mix(text_color(theme), QColor(colors.background.as_hex("long")), 0.45)
    base = QColor((colors.warning if lamp is Lamp.AMBER else colors.error).as_hex("long"))
    hue = base.hslHueF() if lamp is not Lamp.GREEN else base.hslHueF() % 1.0 + 0.36
    return QColor.fromHslF(hue % 1.0, min(base.hslSaturationF(), 0.75), READABLE[colors.type])


def edge_color(theme: str) -> QColor:
    """Return the theme's color of what frames parts."""
    return QColor(get_theme(theme).primary.as_hex("long"))


def faint_color(theme: str) -> QColor:
    """Return a color for what is said beside the point, between the theme's text and its ground."""
    return _mix(text_color(theme), QColor(get_theme(theme).background.as_hex("long")), 0.3)


def line_color(place: int, theme: str) -> QColor:
    """Return the color of one line among several of a chart."""
    return QColor.fromHslF(LINE_HUES[place % len(LINE_HUES)], 0.65, READABLE[get_theme(theme).type])


def icon(name: str, theme: str) -> QIcon:
    """Return a shipped icon drawn in the theme's text color."""
    source = (ICONS / f"{name}.svg").read_text("utf-8").replace("currentColor", text_color(theme).name())
    pixmap = QPixmap(48, 48)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    QSvgRenderer(QByteArray(source.encode())).render(painter, QRectF(0, 0, 48, 48))
    painter.end()
    return QIcon(pixmap)


def dot(lamp: Lamp, theme: str) -> QIcon:
    """Return a round dot in the lamp's color; off is an empty ring, so that color is not all that tells."""
    pixmap = QPixmap(40, 40)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    color = lamp_color(lamp, theme)
    painter.setPen(color)
    painter.setBrush(color if lamp is not Lamp.OFF else Qt.GlobalColor.transparent)
    painter.drawEllipse(6, 6, 28, 28)
    painter.end()
    return QIcon(pixmap)


def _mix(first: QColor, second: QColor, share: float) -> QColor:
    def blend(a: float, b: float) -> float:
        return a * (1 - share) + b * share

    return QColor.fromRgbF(
        blend(first.redF(), second.redF()), blend(first.greenF(), second.greenF()), blend(first.blueF(), second.blueF())
    )

"""What the panel looks like: pictures in both themes, kept for a person to look at, and checked for what a program can see."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from napari.utils.theme import get_theme
from qtpy.QtGui import QImage
from qtpy.QtWidgets import QWidget

from medsynth_core.lamp import Lamp
from napari_medsynth import strokes, theme
from tests.gui.conftest import Desk, painted_mask
from tests.scripted import Script

pytestmark = pytest.mark.gui


def pixels(widget: QWidget) -> np.ndarray:
    """Return what the widget shows, (y, x, 3)."""
    image = widget.grab().toImage().convertToFormat(QImage.Format.Format_RGB888)
    bits = image.constBits()
    bits.setsize(image.sizeInBytes())
    rows = np.frombuffer(bits, np.uint8).reshape(image.height(), image.bytesPerLine())
    return rows[:, : 3 * image.width()].reshape(image.height(), image.width(), 3).copy()


def contrast(first: tuple[int, ...], second: tuple[int, ...]) -> float:
    """Return the contrast ratio of two colors (WCAG 2.2)."""

    def luminance(color: tuple[int, ...]) -> float:
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (v / 255 for v in color[:3])]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    high, low = sorted((luminance(first), luminance(second)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("name", ["dark", "light"])
def test_the_panel_follows_the_theme(open_desk: Callable[..., Desk], script: Script, tmp_path: Path, name: str) -> None:
    desk = open_desk(mask=painted_mask())
    desk.viewer.theme = name
    script.fails_with = "out_of_memory"
    desk.click_synthesize()
    desk.wait("the message", lambda: bool(desk.panel.message.text))
    strokes.settle(200)
    picture = tmp_path / f"panel-{name}.png"
    assert desk.widget.grab().save(str(picture))
    shown = pixels(desk.widget)
    ground = np.array(get_theme(name).background.as_rgb_tuple()[:3])
    assert (np.abs(shown.astype(int) - ground).max(axis=-1) < 12).mean() > 0.3, "the ground is not the theme's"
    for lamp in (Lamp.GREEN, Lamp.RED):
        color = np.array(theme.lamp_color(lamp, name).getRgb()[:3])
        assert (np.abs(shown.astype(int) - color).max(axis=-1) < 6).sum() > 20, f"no {lamp} lamp is seen"


@pytest.mark.parametrize("name", ["dark", "light"])
def test_lamps_and_texts_stand_out(name: str) -> None:
    ground = get_theme(name).background.as_rgb_tuple()
    assert contrast(get_theme(name).text.as_rgb_tuple(), theme.accent_color(name).getRgb()) >= 4.5
    for lamp in (Lamp.GREEN, Lamp.AMBER, Lamp.RED):
        assert contrast(theme.lamp_color(lamp, name).getRgb(), ground) >= 2.5, f"{lamp} is faint in {name}"

"""The pre-flight chips over the button, as one line of text that wraps: a dot a check, and a link where there is a fix."""

from __future__ import annotations

import html
from collections.abc import Callable
from typing import Any

from medsynth_core.lamp import Lamp
from medsynth_core.preflight import Chip, Fix

COLORS = {Lamp.GREEN: "#2e9e4f", Lamp.AMBER: "#c98a00", Lamp.RED: "#d1333f", Lamp.OFF: "gray"}
BETWEEN = " &nbsp; "


class ChipRow:
    """Dresses a label; `fix` is told which Fix was clicked. The tooltip says each check in a sentence."""

    def __init__(self, label: Any, fix: Callable[[Fix], None]) -> None:
        self._label, self._fix = label, fix
        self.chips: tuple[Chip, ...] = ()
        label.connect("linkActivated(QString)", self._clicked)

    def show(self, chips: tuple[Chip, ...]) -> None:
        """Show these chips instead."""
        if chips == self.chips:
            return
        self.chips = chips
        self._label.setText(BETWEEN.join(_chip(chip) for chip in chips))
        self._label.setToolTip("<br>".join(html.escape(chip.detail) for chip in chips))
        self._label.setVisible(bool(chips))

    def _clicked(self, link: str) -> None:
        self._fix(Fix[link])


def _chip(chip: Chip) -> str:
    dot = f'<span style="color:{COLORS[chip.lamp]}">●</span>'
    text = html.escape(chip.text).replace(" ", "&nbsp;")
    fix = f'&nbsp;<a href="{chip.fix.name}">{chip.fix.value.replace(" ", "&nbsp;")}</a>' if chip.fix is not Fix.NONE else ""
    return f"{dot}&nbsp;{text}{fix}"

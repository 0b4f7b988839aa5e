"""The colors that tell how something stands, without naming a color."""

from __future__ import annotations

import enum


class Lamp(enum.StrEnum):
    """Green: fine. Amber: look here. Red: does not work. Off: not in use."""

    GREEN = "green"
    AMBER = "amber"
    RED = "red"
    OFF = "off"

"""One figure of a report: its value, what it stands beside, and the recipe that makes it anew."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """`key` names it in JSON. `beside` is what to hold it against, `beside_is` says what that is; None where nothing is.

    `recipe` says in one sentence how it is measured, by which judge and on how many.
    """

    key: str
    title: str
    value: float
    recipe: str
    unit: str = ""
    spread: float | None = None
    beside: float | None = None
    beside_is: str = ""

    @property
    def said(self) -> str:
        """The value as people read it."""
        spread = "" if self.spread is None else f" ± {number(self.spread)}"
        return f"{number(self.value)}{spread} {self.unit}".strip()

    @property
    def beside_said(self) -> str:
        """What it stands beside, as people read it."""
        return "–" if self.beside is None else f"{number(self.beside)} {self.unit}".strip() + f"\n{self.beside_is}"

    def record(self) -> dict[str, object]:
        """Return the figure for JSON; what could not be measured is null."""
        told: dict[str, object] = {
            "key": self.key,
            "title": self.title,
            "value": _finite(self.value),
            "unit": self.unit,
            "recipe": self.recipe,
        }
        if self.spread is not None:
            told["spread"] = _finite(self.spread)
        if self.beside is not None:
            told |= {"beside": _finite(self.beside), "beside_is": self.beside_is}
        return told


def number(value: float) -> str:
    """Return a number as people read it: three significant digits, – where there is none."""
    if not math.isfinite(value):
        return "–"
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None

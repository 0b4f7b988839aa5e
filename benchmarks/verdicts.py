"""One table of all that a benchmark of bars measures: every row with its figure, its bar and whether it is held."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

HELD, MISSED, NO_BAR, ABSENT = "held", "NOT HELD", "", "NOT MEASURED"


@dataclass(frozen=True)
class Row:
    """One line. `number` is the bar's in the issue; `value` is None where it could not be measured, and `note` says why.

    `bar` says the rule in words; without one the row stands for comparison. `held` is None where there is no bar.
    """

    number: int
    what: str
    value: float | None
    unit: str = ""
    bar: str = ""
    held: bool | None = None
    note: str = ""

    @property
    def verdict(self) -> str:
        """The last word on the row; a bar whose figure is missing is not held, and says so."""
        if self.bar and self.value is None:
            return ABSENT
        if self.held is None:
            return NO_BAR
        return HELD if self.held else MISSED


def at_most(number: int, what: str, value: float, limit: float, unit: str = "", note: str = "") -> Row:
    """Return the row of a figure that must not exceed a limit. NaN and infinity do not hold."""
    return Row(number, what, value, unit, f"≤ {_number(limit)}", value <= limit, note)


def at_least(number: int, what: str, value: float, limit: float, unit: str = "", note: str = "") -> Row:
    """Return the row of a figure that must reach a limit. NaN does not hold."""
    return Row(number, what, value, unit, f"≥ {_number(limit)}", value >= limit, note)


def missing(number: int, what: str, why: str, bar: str = "") -> Row:
    """Return the row of what could not be measured."""
    return Row(number, what, None, "", bar, None, why)


def table(rows: Sequence[Row]) -> list[list[str]]:
    """Return the table, its head first."""
    head = ["", "what", "figure", "bar", "", "note"]
    return [head, *([str(r.number), r.what, _figure(r), r.bar, r.verdict, r.note] for r in rows)]


def tally(rows: Sequence[Row]) -> str:
    """Return how many of the bars are held, in words, with the numbers of those that are not."""
    barred = [r for r in rows if r.bar]
    wrong = sorted({r.number for r in barred if r.verdict != HELD})
    said = f"{sum(r.verdict == HELD for r in barred)} of {len(barred)} rows with a bar held"
    return said + (f"; not under {', '.join(map(str, wrong))}" if wrong else "")


def _figure(row: Row) -> str:
    return "–" if row.value is None else f"{_number(row.value)} {row.unit}".strip()


def _number(value: float) -> str:
    if math.isnan(value):
        return "–"
    return f"{value:.0f}" if abs(value) >= 1000 and math.isfinite(value) else f"{value:.3g}"

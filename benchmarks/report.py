"""How figures leave a benchmark: a table for people, JSON for programs."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medsynth_core.evaluation.machine import machine
from medsynth_core.protocol import to_json


@dataclass(frozen=True)
class Figure:
    """One measured value beside its bar; `ratio_to` names what it was measured against in the same run, if anything."""

    name: str
    value: float
    unit: str
    bar: float | None = None
    note: str = ""

    @property
    def verdict(self) -> str:
        """Whether the value meets its bar; empty where there is none. Every bar is an upper limit."""
        if self.bar is None:
            return ""
        return "met" if self.value <= self.bar else "missed"


def figure_rows(figures: Sequence[Figure]) -> list[list[str]]:
    """Return a table of figures, its head first."""
    head = ["figure", "value", "bar", "", "note"]
    rows = [[f.name, _with_unit(f.value, f.unit), _with_unit(f.bar, f.unit, "≤ "), f.verdict, f.note] for f in figures]
    return [head, *rows]


def print_table(rows: Sequence[Sequence[str]]) -> None:
    """Print rows as a Markdown table; the first is the head."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = ["| " + " | ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)) + " |" for row in rows]
    lines.insert(1, "|" + "|".join("-" * (w + 2) for w in widths) + "|")
    print("\n".join(lines), flush=True)


def write_json(folder: Path, name: str, settings: dict[str, Any], rows: Sequence[Any]) -> Path:
    """Write what was measured, on what and how; return the file."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.json"
    content = {"benchmark": name, "made": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "machine": machine()}
    partial = path.with_suffix(".partial")
    partial.write_text(
        json.dumps({**content, "settings": settings, "rows": [to_json(row) for row in rows]}, indent=2) + "\n", "utf-8"
    )
    os.replace(partial, path)
    return path


def _with_unit(value: float | None, unit: str, prefix: str = "") -> str:
    return "" if value is None else f"{prefix}{value:.3g} {unit}"

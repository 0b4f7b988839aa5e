"""From the figures of single cases to what is printed: means beside the input's, and the bars of the engine, held or not."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from benchmarks.refine_cases import AS_IT_IS, NEVER_SEEN, TAUGHT
from benchmarks.refine_methods import INPUT, MAIN, SAMPLED
from benchmarks.refine_scores import FIGURES, Score, Trust
from benchmarks.refine_starts import SEEN, UNSEEN
from medsynth_core.evaluation.bootstrap import Interval, bootstrap

GAINS = ("dice", "boundary_iou", "boundary_iou_2px")
GAIN_BARS = {"rough": (8.0, 10.0), "mid": (3.0, 5.0), "strong": (-0.2, 0.0)}
"""Bar 1: quality → least gain in Dice and in boundary IoU, in points."""
GAIN_GOALS = {"rough": 15.0, "mid": 6.0, "strong": 1.0}
TRUSTS = {"correlation": None, "calibration_error": None, "concentration": 3.0}
"""Bar 3: figure → least value; only the share of errors among the most uncertain tenth of the band has one."""

WORDS = {
    "dice": "Dice",
    "boundary_iou": "boundary IoU",
    "boundary_iou_2px": "boundary IoU, 2 px",
    "correlation": "correlation with error",
    "calibration_error": "calibration error",
    "concentration": "error in top 10 %, × base",
}
ALL = "all taught"
Kind = TypeVar("Kind")


@dataclass(frozen=True)
class Row:
    """What one method made of one case. `trust` where it gave an uncertainty; `kept`: it gave back its input."""

    source: str
    name: str
    group: str
    quality: str
    family: str
    method: str
    score: Score
    ms: float
    kept: bool
    trust: Trust | None = None


@dataclass(frozen=True)
class Cell:
    """One line of the table: means over the cases, and the gains over the input with intervals over images."""

    source: str
    quality: str
    family: str
    method: str
    cases: int
    kept: int
    mean: Score
    gain_dice: Interval
    gain_boundary_iou: Interval
    gain_boundary_iou_2px: Interval
    ms: float


@dataclass(frozen=True)
class Verdict:
    """One bar: whom it is about, the figure, its value with interval, the least it must be, whether it is held (None: no bar)."""

    about: str
    figure: str
    value: Interval
    bar: float | None
    held: bool | None


def cells(rows: Sequence[Row]) -> list[Cell]:
    """Return one cell for each set, quality, family and method that there is, and for the taught sets together."""
    taught = [r for r in rows if r.source in TAUGHT]
    together = [(ALL, taught)] if len({r.source for r in taught}) > 1 else []
    parts = [(source, [r for r in rows if r.source == source]) for source in _order(r.source for r in rows)] + together
    found = []
    for source, part in parts:
        for quality, family in _order((r.quality, r.family) for r in part):
            here = [r for r in part if (r.quality, r.family) == (quality, family)]
            found += [_cell(source, here, method) for method in _order(r.method for r in here)]
    return found


def gain_bars(rows: Sequence[Row]) -> list[Verdict]:
    """Bar 1: the gain over the input, by quality and family, for the taught sets together and one by one."""
    found = []
    for quality, (dice, edge) in GAIN_BARS.items():
        for family in (SEEN, UNSEEN):
            for source in (ALL, *TAUGHT):
                here = [r for r in rows if (r.quality, r.family) == (quality, family) and _within(r, source)]
                about = f"{quality}, {family}, {source}"
                found += [_gained(about, figure, here, INPUT, bar) for figure, bar in zip(GAINS, (dice, edge, edge), strict=True)]
    return [verdict for verdict in found if verdict is not None]


def rival_bars(rows: Sequence[Row]) -> list[Verdict]:
    """Bar 2: boundary IoU beside each rival on the taught sets, and beside the input on sets never seen; all generated starts."""
    rows = [r for r in rows if r.quality != AS_IT_IS]
    rivals = [m for m in _order(r.method for r in rows) if m != INPUT and not m.startswith("refine")]
    pairs = [(source, rival) for source in (ALL, *TAUGHT) for rival in rivals] + [(source, INPUT) for source in NEVER_SEEN]
    found = []
    for source, rival in pairs:
        here = [r for r in rows if _within(r, source)]
        found += [_gained(f"{source}, over {rival}", figure, here, rival, 0.0) for figure in GAINS[1:]]
    return [verdict for verdict in found if verdict is not None]


def trust_bars(rows: Sequence[Row]) -> list[Verdict]:
    """Bar 3: what the disagreement map of several runs is worth, by set."""
    found = []
    for source in (ALL, *TAUGHT, *NEVER_SEEN):
        here = [r for r in rows if r.method == SAMPLED and _within(r, source) and r.trust is not None]
        for figure, bar in TRUSTS.items():
            value = bootstrap([getattr(r.trust, figure) for r in here], [f"{r.source} {r.group}" for r in here])
            if not np.isnan(value.mean):
                found.append(Verdict(source, figure, value, bar, None if bar is None else value.mean >= bar))
    return found


def cell_table(part: Iterable[Cell]) -> list[list[str]]:
    """Return the table of cells, its head first."""
    head = [
        "set",
        "quality",
        "starts",
        "method",
        "n",
        "kept",
        "Dice",
        "Δ",
        "boundary IoU",
        "Δ",
        "at 2 px",
        "Δ",
        "HD95 px",
        "surface Dice",
        "ms",
    ]
    return [head, *(_line(cell) for cell in part)]


def verdict_table(verdicts: Sequence[Verdict]) -> list[list[str]]:
    """Return the table of bars, its head first: one line for each `about`, a value and its verdict for each figure."""
    figures = _order(v.figure for v in verdicts)
    head = [cell for figure in figures for cell in (WORDS[figure], "bar")]
    found = [["", *head]]
    for about in _order(v.about for v in verdicts):
        of_it = {v.figure: v for v in verdicts if v.about == about}
        found.append([about, *(cell for figure in figures for cell in _verdict_cells(of_it.get(figure)))])
    return found


def _cell(source: str, here: list[Row], method: str) -> Cell:
    mine = [r for r in here if r.method == method]
    mean = Score(*(float(np.mean([getattr(r.score, figure) for r in mine])) for figure in FIGURES))
    gains = [_gain(here, method, INPUT, figure) for figure in GAINS]
    ms = float(np.median([r.ms for r in mine]))
    return Cell(source, mine[0].quality, mine[0].family, method, len(mine), sum(r.kept for r in mine), mean, *gains, ms)


def _gain(rows: Sequence[Row], method: str, other: str, figure: str) -> Interval:
    """Return by how much a method's figure exceeds the other's, case by case."""
    base = {_case(r): getattr(r.score, figure) for r in rows if r.method == other}
    mine = [r for r in rows if r.method == method and _case(r) in base]
    return bootstrap([getattr(r.score, figure) - base[_case(r)] for r in mine], [f"{r.source} {r.group}" for r in mine])


def _gained(about: str, figure: str, rows: Sequence[Row], other: str, bar: float) -> Verdict | None:
    """Return the verdict on the gain of the engine over another; None where there is no case of both."""
    value = _gain(rows, MAIN, other, figure)
    return None if np.isnan(value.mean) else Verdict(about, figure, value, bar, value.mean >= bar)


def _verdict_cells(verdict: Verdict | None) -> tuple[str, str]:
    if verdict is None:
        return "–", ""
    if verdict.bar is None:
        return _interval(verdict.value), ""
    return _interval(verdict.value), f"≥ {verdict.bar:g} {'held' if verdict.held else 'NOT HELD'}"


def _case(row: Row) -> tuple[str, str, str, str]:
    return row.source, row.name, row.quality, row.family


def _within(row: Row, source: str) -> bool:
    return row.source in TAUGHT if source == ALL else row.source == source


def _order(values: Iterable[Kind]) -> list[Kind]:
    """Return each value once, in the order of their first coming."""
    return list(dict.fromkeys(values))


def _line(cell: Cell) -> list[str]:
    mean = cell.mean
    figures = [f"{mean.dice:.1f}", _interval(cell.gain_dice), f"{mean.boundary_iou:.1f}", _interval(cell.gain_boundary_iou)]
    figures += [
        f"{mean.boundary_iou_2px:.1f}",
        _interval(cell.gain_boundary_iou_2px),
        f"{mean.hd95_px:.1f}",
        f"{mean.surface_dice:.1f}",
    ]
    return [cell.source, cell.quality, cell.family, cell.method, f"{cell.cases}", f"{cell.kept}", *figures, f"{cell.ms:.0f}"]


def _interval(value: Interval) -> str:
    return "–" if np.isnan(value.mean) else f"{value.mean:+.2f} [{value.low:+.2f}, {value.high:+.2f}]"

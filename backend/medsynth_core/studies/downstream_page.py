"""What a downstream study found, for people: one page with the answer first, then charts, tables, examples and the recipe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import medsynth_core
from medsynth_core.evaluation.bootstrap import Interval
from medsynth_core.evaluation.line_chart import Line, Point, line_chart
from medsynth_core.evaluation.pictures import Pane, Plane, outlined
from medsynth_core.evaluation.report_page import command, facts, page, paragraph, pictures, section, table
from medsynth_core.studies.arms import CLASSIC
from medsynth_core.studies.generators import Generator
from medsynth_core.studies.items import Item
from medsynth_core.studies.table import FEWEST_GROUPS, FEWEST_SEEDS, Row

NAMES = {"dice": "Dice", "aji": "AJI", "pq": "PQ"}
EXAMPLES = 5
RULE = (
    f"“Helps” and “harms” are said only of {FEWEST_SEEDS} seeds and {FEWEST_GROUPS} groups or more, where the intervals "
    "over items and over groups are clear of zero and every seed agrees."
)


@dataclass(frozen=True, eq=False)
class Recipe:
    """What else the page tells: the data, the command that repeats all, settings by name, generators and examples by fraction,
    the machine, and what it cost in seconds: of one core, and by the clock (0 where most was there already)."""

    data: str
    command: str
    settings: Mapping[str, str]
    generators: Mapping[int, Generator]
    examples: Mapping[int, tuple[Sequence[Item], Sequence[Item]]]
    machine: Mapping[str, Any]
    core_seconds: float
    wall_seconds: float


def downstream_page(rows: Sequence[Row], recipe: Recipe) -> str:
    """Return the page."""
    segmenters = tuple(dict.fromkeys(row.segmenter for row in rows))
    parts = [_head(rows, recipe)]
    parts += [_part(segmenter, [row for row in rows if row.segmenter == segmenter]) for segmenter in segmenters]
    parts += [_examples(percent, *items) for percent, items in recipe.examples.items()]
    return page(f"Does synthetic data help? {recipe.data}", "\n".join((*parts, _facts(recipe))))


def answers(rows: Sequence[Row]) -> list[str]:
    """Return the answer in sentences: for each segmenter and fraction, the best of the arms with real and synthetic items."""
    deciding = "aji" if any(row.figure == "aji" for row in rows) else rows[0].figure  # nuclei: as NuDiff is judged
    held = [row for row in rows if row.figure == deciding and row.above is not None and row.real and row.made]
    places = dict.fromkeys((row.segmenter, row.percent) for row in held)
    return [_answer([row for row in held if (row.segmenter, row.percent) == place]) for place in places]


def _answer(arms: Sequence[Row]) -> str:
    best = max(arms, key=lambda row: row.above.items.mean if row.above else 0.0)
    assert best.above is not None
    over, name = best.above.items, NAMES[best.figure]
    apart = f"{abs(over.mean):.1f} {name} {'below' if over.mean < 0 else 'above'} {CLASSIC.title}"
    most = f"{best.title} is {apart} ({_span(over)} over items, "
    among = f", the best of {len(arms)} amounts" if len(arms) > 1 else ""
    return (
        f"At {best.percent} % ({best.real} real items), {_network(best.segmenter)}: synthetic data {best.verdict}. "
        f"{most[0].upper()}{most[1:]}{_span(best.above.groups)} over groups){among}."
    )


def _head(rows: Sequence[Row], recipe: Recipe) -> str:
    said = "".join(paragraph(text, "lead") for text in answers(rows))
    what = "Segmenters trained on real and synthetic pairs, measured on real items that neither they nor the generator have seen."
    notes = [RULE]
    if len({row.arm for row in rows if row.real and row.made}) > 1:
        notes.append("The best amount is chosen after looking, so its gain is a little flattered; every amount is in the tables.")
    if (seeds := len(rows[0].seeds)) < FEWEST_SEEDS:
        notes.append(f"Here {seeds} only: the chance of a training can look like a difference.")
    small = "".join(paragraph(text) for text in notes)
    return f"<header><h1>Does synthetic data help?</h1>{paragraph(f'{recipe.data}. {what}')}{said}{small}</header>"


def _part(segmenter: str, rows: Sequence[Row]) -> str:
    figures = tuple(dict.fromkeys(row.figure for row in rows))
    parts = []
    for figure in figures:
        mine = [row for row in rows if row.figure == figure]
        parts += [_chart(mine, NAMES[figure]), _table(mine, NAMES[figure])]
    return section(f"Segmenter: {_network(segmenter)}", *parts)


def _network(segmenter: str) -> str:
    return "our U-Net" if segmenter == "ours" else "MONAI's U-Net"


def _chart(rows: Sequence[Row], name: str) -> str:
    percents = tuple(dict.fromkeys(row.percent for row in rows))
    lines = []
    for title in dict.fromkeys(row.title for row in rows):
        mine = [row for row in rows if row.title == title]
        points = (Point(percents.index(r.percent), *_triple(r.mean.items)) for r in mine)
        lines.append(Line(title, tuple(points)))
    return line_chart(lines, [f"{percent} %" for percent in percents], "of the real training items", f"{name} × 100")


def _triple(interval: Interval) -> tuple[float, float, float]:
    return interval.mean, interval.low, interval.high


def _table(rows: Sequence[Row], name: str) -> str:
    heads = (
        "real items",
        "arm",
        "real",
        "synthetic",
        f"{name} × 100",
        f"above {CLASSIC.title}",
        "the same, over groups",
        "by seed",
    )
    return table(heads, [_cells(row) for row in rows])


def _cells(row: Row) -> list[str]:
    above = [_signed(row.above.items), _span(row.above.groups)] if row.above else ["–", "–"]
    seeds = " · ".join(f"{value:.1f}" for value in row.seeds)
    mean = f"{row.mean.items.mean:.1f}\n{row.mean.items.low:.1f} to {row.mean.items.high:.1f}"
    return [f"{row.percent} %", row.title, str(row.real), str(row.made), mean, *above, seeds]


def _signed(interval: Interval) -> str:
    return f"{_number(interval.mean)}\n{_span(interval)}"


def _span(interval: Interval) -> str:
    return f"{_number(interval.low)} to {_number(interval.high)}"


def _number(value: float) -> str:
    """Return a signed number as it is printed in text."""
    return f"{value:+.1f}".replace("-", "−")


def _examples(percent: int, real: Sequence[Item], made: Sequence[Item]) -> str:
    shown = [pictures([_pane("Real", item) for item in real], "an item with its mask")]
    shown.append(pictures([_pane("Synthetic", item) for item in made], "an item with its mask"))
    return section(f"At {percent} %: real items above, synthetic ones below, each with its mask", *shown)


def _pane(title: str, item: Item) -> Pane:
    z = int((item.labels != 0).sum(axis=(1, 2)).argmax())  # of a volume, the slice that shows most
    image, labels = item.image[z], item.labels[z]
    if len(item.labels) > 1:
        image = image[1:2]  # without its neighbors
    pixels = np.moveaxis(np.broadcast_to(image, (3, *image.shape[1:])), 0, -1)  # grey is not stretched: brightness counts, too
    values = tuple(int(v) for v in np.unique(labels) if v)
    return outlined(title, Plane(pixels, None, labels, None, (1.0, 1.0), values))


def _facts(recipe: Recipe) -> str:
    clock = f"{_hours(recipe.wall_seconds)} by the clock in the last run; what was kept from earlier runs is not in that"
    machine = ", ".join(f"{name} {value}" for name, value in recipe.machine.items() if value is not None)
    made = (
        f"MedSynth {medsynth_core.__version__}. Synthetic images: for research and training of algorithms, never for diagnosis."
    )
    parts = [command(recipe.command), facts(recipe.settings)]
    parts += [facts(_generator(percent, generator)) for percent, generator in recipe.generators.items()]
    parts.append(facts({"Machine": machine, "Cost": f"{_hours(recipe.core_seconds)} of one core; {clock}"}))
    return f"<footer><h2>How to repeat it</h2>{''.join(parts)}{paragraph(made)}</footer>"


def _hours(seconds: float) -> str:
    return f"{seconds / 3600:.2f} h"


def _generator(percent: int, generator: Generator) -> dict[str, str]:
    card = generator.card
    terms = card.license + ("" if card.commercial_use else ", no commercial use")
    title = f"{card.title} ({card.id}), {card.steps} steps"
    return {f"Generator at {percent} %": title, "What it has learned from": generator.note, "License": terms, "Data": card.data}

"""The whole of `msynth evaluate fidelity`: read, train judges, make samples, measure, write the report.

OUT/report.html     for people         OUT/report.json     every figure with its recipe
OUT/judges/         networks that judge, trained on the training side, kept for the next run
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

import medsynth_core
from medsynth_core.evaluation.figure import Figure
from medsynth_core.evaluation.machine import machine
from medsynth_core.evaluation.pictures import Pane, Plane, displayed, outlined
from medsynth_core.evaluation.report_page import command, facts, page, paragraph, pictures, section, table
from medsynth_core.models.folder import write_json
from medsynth_core.studies.at_work import Report
from medsynth_core.studies.fidelity import Bench, Faithful, FidelitySettings, fidelity
from medsynth_core.studies.items import Item
from medsynth_core.studies.questioned import Question, Questioned, questioned, title_of

MOST_SHOWN = 12
STYLE = """
td:last-child { white-space: normal; min-width: 22rem; }
section > .panes { display: inline-grid; grid: auto / auto-flow 12rem; margin: 0 1.6rem 1rem 0; }
"""
WHAT = (
    "What the model makes beside real held-out images that neither it nor the judges have seen. No figure here says that "
    "synthetic data helps: for that there is msynth evaluate downstream."
)


@dataclass(frozen=True)
class FidelityRun:
    """One command: the model and its data, masks or volumes at most, where to."""

    question: Question
    out: Path
    count: int = 100
    workers: int = 1
    command: str = ""
    settings: FidelitySettings = field(default_factory=FidelitySettings)


@dataclass(frozen=True)
class Answer:
    """What came of it: the figures, and the report for people."""

    figures: tuple[Figure, ...]
    page: Path


def run(order: FidelityRun, report: Report) -> Answer:
    """Return the figures, and write the report."""
    began = time.monotonic()
    asked, data = questioned(order.question), title_of(order.question.data)
    judges = order.out / "judges"
    bench = Bench(order.question, asked, data.replace("/", "-"), judges, order.count, order.workers, report, order.settings)
    found = fidelity(bench)
    seconds = time.monotonic() - began
    order.out.mkdir(parents=True, exist_ok=True)
    _write_json(order, asked, found, seconds)
    place = order.out / "report.html"
    partial = place.with_suffix(".partial")
    partial.write_text(fidelity_page(data, order, asked, found, seconds), "utf-8")
    partial.replace(place)
    return Answer(found.figures, place)


def fidelity_page(data: str, order: FidelityRun, asked: Questioned, found: Faithful, seconds: float) -> str:
    """Return the page."""
    head = f"<header><h1>Is the model faithful?</h1>{paragraph(f'{data}. {WHAT}', 'lead')}</header>"
    rows = [[figure.title, figure.said, figure.beside_said, figure.recipe] for figure in found.figures]
    figures = table(("figure", "made", "beside", "how it is measured"), rows)
    measured = f"{order.count} masks or volumes at most, the {order.question.side} side; the engine's defaults"
    made = f"MedSynth {medsynth_core.__version__}, {seconds / 60:.1f} min. Synthetic images: never for diagnosis."
    told = {"Measured on": measured, "Machine": ", ".join(f"{name} {value}" for name, value in machine().items() if value)}
    footer = f"{command(order.command)}{facts(asked.facts)}{facts(told)}{paragraph(made)}"
    body = (head, figures, _shown(found), f"<footer><h2>How to repeat it</h2>{footer}</footer>")
    return page(f"Is the model faithful? {data}", "\n".join(body), STYLE)


def _shown(found: Faithful) -> str:
    places = np.unique(np.linspace(0, len(found.shown) - 1, min(MOST_SHOWN, len(found.shown))).round().astype(int))
    parts = []
    for number in places:
        real, made = found.shown[int(number)]
        panes = [] if real is None else [item_pane("Real", real)]
        parts.append(pictures([*panes, item_pane("Synthetic", made)], "an item with its mask"))
    return section("Real and synthetic, each with its mask", *parts)


def item_pane(title: str, item: Item) -> Pane:
    """Return the picture of an item with its labels; of a volume the slice that shows most of them."""
    z = int((item.labels != 0).sum(axis=(1, 2)).argmax())
    image, labels = item.image[z], item.labels[z]
    volume = len(item.labels) > 1
    pixels = image[1] if volume else image[0] if len(image) == 1 else np.moveaxis(image, 0, -1)
    values = tuple(int(value) for value in np.unique(labels) if value)
    return outlined(title, Plane(displayed(pixels), None, labels, None, (1.0, 1.0), values))


def _write_json(order: FidelityRun, asked: Questioned, found: Faithful, seconds: float) -> None:
    content = {
        **asked.record("fidelity", order.command, seconds),
        "side": order.question.side,
        "figures": [figure.record() for figure in found.figures],
    }
    write_json(order.out / "report.json", content)

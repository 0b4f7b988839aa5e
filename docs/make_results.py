"""Writes the downstream tables of docs/results.md and README.md from the reports of `make studies`: nothing is copied by hand.

    .venv/bin/python docs/make_results.py runs/studies

A table stands between `<!-- study polyp -->` and `<!-- end -->`; what has no report stays as it is. README has one row a fraction
with the amounts of synthetic pairs that all fractions have, so that none is chosen after looking.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
STUDIES = {
    "polyp": ("polyp", "Dice"),
    "brain-slice": ("brain slice", "Dice"),
    "nuclei-he": ("nuclei", "AJI"),
    "lgg-flair": ("FLAIR volume", "Dice"),
}
"""What each study is called, and the figure that decides."""

SHORT_ARMS = ("x1", "x2")

Report = dict[str, Any]


def main() -> None:
    """Fill the tables in."""
    folder = Path(sys.argv[1])
    reports = {name: json.loads(path.read_text("utf-8")) for name in STUDIES if (path := folder / name / "report.json").is_file()}
    results = HERE / "results.md"
    text = results.read_text("utf-8")
    for name, report in reports.items():
        text = filled(text, name, whole_table(name, report))
    results.write_text(text, "utf-8")
    readme = HERE.parent / "README.md"
    readme.write_text(filled(readme.read_text("utf-8"), "all", short_table(reports)), "utf-8")


def filled(text: str, name: str, table: list[str]) -> str:
    """Return the text with another table between the marks of `name`. Raises ValueError where there are none."""
    block = re.compile(rf"(<!-- study {re.escape(name)} -->\n).*?(<!-- end -->)", re.DOTALL)
    if not block.search(text):
        raise ValueError(f"<!-- study {name} --> and <!-- end --> are missing: put them where the table belongs")
    return block.sub(lambda found: found[1] + "\n".join(["", *table, "", ""]) + found[2], text)


def whole_table(name: str, report: Report) -> list[str]:
    """Return every arm of a study, and what it took."""
    figure = STUDIES[name][1]
    lines = [
        f"| real items | arm | synthetic | {figure} × 100 | above real + classic | over groups | by seed |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in report["rows"]:
        if row["figure"] == figure.lower():
            above = row["above"]
            apart = [signed(above["items"]), span(above["groups"])] if above else ["–", "–"]
            seeds = " · ".join(f"{value:.1f}" for value in row["seeds"])
            network = "" if row["segmenter"] == "ours" else " (MONAI's U-Net)"
            mean = f"{row['mean']['items']['mean']:.1f}"
            real = f"{row['percent']} %" + (f": {row['real']}" if row["real"] else "")
            lines.append(f"| {real} | {row['title']}{network} | {row['made']} | {mean} | {' | '.join(apart)} | {seeds} |")
    measured, machine = report["settings"]["Measured on"], report["machine"]
    where = machine["gpu"] or f"{machine['cores']} cores of a CPU"
    cost = f"{report['core_hours']:.1f} hours of one core beside the trainings of the generators"
    lines += ["", f"Measured on {measured}. {cost}; {where}, torch {machine['torch']}."]
    return lines


def short_table(reports: dict[str, Report]) -> list[str]:
    """Return one line for each fraction of each study."""
    lines = ["| set | real items | real | + classic | + synthetic ×1: gain | + synthetic ×2: gain |", "|---|---|---|---|---|---|"]
    for name, report in reports.items():
        title, figure = STUDIES[name]
        rows = {(r["percent"], r["arm"]): r for r in report["rows"] if r["figure"] == figure.lower() and r["segmenter"] == "ours"}
        for percent in sorted({percent for percent, _ in rows}):
            cells = [f"{rows[percent, arm]['mean']['items']['mean']:.1f}" for arm in ("real", "classic")]
            cells += [signed(rows[percent, arm]["above"]["items"]) for arm in SHORT_ARMS]
            lines.append(f"| {title}, {figure} | {percent} %: {rows[percent, 'classic']['real']} | {' | '.join(cells)} |")
    return lines


def signed(interval: dict[str, float]) -> str:
    """Return a gain with its interval."""
    return f"{number(interval['mean'])} ({span(interval)})"


def span(interval: dict[str, float]) -> str:
    """Return where an interval reaches from and to."""
    return f"{number(interval['low'])} to {number(interval['high'])}"


def number(value: float) -> str:
    """Return a signed number as it is printed in text."""
    return f"{value:+.1f}".replace("-", "−")


if __name__ == "__main__":
    main()

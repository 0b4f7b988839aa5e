"""Writes the downstream tables of docs/results.md and README.md from the reports of `make studies`: nothing is copied by hand.

    .venv/bin/python docs/make_results.py runs/studies

A table stands between `<!-- study polyp -->` and `<!-- end -->`; what has no report stays as it is. A study may have several
reports, such as one of all arms at 10 % beside one of few arms at all fractions. README has a row for each, with the amounts of
synthetic pairs that a set's fractions share, or the only one of a fraction, so that none is chosen after looking.
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
MORE = ("x8", "x4", "x2", "x0.5")


Report = dict[str, Any]


def main() -> None:
    """Fill the tables in."""
    reports = {name: report for name in STUDIES if (report := merged(Path(sys.argv[1]) / name))}
    results = HERE / "results.md"
    text = results.read_text("utf-8")
    for name, report in reports.items():
        text = filled(text, name, whole_table(name, report))
    results.write_text(text, "utf-8")
    readme = HERE.parent / "README.md"
    readme.write_text(filled(readme.read_text("utf-8"), "all", short_table(reports)), "utf-8")


def merged(folder: Path) -> Report:
    """Return the reports of a study as one, each row once, small fractions first; empty if there is none."""
    found = [json.loads(path.read_text("utf-8")) for path in sorted(folder.glob("report*.json"))]
    if not found:
        return {}
    rows: dict[tuple[Any, ...], dict[str, Any]] = {}
    hours = 0.0
    for report in found:
        its = {(row["percent"], row["segmenter"], row["arm"], row["figure"]): row for row in report["rows"]}
        hours += report["core_hours"] * len(its.keys() - rows.keys()) / len(its)  # lessons that reports share took time once
        rows |= its
    whole = sorted(rows.values(), key=lambda row: (row["percent"], row["segmenter"] != "ours", order(row)))
    return {**found[-1], "rows": whole, "core_hours": hours}


def order(row: dict[str, Any]) -> tuple[bool, bool, float]:
    """Return where an arm stands: real, classic, then by the synthetic pairs; those without real ones last."""
    return row["real"] == 0, row["arm"] != "real", row["made"]


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
    cost = f"About {report['core_hours']:.1f} hours of one core beside the trainings of the generators"
    lines += ["", f"Measured on {measured}. {cost}; {where}, torch {machine['torch']}."]
    return lines


def short_table(reports: dict[str, Report]) -> list[str]:
    """Return one line for each fraction of each study."""
    lines = ["| set | real items | real | + classic | gain of synthetic ×1 | of another amount |", "|---|---|---|---|---|---|"]
    for name, report in reports.items():
        title, figure = STUDIES[name]
        rows = {(r["percent"], r["arm"]): r for r in report["rows"] if r["figure"] == figure.lower() and r["segmenter"] == "ours"}
        percents = sorted({percent for percent, _ in rows})
        shared = [arm for arm in MORE if all((percent, arm) in rows for percent in percents)]
        for percent in percents:
            means = {arm: row["mean"]["items"]["mean"] for (at, arm), row in rows.items() if at == percent}
            cells = [f"{means[arm]:.1f}" if arm in means else "–" for arm in ("real", "classic")]
            cells += [signed(rows[percent, "x1"]["above"]["items"]) if (percent, "x1") in rows else "–"]
            others = [arm for at, arm in rows if at == percent and arm.startswith("x") and arm != "x1"]
            only = shared[:1] or (others if len(others) == 1 else [])
            cells += [f"×{only[0][1:]}: {signed(rows[percent, only[0]]['above']['items'])}" if only else "–"]
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

"""One HTML page on a run of refine: pictures and figures of every case, the parameters, the model and its license.

The page is one file: the pictures are in it, nothing is loaded from elsewhere, nothing runs. What changed most comes first.
"""

from __future__ import annotations

import heapq
import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import medsynth_core
from medsynth_core.evaluation.comparison import Figures, View
from medsynth_core.evaluation.pictures import ADDED, RELABELED, REMOVED
from medsynth_core.evaluation.report_page import facts, pictures
from medsynth_core.evaluation.report_page import page as shell
from medsynth_core.protocol import ModelCard, Scalar

MOST_PICTURED = 100
"""Cases with pictures; a page of more would be too large for a browser."""


@dataclass(frozen=True)
class Entry:
    """One case of the page. `seconds` is None where unknown; `note` says what else there is to know."""

    name: str
    figures: Figures
    seconds: float | None = None
    kept: str = ""
    note: str = ""
    views: tuple[View, ...] = ()

    @property
    def change(self) -> float:
        """Changed voxels as a share of those painted before or after; 1 where there was nothing to compare with."""
        f = self.figures
        if f.changed is None or f.before is None:
            return 1.0
        return f.changed / max(1, f.before, f.after)


class Album:
    """The entries of a page, of which only those that changed most keep their pictures."""

    def __init__(self) -> None:
        self._entries: dict[str, Entry] = {}
        self._pictured: list[tuple[float, str]] = []  # a heap, least change first

    def add(self, entry: Entry) -> None:
        """Put a case on the page."""
        self._entries[entry.name] = entry
        heapq.heappush(self._pictured, (entry.change, entry.name))
        if len(self._pictured) > MOST_PICTURED:
            _, name = heapq.heappop(self._pictured)
            self._entries[name] = replace(self._entries[name], views=())

    def entries(self) -> list[Entry]:
        """Return the cases, the one that changed most first."""
        return sorted(self._entries.values(), key=lambda entry: (-entry.change, entry.name))


def page(album: Album, failures: Sequence[tuple[str, str]], params: Mapping[str, Scalar], card: ModelCard) -> str:
    """Return the page. `failures` holds (case, reason)."""
    entries = album.entries()
    body = "\n".join(
        (
            f"<header><h1>Refined masks</h1><p>{_lead(entries, failures)}</p>{_legend()}</header>",
            _table(entries),
            _failures(failures),
            *(_case(i, entry) for i, entry in enumerate(entries) if entry.views),
            _facts(params, card),
        )
    )
    return shell("Refined masks", body, _STYLE)


def _lead(entries: Sequence[Entry], failures: Sequence[tuple[str, str]]) -> str:
    pictured = sum(bool(entry.views) for entry in entries)
    parts = [f"{len(entries)} {'case' if len(entries) == 1 else 'cases'}"]
    parts += [f"{len(failures)} not shown"] if failures else []
    parts += ["the one that changed most first"] if any(entry.figures.changed for entry in entries[1:]) else []
    parts += [f"pictures of the {pictured} that changed most"] if pictured < len(entries) else []
    return ", ".join(parts) + "."


def _legend() -> str:
    signs = (("added", "added"), ("removed", "removed (hatched)"), ("relabeled", "given another label"), ("heat", "uncertain"))
    return '<p class="legend">' + "".join(f'<span><i class="{name}"></i>{words}</span>' for name, words in signs) + "</p>"


def _table(entries: Sequence[Entry]) -> str:
    if not entries:
        return ""
    compared, kept = any(e.figures.changed is not None for e in entries), any(e.kept for e in entries)
    heads = ["case", *(["changed", "added", "removed", "Dice before/after"] if compared else ["painted"]), "time"]
    heads += ["kept as it was"] if kept else []
    cells = "".join(f"<th>{head}</th>" for head in heads)
    rows = "\n".join(_row(i, entry, compared, kept) for i, entry in enumerate(entries))
    return f'<div class="scroll"><table><thead><tr>{cells}</tr></thead><tbody>\n{rows}\n</tbody></table></div>'


def _row(i: int, entry: Entry, compared: bool, kept: bool) -> str:
    f, name = entry.figures, html.escape(entry.name)
    cells = [f'<a href="#case{i}">{name}</a>' if entry.views else name]
    if compared:
        changed = "–" if f.changed is None else f"{_count(f.changed)} <small>({entry.change:.1%})</small>"
        cells += [changed, _count(f.added), _count(f.removed), "–" if f.dice is None else f"{f.dice:.3f}"]
    else:
        cells.append(_count(f.after))
    cells.append(_seconds(entry.seconds))
    cells += [html.escape(entry.kept) or "–"] if kept else []
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"


def _failures(failures: Sequence[tuple[str, str]]) -> str:
    if not failures:
        return ""
    items = "\n".join(f"<li><b>{html.escape(name)}</b>: {html.escape(reason)}</li>" for name, reason in failures)
    return f'<section class="failed"><h2>Not shown</h2><ul>\n{items}\n</ul></section>'


def _case(i: int, entry: Entry) -> str:
    notes = [f"kept as it was: {entry.kept}"] if entry.kept else []
    notes += [entry.note] if entry.note else []
    told = "".join(f"<p>{html.escape(note)}</p>" for note in notes)
    rows = "\n".join(_view(entry.name, view) for view in entry.views)
    return f'<section id="case{i}"><h2>{html.escape(entry.name)} <small>{_digest(entry)}</small></h2>{told}\n{rows}</section>'


def _digest(entry: Entry) -> str:
    f = entry.figures
    if f.changed is None:
        return f"{_count(f.after)} painted, drawn by the coarse network and refined"
    return f"+{_count(f.added)} −{_count(f.removed)} · Dice before/after {f.dice:.3f}"


def _view(name: str, view: View) -> str:
    caption = f"<h3>{html.escape(view.caption)}</h3>" if view.caption else ""
    return caption + pictures(view.panes, name)


def _facts(params: Mapping[str, Scalar], card: ModelCard) -> str:
    terms = card.license + ("" if card.commercial_use else ", no commercial use")
    known = {"Model": f"{card.title} ({card.id})", "License": terms, "Trained on": card.data, "Attribution": card.attribution}
    made = f"Made by MedSynth {medsynth_core.__version__}. For research and for training algorithms, never for diagnosis."
    listed = facts({k: v for k, v in known.items() if v})
    asked = facts({name.replace("_", " "): _value(value) for name, value in params.items()}, "params")
    return f"<footer><h2>How they were made</h2>{listed}{asked}<p>{made}</p></footer>"


def _value(value: Scalar) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value) or "–"


def _count(number: int | None) -> str:
    return "–" if number is None else f"{number:,}".replace(",", " ")


def _seconds(seconds: float | None) -> str:
    return "–" if seconds is None else f"{seconds:.1f} s"


_STYLE = f"""
td:first-child, td:nth-child(7) {{ white-space: normal; overflow-wrap: anywhere; min-width: 9rem; }}
td small {{ display: inline; }}
.added {{ background: {ADDED}; }} .relabeled {{ background: {RELABELED}; }}
.removed {{ background: repeating-linear-gradient(135deg, {REMOVED} 0 4px, transparent 4px 6px); }}
.heat {{ background: linear-gradient(90deg, #57106e, #bc3754, #f98e09, #fcffa4); }}
.failed {{ border-left: 4px solid {REMOVED}; }}
"""

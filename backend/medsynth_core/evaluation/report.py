"""One HTML page on a run of refine: pictures and figures of every case, the parameters, the model and its license.

The page is one file: the pictures are in it, nothing is loaded from elsewhere, nothing runs. What changed most comes first.
"""

from __future__ import annotations

import base64
import heapq
import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import medsynth_core
from medsynth_core.evaluation.comparison import Figures, View
from medsynth_core.evaluation.pictures import ADDED, RELABELED, REMOVED, Pane
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
    return _PAGE.replace("{body}", body)


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
    return caption + '<div class="panes">' + "".join(_pane(name, pane) for pane in view.panes) + "</div>"


def _pane(name: str, pane: Pane) -> str:
    height, width = pane.size
    source = base64.b64encode(pane.png).decode("ascii")
    alt = html.escape(f"{pane.title} of {name}", quote=True)
    picture = f'<img alt="{alt}" width="{width}" height="{height}" src="data:image/png;base64,{source}">'
    return f"<figure>{picture}<figcaption>{html.escape(pane.title)}</figcaption></figure>"


def _facts(params: Mapping[str, Scalar], card: ModelCard) -> str:
    terms = card.license + ("" if card.commercial_use else ", no commercial use")
    facts = {"Model": f"{card.title} ({card.id})", "License": terms, "Trained on": card.data, "Attribution": card.attribution}
    made = f"Made by MedSynth {medsynth_core.__version__}. For research and for training algorithms, never for diagnosis."
    listed = _pairs({k: v for k, v in facts.items() if v})
    asked = _pairs({name.replace("_", " "): _value(value) for name, value in params.items()})
    return f'<footer><h2>How they were made</h2><dl>{listed}</dl><dl class="params">{asked}</dl><p>{made}</p></footer>'


def _pairs(facts: Mapping[str, str]) -> str:
    escaped = ((html.escape(name), html.escape(value)) for name, value in facts.items())
    return "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in escaped)


def _value(value: Scalar) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value) or "–"


def _count(number: int | None) -> str:
    return "–" if number is None else f"{number:,}".replace(",", " ")


def _seconds(seconds: float | None) -> str:
    return "–" if seconds is None else f"{seconds:.1f} s"


_PAGE = f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Refined masks</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<style>
:root {{ color-scheme: light dark; --page: #fbfbfa; --ink: #1d2126; --faint: #646b73; --line: #dfe2e5; --card: #fff; }}
@media (prefers-color-scheme: dark) {{
  :root {{ --page: #15181b; --ink: #e8eaec; --faint: #9aa2aa; --line: #30363c; --card: #1d2125; }}
}}
* {{ box-sizing: border-box; }}
body {{ margin: 0 auto; padding: 2rem 1.5rem 4rem; max-width: 1680px; background: var(--page); color: var(--ink);
  font: 15px/1.5 system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }}
h1 {{ margin: 0; font-size: 1.7rem; letter-spacing: -0.01em; }}
h2 {{ margin: 0 0 .6rem; font-size: 1.1rem; overflow-wrap: anywhere; }}
h3 {{ margin: 1rem 0 .4rem; font-size: .85rem; font-weight: 500; color: var(--faint); }}
p {{ margin: .3rem 0; }} small {{ font-weight: 400; color: var(--faint); font-size: .88em; }}
a {{ color: inherit; text-decoration-color: var(--faint); text-underline-offset: 3px; }}
section, footer, .scroll {{ margin-top: 1.5rem; padding: 1.1rem 1.3rem; background: var(--card); border: 1px solid var(--line);
  border-radius: 10px; }}
.scroll {{ overflow-x: auto; padding: .4rem 1.3rem; }}
table {{ border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }}
th, td {{ padding: .45rem 1rem .45rem 0; text-align: left; border-bottom: 1px solid var(--line); white-space: nowrap; }}
th {{ font-size: .8rem; font-weight: 500; color: var(--faint); }} tr:last-child td {{ border-bottom: 0; }}
td:first-child, td:nth-child(7) {{ white-space: normal; overflow-wrap: anywhere; min-width: 9rem; }}
.panes {{ display: grid; grid-template-columns: repeat(5, minmax(0, 300px)); gap: .8rem; align-items: start; }}
figure {{ margin: 0; }} figure img {{ display: block; border-radius: 6px; width: 100%; height: auto; }}
figcaption {{ margin-top: .25rem; font-size: .82rem; color: var(--faint); }}
.legend {{ display: flex; flex-wrap: wrap; gap: 1.2rem; font-size: .85rem; color: var(--faint); }}
.legend span {{ display: inline-flex; align-items: center; gap: .4rem; }}
.legend i {{ width: 1.1rem; height: .8rem; border-radius: 3px; }}
.added {{ background: {ADDED}; }} .relabeled {{ background: {RELABELED}; }}
.removed {{ background: repeating-linear-gradient(135deg, {REMOVED} 0 4px, transparent 4px 6px); }}
.heat {{ background: linear-gradient(90deg, #57106e, #bc3754, #f98e09, #fcffa4); }}
.failed {{ border-left: 4px solid {REMOVED}; }} ul {{ margin: 0; padding-left: 1.1rem; }} li {{ overflow-wrap: anywhere; }}
dl {{ display: grid; grid-template-columns: repeat(auto-fill, minmax(300px, 1fr)); gap: .5rem 1.5rem; margin: 0 0 1rem; }}
dl.params {{ grid-template-columns: repeat(auto-fill, minmax(130px, 1fr)); }}
dt {{ font-size: .8rem; color: var(--faint); }} dd {{ margin: 0; overflow-wrap: anywhere; }}
@media (max-width: 900px) {{ .panes {{ grid-template-columns: repeat(auto-fill, minmax(160px, 1fr)); }} }}
@media print {{ section {{ break-inside: avoid; }} }}
</style></head><body>
{{body}}
</body></html>
"""

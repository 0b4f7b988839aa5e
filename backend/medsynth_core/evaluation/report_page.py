"""One look for all our reports: a page in one file, with the pictures in it; nothing is loaded from elsewhere, nothing runs.

    page("Title", "\\n".join((header, table(heads, rows), pictures(panes), facts({"Model": …}))))

Whatever stands in a page is escaped here, except what ends in `html`.
"""

from __future__ import annotations

import base64
import html
from collections.abc import Iterable, Mapping, Sequence

from medsynth_core.evaluation.pictures import Pane


def page(title: str, body_html: str, style: str = "") -> str:
    """Return the page; `style` adds to the common one."""
    return _PAGE.replace("{title}", html.escape(title)).replace("{style}", _STYLE + style).replace("{body}", body_html)


def paragraph(text: str, kind: str = "") -> str:
    """Return a paragraph, of a class of the style if one is named."""
    return f'<p class="{kind}">{html.escape(text)}</p>' if kind else f"<p>{html.escape(text)}</p>"


def section(title: str, *parts_html: str) -> str:
    """Return a part of the page under a heading."""
    return f"<section><h2>{html.escape(title)}</h2>\n" + "\n".join(parts_html) + "</section>"


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; a line break in a cell sets what follows in small print."""
    head = "".join(f"<th>{html.escape(name)}</th>" for name in heads)
    lines = "\n".join("<tr>" + "".join(f"<td>{_cell(text)}</td>" for text in row) + "</tr>" for row in rows)
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>\n{lines}\n</tbody></table></div>'


def picture(pane: Pane, of: str) -> str:
    """Return a picture with its title below; `of` says to those who cannot see it what it is a picture of."""
    height, width = pane.size
    source = base64.b64encode(pane.png).decode("ascii")
    alt = html.escape(f"{pane.title} of {of}", quote=True)
    shown = f'<img alt="{alt}" width="{width}" height="{height}" src="data:image/png;base64,{source}">'
    return f"<figure>{shown}<figcaption>{html.escape(pane.title)}</figcaption></figure>"


def pictures(panes: Iterable[Pane], of: str) -> str:
    """Return pictures side by side."""
    return '<div class="panes">' + "".join(picture(pane, of) for pane in panes) + "</div>"


def facts(told: Mapping[str, str], kind: str = "") -> str:
    """Return facts with their names; the class `params` is for short ones."""
    escaped = ((html.escape(name), html.escape(value)) for name, value in told.items())
    start = f'<dl class="{kind}">' if kind else "<dl>"
    return start + "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in escaped) + "</dl>"


def command(line: str) -> str:
    """Return a command as it is typed."""
    return f"<p><code>{html.escape(line)}</code></p>"


def _cell(text: str) -> str:
    first, *rest = text.split("\n")
    return html.escape(first) + "".join(f"<small>{html.escape(line)}</small>" for line in rest)


_STYLE = """
:root { color-scheme: light dark; --page: #fbfbfa; --ink: #1d2126; --faint: #646b73; --line: #dfe2e5; --card: #fff; }
@media (prefers-color-scheme: dark) {
  :root { --page: #15181b; --ink: #e8eaec; --faint: #9aa2aa; --line: #30363c; --card: #1d2125; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2rem 1.5rem 4rem; max-width: 1680px; background: var(--page); color: var(--ink);
  font: 15px/1.5 system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
h1 { margin: 0; font-size: 1.7rem; letter-spacing: -0.01em; }
h2 { margin: 0 0 .6rem; font-size: 1.1rem; overflow-wrap: anywhere; }
h3 { margin: 1rem 0 .4rem; font-size: .85rem; font-weight: 500; color: var(--faint); }
p { margin: .3rem 0; } small { font-weight: 400; color: var(--faint); font-size: .88em; }
a { color: inherit; text-decoration-color: var(--faint); text-underline-offset: 3px; }
section, footer, .scroll { margin-top: 1.5rem; padding: 1.1rem 1.3rem; background: var(--card); border: 1px solid var(--line);
  border-radius: 10px; }
.scroll { overflow-x: auto; padding: .4rem 1.3rem; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { padding: .45rem 1rem .45rem 0; text-align: left; border-bottom: 1px solid var(--line); white-space: nowrap; }
th { font-size: .8rem; font-weight: 500; color: var(--faint); } tr:last-child td { border-bottom: 0; }
figure { margin: 0; } figure img { display: block; border-radius: 6px; width: 100%; height: auto; }
figcaption { margin-top: .25rem; font-size: .82rem; color: var(--faint); }
dl { display: grid; grid-template-columns: repeat(auto-fill, minmax(300px, 1fr)); gap: .5rem 1.5rem; margin: 0 0 1rem; }
dl.params { grid-template-columns: repeat(auto-fill, minmax(130px, 1fr)); }
dt { font-size: .8rem; color: var(--faint); } dd { margin: 0; overflow-wrap: anywhere; }
.panes { display: grid; grid-template-columns: repeat(5, minmax(0, 300px)); gap: .8rem; align-items: start; }
.legend { display: flex; flex-wrap: wrap; gap: 1.2rem; font-size: .85rem; color: var(--faint); }
.legend span { display: inline-flex; align-items: center; gap: .4rem; }
.legend i { width: 1.1rem; height: .8rem; border-radius: 3px; }
ul { margin: 0; padding-left: 1.1rem; } li { overflow-wrap: anywhere; }
code { font: .86em/1.5 ui-monospace, Consolas, monospace; overflow-wrap: anywhere; }
.lead { font-size: 1.05rem; max-width: 62rem; } td small { display: block; }
@media (max-width: 900px) { .panes { grid-template-columns: repeat(auto-fill, minmax(160px, 1fr)); } }
@media print { section { break-inside: avoid; } }
"""

_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<style>{style}</style></head><body>
{body}
</body></html>
"""

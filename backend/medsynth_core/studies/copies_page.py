"""What the search for copies found, for people: the answer, the shares, and each flagged sample beside its training image."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

import medsynth_core
from medsynth_core.evaluation.pictures import Pane, Plane, displayed, outlined
from medsynth_core.evaluation.report_page import command, facts, page, paragraph, pictures, section, table
from medsynth_core.studies.copies import Flag, Found
from medsynth_core.studies.questioned import Questioned

TOLERATED_PERCENT = 1.0
"""Above the real rate: our target (methods.md, 5.5)."""
MOST_SHOWN = 60
FEW = 60
"""With fewer real pictures the threshold rests on three of them or less."""


def answers(found: Found) -> list[str]:
    """Return the answer in sentences, one for each kind of sample."""
    return [_answer(share.kind.value, share.percent, share.pictures, found) for share in found.shares]


def copies_page(data: str, line: str, settings: Mapping[str, str], asked: Questioned, found: Found, seconds: float) -> str:
    """Return the page."""
    said = "".join(paragraph(text, "lead") for text in answers(found))
    what = (
        "A picture is flagged when it is more like a training picture than 95 % of the real held-out ones are. A share near 5 % "
        "is what images of other people have; what lies above it is memory."
    )
    notes = [paragraph(what)]
    if found.real < FEW:
        notes.append(paragraph(f"There are only {found.real} real pictures: the threshold rests on few of them."))
    head = f"<header><h1>Does the model copy?</h1>{said}{''.join(notes)}</header>"
    footer = f"<footer><h2>How to repeat it</h2>{command(line)}{facts(settings)}{facts(asked.facts)}{_made(seconds)}</footer>"
    return page(f"Does the model copy? {data}", "\n".join((head, _table(found), _flagged(found), footer)))


def _answer(kind: str, percent: float, pictures_: int, found: Found) -> str:
    above = percent - found.real_percent
    verdict = "no more than real images are" if above <= TOLERATED_PERCENT else f"{above:.1f} points more than real images are"
    return (
        f"Of {kind}: {percent:.1f} % of {pictures_} pictures are flagged, {verdict} ({found.real_percent:.1f} % of {found.real})."
    )


def _table(found: Found) -> str:
    rows = [[s.kind.value, str(s.samples), str(s.pictures), str(s.flagged), f"{s.percent:.1f} %"] for s in found.shares]
    flagged = round(found.real_percent * found.real / 100)
    rows.append(["real held-out images", "–", str(found.real), str(flagged), f"{found.real_percent:.1f} %"])
    return table(("made of", "samples", "pictures", "flagged", "share"), rows)


def _flagged(found: Found) -> str:
    if not found.flags:
        return section("Flagged samples", paragraph("None."))
    shown = found.flags[:MOST_SHOWN]
    more = f" The {len(shown)} most alike of {len(found.flags)} are shown." if len(shown) < len(found.flags) else ""
    lead = paragraph(f"Each beside the training picture it is most like, both turned alike, the most alike first.{more}")
    return section("Flagged samples", lead, *(_pair(flag) for flag in shown))


def _pair(flag: Flag) -> str:
    said = f"{flag.sample}, seed {flag.seed}: likeness {flag.likeness:.3f}"
    panes = (_pane("Sample", flag.picture), _pane(f"Training picture {flag.learned + 1}", flag.neighbor))
    return f"<h3>{said}</h3>{pictures(panes, flag.sample)}"


def _pane(title: str, picture: np.ndarray) -> Pane:
    pixels = picture[0] if len(picture) == 1 else np.moveaxis(picture, 0, -1)
    nothing = np.zeros(pixels.shape[:2], np.uint8)
    return outlined(title, Plane(displayed(np.ascontiguousarray(pixels)), None, nothing, None, (1.0, 1.0), ()))


def _made(seconds: float) -> str:
    made = f"MedSynth {medsynth_core.__version__}, {seconds / 60:.1f} min. Synthetic does not mean anonymous."
    return paragraph(f"{made} This page shows training images: whoever may not see them may not see it.")

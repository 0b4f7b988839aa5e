"""The whole of `msynth evaluate copies`: read, make samples, search, write the report, export what may leave.

OUT/report.html     for people         OUT/report.json     every figure with its recipe
OUT/judges/         the network that knows training images again, kept for the next run
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from medsynth_core.copy_rule import Parting, part
from medsynth_core.errors import InputError
from medsynth_core.formats import write
from medsynth_core.models.folder import write_json
from medsynth_core.studies.at_work import Report
from medsynth_core.studies.copies import Found, find_copies, memory_of
from medsynth_core.studies.copies_page import answers, copies_page
from medsynth_core.studies.questioned import Question, Questioned, questioned, title_of, training_told
from medsynth_core.studies.samples import KINDS, Sample, make_samples, wishes
from medsynth_core.volume import Volume


@dataclass(frozen=True)
class CopiesRun:
    """One command: the model and its data, samples of each kind, where to, and what is exported (None: nothing)."""

    question: Question
    out: Path
    count: int = 50
    workers: int = 1
    export: Path | None = None
    allow_copies: bool = False
    command: str = ""


@dataclass(frozen=True)
class Answer:
    """What came of it: sentences, and the report for people."""

    answers: tuple[str, ...]
    page: Path


def run(order: CopiesRun, report: Report) -> Answer:
    """Return the answer, write the report, then export. Raises InputError where an export would hold nothing but copies."""
    if order.export is not None and order.export.exists() and any(order.export.iterdir()):
        raise InputError(f"{order.export.name} is not empty: name a new folder with --export")
    began = time.monotonic()
    asked = questioned(order.question)
    data = title_of(order.question.data)

    memory, judge = memory_of(asked.material, order.out / "judges", data.replace("/", "-"), training_told(report))
    kinds = KINDS[asked.card.engine]
    wanted = [wish for kind in kinds for wish in wishes(asked.material, kind, order.count)]
    samples = make_samples(asked.folder, wanted, order.workers, report)
    found = find_copies(memory, judge, asked.material, samples)
    seconds = time.monotonic() - began
    page = _write(order, asked, found, seconds)
    said = answers(found)
    if order.export is not None:
        said.append(_exported(order, asked, samples, found))
    return Answer(tuple(said), page)


def _write(order: CopiesRun, asked: Questioned, found: Found, seconds: float) -> Path:
    order.out.mkdir(parents=True, exist_ok=True)
    settings = {
        "Data": f"{title_of(order.question.data)}: {len(asked.material.pool)} training items, {found.learned} training pictures",
        "Beside": f"{found.real} real {order.question.side} pictures; threshold {found.threshold:.3f}, their 95th percentile",
        "Likeness": "local correlation with the most alike of 4 candidates, once aligned (0 unrelated, 1 the same)",
        "Candidates by": found.judge,
        "Samples": f"{order.count} of each kind at most, the engine's defaults, seeds from 90000 on",
    }
    write_json(order.out / "report.json", _content(order, asked, found, settings, seconds))
    page = order.out / "report.html"
    partial = page.with_suffix(".partial")
    partial.write_text(copies_page(title_of(order.question.data), order.command, settings, asked, found, seconds), "utf-8")
    partial.replace(page)
    return page


def _content(order: CopiesRun, asked: Questioned, found: Found, settings: dict[str, str], seconds: float) -> dict[str, Any]:
    """Return report.json. Training items stand by their place: names may be names of people."""
    return {
        **asked.record("copies", order.command, seconds),
        "answers": answers(found),
        "settings": settings,
        "threshold": found.threshold,
        "real": {"pictures": found.real, "flagged_percent": found.real_percent},
        "kinds": [
            {"kind": s.kind, "samples": s.samples, "pictures": s.pictures, "flagged": s.flagged, "flagged_percent": s.percent}
            for s in found.shares
        ],
        "flagged": [
            {"sample": f.sample, "seed": f.seed, "likeness": round(f.likeness, 4), "training_picture": f.learned}
            for f in found.flags
        ],
    }


def _exported(order: CopiesRun, asked: Questioned, samples: Sequence[Sample], found: Found) -> str:
    """Write the samples that may leave, as PNG, or NIfTI for volumes, with a manifest; return what was done."""
    assert order.export is not None
    parting = part([sample.name for sample in samples], found.flagged, order.allow_copies)
    order.export.mkdir(parents=True, exist_ok=True)
    for sample in samples:
        if sample.name in parting.exported:
            _export_one(order.export, asked, sample, parting)
    record = {"model": asked.card.id, "sha256": asked.card.sha256, "synthetic": True, "copies": parting.record()}
    write_json(order.export / "manifest.json", record)
    kept = f"{len(parting.kept_out)} flagged ones kept out" if parting.kept_out else "nothing was kept out"
    if parting.overridden:
        kept = f"{len(parting.flagged)} of them flagged as copies: allowed, and on record in every file"
    return f"{len(parting.exported)} of {len(samples)} samples exported to {order.export.name}: {kept}."


def _export_one(folder: Path, asked: Questioned, sample: Sample, parting: Parting) -> None:
    image = sample.item.image
    recipe = {"engine": asked.card.engine, "model": asked.card.id, "seed": sample.seed, "synthetic": True, "made_of": sample.kind}
    recipe |= parting.mark(sample.name)
    stem = sample.name.replace(" ", "-")
    if len(image) == 1:
        write(folder / f"{stem}.png", Volume.from_image(np.moveaxis(image[0], 0, -1)), recipe)
    else:
        middle = image[:, image.shape[1] // 2]
        write(folder / f"{stem}.nii.gz", Volume(middle[None]), recipe)

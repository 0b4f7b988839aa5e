"""The synthetic items of one fraction: made in several processes, kept one by one, and, if asked for, only the faithful ones.

    OUT/made/<wish>/000012.safetensors      an item, with the seconds it took in 000012.json

The filter asks a segmenter that was trained on the fraction's real items alone how well each image shows its mask, and drops
those that show it worst. It is no arm's segmenter: it has a seed of its own.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

from medsynth_core.models.folder import write_json
from medsynth_core.studies.at_work import Report, worked
from medsynth_core.studies.items import Item, keep, kept, write
from medsynth_core.studies.learners import Manner
from medsynth_core.studies.lessons import Lesson, Share, outcomes
from medsynth_core.studies.makers import Maker, Wish

FILTER_SEED = 90_001


@dataclass(frozen=True)
class Batch:
    """Made items in one file, how many were made for them, and the seconds of one core that took."""

    path: Path
    made: int
    seconds: float
    dropped_below: float = 0.0


@dataclass(frozen=True)
class Judge:
    """The filter: the share of the made items that is dropped, and how the segmenter that decides is trained."""

    dropped: float
    manner: Manner


def batch_of(wish: Wish, count: int, judge: Judge | None, out: Path, workers: int, report: Report) -> Batch:
    """Return `count` made items; with a judge, more are made and those that show their mask worst are dropped."""
    number = count if judge is None else math.ceil(count / (1 - judge.dropped))
    items, seconds = _made(wish, number, out / "made" / wish.key, workers, report)
    path = keep(items, out / "sets")
    if judge is None:
        return Batch(path, number, seconds)
    manner = replace(judge.manner, seed=FILTER_SEED, classic=True)
    lesson = Lesson(manner, (Share(wish.sources),), path, out / "lessons")
    scores = [row[0] for row in outcomes([lesson], 1, "filters", report)[0].figures]
    best = sorted(range(number), key=lambda i: -scores[i])[:count]
    chosen = [items[i] for i in sorted(best)]
    return Batch(keep(chosen, out / "sets"), number, seconds, min(scores[i] for i in best))


def _made(wish: Wish, count: int, folder: Path, workers: int, report: Report) -> tuple[Sequence[Item], float]:
    files = [folder / f"{number:06d}.safetensors" for number in range(count)]
    jobs = [(wish, number, file) for number, file in enumerate(files) if not file.is_file()]
    worked(_make, jobs, workers, "synthetic pairs", report)
    seconds = sum(json.loads(file.with_suffix(".json").read_text("utf-8"))["seconds"] for file in files)
    return [kept.__wrapped__(file)[0] for file in files], seconds


def _make(job: tuple[Wish, int, Path]) -> None:
    wish, number, file = job
    maker, began = _maker(wish), time.monotonic()
    item = maker.make(number)
    file.parent.mkdir(parents=True, exist_ok=True)
    write_json(file.with_suffix(".json"), {"seconds": round(time.monotonic() - began, 3)})
    write([item], file)


@lru_cache(maxsize=1)
def _maker(wish: Wish) -> Maker:
    return Maker(wish)

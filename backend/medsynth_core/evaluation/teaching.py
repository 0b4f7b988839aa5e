"""Teaches a judge of results from real images alone: what it is shown, for how long, and by which thresholds it then judges.

    segmenter    learns on the training side; threshold: the adherence that 95 % of the tuning side reach
    likeness     the copy network learns on the training side; threshold: what 95 % of the tuning side stays below. It is kept
                 only if it finds at least half of 200 training pictures, slightly warped and recolored (`planting`), as copies
    intensity    the grey levels between which 95 % of the training images lie

Nothing that is held out is looked at, so that figures measured there stay honest. Nothing depends on the model that is judged.
Where the tuning side has fewer than 20, the training side lends it up to a quarter of its own: what the judge has not learned
from serves as well, though the model has.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

import numpy as np

from medsynth_core.evaluation.badge import MIRRORED, Known, adherence_in, halved, write_judge
from medsynth_core.evaluation.copies import PERCENTILE, CopySettings, vectors
from medsynth_core.evaluation.copies_search import Way
from medsynth_core.evaluation.generator import Images, Pairs
from medsynth_core.evaluation.judges import prepare_copy_network, prepare_segmenter
from medsynth_core.evaluation.lesson import LessonReport
from medsynth_core.evaluation.looks import Look
from medsynth_core.evaluation.plain_unet import PlainUNet
from medsynth_core.evaluation.planting import planted
from medsynth_core.evaluation.segmenter import SegmenterSettings
from medsynth_core.protocol import Thresholds

SMALL = SegmenterSettings(steps=1000, widths=(16, 32, 48, 64))
"""0.2 M parameters: 0.45 MB as it is kept, and 10 ms an image at work."""
PLANTED, LEAST_FOUND = 200, 0.5
"""A likeness that misses most of the training pictures would call copies good."""
CHANCE = 0.5
"""A judge that does no better than chance in more than 5 % of real images says nothing of a made one."""
MOST_PAIRS = 1500
ENOUGH, LENT = 20, 0.25
T = TypeVar("T")
Found = Callable[[int, float], None]
"""(copies planted, the share of them that the likeness finds)."""


@dataclass(frozen=True)
class Teaching:
    """How a judge is taught: where its networks are kept meanwhile, who is told, and whether it knows training images again.

    `told` hears of each step, and what it raises ends the teaching; `found` hears what the likeness is worth.
    `least_found` is the share of planted copies that the likeness must find to be used at all. `knows_tuning` says that the model
    has learned from the tuning side, too.
    """

    kept: Path
    told: LessonReport
    name: str = "judge"
    with_index: bool = True
    knows_tuning: bool = False
    least_found: float = LEAST_FOUND
    segmenter: SegmenterSettings = SMALL
    copies: CopySettings = field(default_factory=CopySettings)
    device: str = "cpu"
    found: Found = lambda planted, share: None


@dataclass(frozen=True, eq=False)
class Lessons:
    """What a judge of pictures learns from and is measured with.

    pairs      what the segmenter learns
    known      small pictures (n, c, 64, 64) that stand for all that the model has learned from
    plants     some of them as a model might repeat them, from any place and turned; `ways` are those it may turn them
    training   real results that it learns from; `tuning` real ones that neither it nor the model learns from
    lent       real results that the model learns from and the judge does not; `also` their small pictures, for the index
    """

    pairs: Pairs
    known: Images
    plants: Images
    training: tuple[Look, ...]
    tuning: tuple[Look, ...]
    lent: tuple[Look, ...] = ()
    also: Images | None = None
    ways: tuple[Way, ...] = MIRRORED
    copies: CopySettings | None = None

    @property
    def apart(self) -> tuple[Look, ...]:
        """What thresholds are taken from."""
        return (*self.tuning, *self.lent)


def teach(lessons: Lessons, place: Path, teaching: Teaching) -> Thresholds:
    """Write a judge into the folder `place` and return the thresholds for the card.

    Of very few cases there is nothing to take thresholds from: then levels alone are judged, and nothing is written.
    """
    thresholds = replace(_levels(lessons.training), count=len(lessons.apart))
    if not lessons.apart:
        return thresholds
    pairs = lessons.pairs
    segmenter, _ = prepare_segmenter(teaching.kept, teaching.name, pairs, teaching.segmenter, teaching.told, teaching.device)
    halved(segmenter.cpu())
    known = _known(lessons, teaching) if teaching.with_index else None
    write_judge(place, pairs.labels, segmenter, teaching.segmenter.widths, known[0] if known else None)
    return replace(thresholds, adherence=_adherence(segmenter, lessons.apart), likeness=round(known[1], 4) if known else None)


def pairs_of(looks: Sequence[Look], labels: int) -> Pairs:
    """Return the pictures of some looks with their labels, for the segmenter; of many looks, MOST_PAIRS evenly spread."""
    some = [looks[i] for i in every(len(looks), MOST_PAIRS)]
    pictures, masks = (np.concatenate([getattr(look, name) for look in some]) for name in ("pictures", "labels"))
    return Pairs(pictures, masks, np.zeros((len(some), 0), np.int64), labels)


def lent(training: Sequence[T], tuning: Sequence[T]) -> tuple[Sequence[T], Sequence[T]]:
    """Return what a judge learns from, and what the training side lends to the tuning side.

    The last ones are lent: cases are sorted by name, so what belongs together mostly stays together.
    """
    count = max(0, min(ENOUGH - len(tuning), int(LENT * len(training))))
    return training[: len(training) - count], training[len(training) - count :]


def every(count: int, most: int) -> list[int]:
    """Return at most so many of `count` numbers, evenly spread."""
    return sorted({int(i) for i in np.linspace(0, count - 1, min(count, most)).round()})


def _known(lessons: Lessons, teaching: Teaching) -> tuple[Known, float] | None:
    """Return what was learned from, and the threshold of the likeness; None where too few copies are more alike than that."""
    settings = teaching.copies if lessons.copies is None else replace(lessons.copies, steps=teaching.copies.steps)
    settings = replace(settings, widths=teaching.copies.widths, length=teaching.copies.length)
    network, _ = prepare_copy_network(teaching.kept, teaching.name, lessons.known, settings, teaching.told, teaching.device)
    halved(network.cpu())
    known = Known(network, _rounded(vectors(network, lessons.known)), lessons.ways)
    usual = [known.of(look) for look in lessons.apart]
    threshold = float(np.percentile([value for value in usual if value is not None], PERCENTILE, method="higher"))
    chosen = lessons.plants[every(len(lessons.plants), PLANTED)]
    found = float((known.likeness(planted(chosen, seed=settings.seed)) > threshold).mean())
    teaching.found(len(chosen), found)
    if found < teaching.least_found:
        return None
    tuning = [look.small for look in lessons.tuning] if teaching.knows_tuning else []
    more = [part for part in (lessons.also, *tuning) if part is not None and len(part)]
    return replace(known, index=np.concatenate([known.index, *(_rounded(vectors(network, part)) for part in more)])), threshold


def _adherence(segmenter: PlainUNet, tuning: Sequence[Look]) -> float | None:
    found = [value for look in tuning if (value := adherence_in(segmenter, look)) is not None]
    least = float(np.percentile(found, 100 - PERCENTILE, method="lower")) if found else CHANCE
    return round(least, 4) if least > CHANCE else None


def _levels(training: Sequence[Look]) -> Thresholds:
    """Return the thresholds of the grey levels."""
    ranges, spare = np.array([look.range for look in training]), (100 - PERCENTILE) / 2  # (n, 2)
    dark, bright = np.percentile(ranges[:, 0], spare), np.percentile(ranges[:, 1], 100 - spare)
    contrast = np.percentile(ranges[:, 1] - ranges[:, 0], 100 - PERCENTILE, method="lower")
    return Thresholds(intensity=(round(float(dark), 2), round(float(bright), 2)), contrast=round(float(contrast), 2))


def _rounded(found: np.ndarray) -> np.ndarray:
    """Return vectors as they are read back."""
    return found.astype(np.float16).astype(np.float32)

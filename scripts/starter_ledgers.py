"""Gives the models that ship the record of what they learned from, out of the public data and the split they were trained with.

    python scripts/starter_ledgers.py DATA        (DATA: the folder that holds polyp_polypgen, brain_brisc2025, …)

Weights stay as they are. A model whose cases cannot be told again, by their number on its card, is left as it is and named.

Images were compared as they lie when these models were trained. Cases that were held out then, but are in a group with one
learned from now that mirror images are known, are on no side of the record: neither learned from, nor may they be measured on.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from medsynth_core.engines.nuclei.prepare import starter_pairs
from medsynth_core.engines.refine.coarse_presets import COARSE_STARTERS
from medsynth_core.engines.refine.sources import SOURCES, items_of
from medsynth_core.engines.synthesize.starters import STARTERS
from medsynth_core.engines.tumor.prepare import surveyed
from medsynth_core.formats import read, read_mask
from medsynth_core.models.card import read_card
from medsynth_core.models.folder import finish_folder
from medsynth_core.models.registry import STARTER
from medsynth_core.training.ledger import Ledger, Mark, ledger_of, mark_of, write_ledger
from medsynth_core.training.likeness import alike, leaders, likeness_of
from medsynth_core.training.nuclei_sets import NUCLEI, said_group
from medsynth_core.training.order import TrainingOrder
from medsynth_core.training.pair_survey import PairSurvey, ledger_of_pairs, survey_pairs
from medsynth_core.training.pairs import Pair, as_picture
from medsynth_core.training.sides import SIDES, Sides, parted, side_of
from medsynth_core.training.sources import BRISC, POLYPGEN, Source

FOLDERS = {POLYPGEN: "polyp_polypgen", BRISC: "brain_brisc2025"}
LGG = "brain_lgg_volumes_NC"
Counted = tuple[Ledger, str]
"""A record, and how many cases were learned from, as the model's card says it."""


def main(data: Path) -> int:
    """Write the ledgers whose counts are those of the cards; return how many could not be told."""
    recipes: dict[str, Callable[[], Counted]] = {name: lambda s=s: of_pairs(data, s.source) for name, s in STARTERS.items()}
    recipes |= {name: lambda s=s: of_pairs(data, s.source) for name, s in COARSE_STARTERS.items()}
    recipes |= {"nuclei-he": lambda: of_nuclei(data), "lgg-flair": lambda: of_volumes(data), "refiner": lambda: of_refiner(data)}
    return sum(not give(name, recipe) for name, recipe in recipes.items())


def give(name: str, recipe: Callable[[], Counted]) -> bool:
    """Write the ledger of one model, if it counts what the card says; return whether it does."""
    folder = STARTER / name
    card, (ledger, counted) = read_card(folder), recipe()
    if counted != card.trained_on:
        print(f"{name}: the card says {card.trained_on!r}, the data {counted!r}: left as it is", file=sys.stderr)
        return False
    write_ledger(ledger, folder)
    finish_folder(folder, card)
    print(f"{name}: {ledger.counted}; {(folder / 'ledger.json').stat().st_size / 1000:.0f} kB")
    return True


def of_pairs(data: Path, source: Source) -> Counted:
    """Return the record of a model that learned from all that is not held out, as those that ship did."""
    survey = surveyed_pairs(data, source)
    sides = sides_then(survey)
    learned, held_out = sides.seen, sides.held_out
    left = survey.sides.count - sides.count
    counted = f"{len(learned)} pairs, {len(held_out)} held out" + (f", {left} others like some learned from" if left else "")
    return survey.ledger(Sides(learned, (), held_out)), counted


def sides_then(survey: PairSurvey) -> Sides[Pair]:
    """Return the sides of a set as they were when the models that ship were trained, without what was not apart."""
    looks = tuple(survey.looks.values())
    if survey.column:
        group = {look.name: look.pair.group for look in looks}
    else:
        leader = leaders(np.stack([look.likeness.thumbnail for look in looks]), ways=(alike,))
        group = {look.name: looks[int(k)].name for look, k in zip(looks, leader, strict=True)}
    on: dict[str, list[Pair]] = {side: [] for side in SIDES}
    for pair in sorted((*survey.sides.seen, *survey.sides.held_out), key=lambda pair: pair.stem):
        on[side_of(group[pair.stem])].append(pair)
    met = {pair.group for side in SIDES[:2] for pair in on[side]}
    training, tuning, held_out = (tuple(on[side]) for side in SIDES)
    return Sides(training, tuning, tuple(pair for pair in held_out if pair.group not in met))


def of_nuclei(data: Path) -> Counted:
    """Return the record of the nuclei model, which was watched on the tuning side."""
    sides = parted(starter_pairs(data), lambda pair: pair.group)
    groups = len({pair.group for pair in sides.training})
    return ledger_of_pairs(sides, said_group), f"{len(sides.training)} tiles of {groups} groups"


def of_volumes(data: Path) -> Counted:
    """Return the record of the tumor model."""
    survey = surveyed(data / LGG / "train", TrainingOrder(starter="lgg-flair"))
    sides = survey.sides
    patients, kept = len({case.patient for case in sides.training}), sides.count - len(sides.training)
    return survey.ledger(sides), f"{patients} patients ({len(sides.training)} volumes), {kept} volumes kept out"


def of_refiner(data: Path) -> Counted:
    """Return the record of the refiner: images of five sets, and the volumes whose slices it saw."""
    on: dict[str, list[Mark]] = {side: [] for side in SIDES}
    images = 0
    for source in (source for source in SOURCES if source.share > 0):
        for side, mark, count in _taught(data, source.folder):
            on[side].append(mark)
            images += count if side == SIDES[0] else 0
    ledger = ledger_of(on[SIDES[0]], on[SIDES[1]], on[SIDES[2]])
    return ledger, f"{images} images of {sum(source.share > 0 for source in SOURCES)} data sets"


def _taught(data: Path, folder: str) -> Iterator[tuple[str, Mark, int]]:
    """Yield (side, mark, images it gives) of each case of a set."""
    if folder == LGG:
        survey = surveyed(data / LGG / "train", TrainingOrder(starter="lgg-flair"))
        for case, mark in zip(survey.cases, survey.marks(survey.cases), strict=True):
            yield side_of(case.patient), mark, int((read_mask(case.mask).array[0] > 0).any(axis=(1, 2)).sum())
        return
    if folder in NUCLEI:
        yield from _of_tiles(NUCLEI[folder].pairs(data / folder))
        return
    survey = surveyed_pairs(data, next(source for source, name in FOLDERS.items() if name == folder))
    sides = sides_then(survey)
    for side, pairs in zip(SIDES, (sides.training, sides.tuning, sides.held_out), strict=True):
        for mark in survey.marks(pairs):
            yield side, mark, 1


def _of_tiles(pairs: Sequence[Pair]) -> Iterator[tuple[str, Mark, int]]:
    for pair in pairs:
        pixels = read(pair.image).array
        mark = mark_of(pair.stem, said_group(pair), likeness_of(pixels, as_picture(pixels)))
        yield side_of(pair.group), mark, sum(1 for _ in items_of((pair,), ""))


def surveyed_pairs(data: Path, source: Source) -> PairSurvey:
    """Return a public set of pairs as it was read for the models that ship."""
    folder = data / FOLDERS[source] / "train"
    return survey_pairs(folder, source.columns(folder))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, metavar="DATA")
    sys.exit(min(1, main(parser.parse_args().data)))

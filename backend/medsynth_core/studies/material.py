"""The real items of a study: read as the engine's training reads them, on the sides of its split, on the grid of its models."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from medsynth_core.engines.nuclei.prepare import starter_pairs
from medsynth_core.engines.nuclei.tiles import PIXELS, RULES, read_tiles
from medsynth_core.engines.synthesize.prepare import surveyed
from medsynth_core.engines.tumor import prepare as tumor
from medsynth_core.errors import ParameterError, TrainingDataError
from medsynth_core.evaluation.volume_segmenter import with_neighbors
from medsynth_core.studies.items import Item
from medsynth_core.studies.learners import LABELS, NUCLEI
from medsynth_core.studies.marks import by_name, starter_marks
from medsynth_core.training.guard import unmet
from medsynth_core.training.ledger import Ledger, Mark
from medsynth_core.training.order import TrainingOrder
from medsynth_core.training.pair_survey import survey_order
from medsynth_core.training.pairs import Pair, load_arrays
from medsynth_core.training.sides import SIDES, CaseT, Sides, parted
from medsynth_core.training.volumes import Case

TUNING, HELD_OUT = SIDES[1:]
NEIGHBORS = 3


@dataclass(frozen=True)
class Grid:
    """What pictures are brought to before anything is learned: size (y, x) and channels, those of the generator."""

    size: tuple[int, int] = (128, 128)
    channels: int = 3


@dataclass(frozen=True, eq=False)
class Material:
    """The items that may be learned from, and those measured on; `labels` counts the label values with background.

    `tuning` names the cases that trainings choose by, which are neither; `met` those that `unmet_by` a model has left out.
    """

    kind: str
    pool: tuple[Item, ...]
    test: tuple[Item, ...]
    channels: int
    labels: int
    tuning: tuple[str, ...]
    marked: Callable[[], dict[str, Mark]]
    met: tuple[str, ...] = ()

    @cached_property
    def marks(self) -> dict[str, Mark]:
        """What each case is known by, by its name, those to choose by too; read when first asked for."""
        return self.marked()

    @property
    def groups(self) -> dict[str, str]:
        """The group of each item of the pool."""
        return {item.name: item.group for item in self.pool}

    def pieces(self, names: tuple[str, ...]) -> tuple[Item, ...]:
        """Return what is learned from of the items named: tiles of nuclei are cut to patches of the size that is made."""
        wanted = set(names)
        chosen = (item for item in self.pool if item.name in wanted)
        return tuple(piece for item in chosen for piece in (_patches(item) if self.kind == NUCLEI else (item,)))


def read_material(engine: str, data: Path, order: TrainingOrder, grid: Grid, side: str = HELD_OUT) -> Material:
    """Return the items of a folder for the models of an engine; measured is on `side`.

    Raises ParameterError for an engine that makes no pairs, TrainingDataError where there is nothing to learn from or to measure
    on, and with all offenders for a folder that cannot be used.
    """
    if engine not in READERS:
        raise ParameterError(f"engine is {engine!r}: a study needs one of {', '.join(READERS)}, which make image and mask")
    material = READERS[engine](data, order, grid, side)
    for items, what in ((material.pool, "training"), (material.test, side)):
        if not items:
            raise TrainingDataError(f"{data.name} has no item on the {what} side: a study needs more groups; give more data")
    return material


def unmet_by(ledger: Ledger, material: Material) -> Material:
    """Return the material without the items measured on that are in a group with one that the model has met.

    For models that ship: they were trained before the rule of the split knew mirror images. Raises TrainingDataError if none is
    left.
    """
    marks = material.marks
    known = [item for item in material.test if item.name in marks]
    kept = {item.name for item in unmet(ledger, known, [marks[item.name] for item in known], lambda item: item.group)}
    met = tuple(item.name for item in known if item.name not in kept)
    test = tuple(item for item in material.test if item.name not in met)
    if not test:
        raise TrainingDataError(f"all {len(met)} cases to measure on are known to the model: it was not trained on this split")
    return replace(material, test=test, met=material.met + met)


def _pairs(data: Path, order: TrainingOrder, grid: Grid, side: str) -> Material:
    survey = surveyed(data, order).admit(recipe_drops=bool(order.starter))
    sides = survey.sides
    learned, measured = sides.training, _measured(sides, side)
    pool, test = (_pair_items(part, grid) for part in (learned, measured))
    labels = 1 + max(int(item.labels.max()) for item in (*pool, *test)) if pool or test else 2
    tuning = tuple(pair.stem for pair in sides.tuning)
    return Material(LABELS, pool, test, grid.channels, labels, tuning, lambda: by_name(survey.marks((*sides.seen, *measured))))


def _pair_items(pairs: tuple[Pair, ...], grid: Grid) -> tuple[Item, ...]:
    images, masks = load_arrays(pairs, grid.size, grid.channels)
    return tuple(
        Item(pair.stem, pair.group, image[None], mask[None], pair.options)
        for pair, image, mask in zip(pairs, images, masks, strict=True)
    )


def _tiles(data: Path, order: TrainingOrder, _: Grid, side: str) -> Material:
    if order.starter:
        sides, mark = parted(starter_pairs(data), lambda pair: pair.group), starter_marks
    else:
        survey = survey_order(data, order, rules=RULES).admit()
        sides, mark = survey.sides, survey.marks
    learned, measured = sides.training, _measured(sides, side)
    pool, test = (
        tuple(Item(t.name, t.group, t.image[None], t.instances[None].astype(np.int32)) for t in read_tiles(part))
        for part in (learned, measured)
    )
    tuning = tuple(pair.stem for pair in sides.tuning)
    return Material(NUCLEI, pool, test, NEIGHBORS, 2, tuning, lambda: by_name(mark((*sides.seen, *measured))))


def _volumes(data: Path, order: TrainingOrder, _: Grid, side: str) -> Material:
    options = tumor.options_of(order)
    survey = tumor.surveyed(data, order).admit(recipe_drops=bool(order.starter))
    sides = survey.sides
    learned, measured = sides.training, _measured(sides, side)

    def items(cases: tuple[Case, ...]) -> tuple[Item, ...]:
        stacks = zip(cases, tumor.read_stacks(cases, options), strict=True)
        return tuple(volume_item(c.name, c.patient, s.image * 255, s.mask > 0.5) for c, s in stacks)

    tuning, marks = tuple(case.name for case in sides.tuning), lambda: by_name(survey.marks((*sides.seen, *measured)))
    return Material(LABELS, items(learned), items(measured), NEIGHBORS, 2, tuning, marks)


def volume_item(name: str, group: str, image: np.ndarray, mask: np.ndarray) -> Item:
    """Return a volume (z, y, x), grey levels from 0 to 255, as an item whose slices have their neighbors beside them."""
    levels = np.clip(image, 0, 255).round().astype(np.uint8)
    return Item(name, group, with_neighbors(levels), mask.astype(np.int32))


def _measured(sides: Sides[CaseT], side: str) -> tuple[CaseT, ...]:
    return {TUNING: sides.tuning, HELD_OUT: sides.held_out}[side]


def _patches(item: Item) -> Iterator[Item]:
    rows, columns = (n // PIXELS for n in item.labels.shape[1:])
    for i in range(rows * columns):
        y, x = (k * PIXELS for k in divmod(i, columns))
        here = slice(y, y + PIXELS), slice(x, x + PIXELS)
        yield replace(item, image=item.image[..., *here], labels=item.labels[:, *here])


READERS: dict[str, Callable[[Path, TrainingOrder, Grid, str], Material]] = {
    "synthesize": _pairs,
    "nuclei": _tiles,
    "tumor": _volumes,
}
